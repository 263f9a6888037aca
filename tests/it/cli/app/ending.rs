//! How the server begins and ends.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

#[test]
fn a_signal_ends_it_with_a_word_and_success_on_every_backend() {
    for backend in ["epoll", "poll", "select"] {
        for (signal, word) in [(libc::SIGINT, "keyboard interrupt"), (libc::SIGTERM, "termination signal")] {
            let mut server = server(&["--backend", backend, "--drain-timeout", "0.2"]);
            let (mut idle, idle_name) = server.meet();
            let (mut half, half_name) = server.meet();
            half.write_all(&json(&search("x"))[..50]).unwrap();
            server.program.signal(signal);
            let lines = server.program.succeed();
            assert_eq!(lines[0], format!("Caught {word}, exiting"));
            for name in [idle_name, half_name] {
                assert!(lines[1..].contains(&format!("Closing connection to {name}")), "{lines:?}");
            }
            assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        }
    }
}

#[test]
fn a_quiet_one_tells_where_it_listens_and_that_it_ends() {
    let server = server(&["--quiet"]);
    serves(server.address);
    answered(server.address, &[0, 0]);
    answered_at_end(server.address, b"\0");
    assert_eq!(server.program.interrupt(), ["Caught keyboard interrupt, exiting"]);
}

#[test]
fn it_ends_after_as_many_connections_as_it_was_told() {
    let server = server(&["--once", "3"]);
    serves(server.address);
    answered(server.address, &[0, 0]);
    drop(dial(server.address));
    let lines = server.program.succeed();
    assert_eq!(lines.iter().filter(|line| line.starts_with("Closing connection to ")).count(), 3, "{lines:?}");
}

#[test]
fn a_busy_port_is_named_with_what_to_do() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap();
    let (said, lines) = failure(Program::start(&["app-server", "127.0.0.1", &address.port().to_string()]), 1);
    assert!(lines.is_empty() && said.contains(&address.to_string()) && said.contains("port 0"), "{said}");
}
