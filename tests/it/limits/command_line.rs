//! The limits as options of a program: they arrive, and a bad value is refused.

use std::io::Write;
use std::time::Instant;

use super::support::{in_time, ms};
use crate::cli::support::{Program, Server, dial, exchange};
use crate::harness::PATIENCE;
use crate::reactor::support::read_all;

#[test]
fn a_header_timeout_of_a_second_ends_a_silent_client() {
    in_time(ms(1000), || {
        let server = Server::start(&["--quiet", "--header-timeout", "1"]);
        let before = Instant::now();
        let mut client = dial(server.address);
        let after = Instant::now();
        assert_eq!(read_all(&mut client), b"");
        (before, after, Instant::now())
    });
}

#[test]
fn an_idle_timeout_ends_a_client_and_the_transcript_says_why() {
    let mut server = Server::start(&["--idle-timeout", "0.3"]);
    let (mut client, name) = server.meet();
    let before = Instant::now();
    exchange(&mut client, b"hello");
    assert_eq!(read_all(&mut client), b"");
    assert!(before.elapsed() >= ms(300));
    assert_eq!(server.program.line(), format!("Echoing b'hello' to {name}"));
    assert_eq!(server.program.line(), format!("Giving up on {name}: silent for too long"));
    drop(client);
    assert_eq!(server.program.line(), format!("Closing connection to {name}"));
}

#[test]
fn a_write_timeout_resets_a_client_that_never_reads() {
    let mut server = Server::start(&["--write-timeout", "0.3", "--high-water", "1k"]);
    let (mut client, name) = server.meet();
    while client.write_all(&[7; 64 << 10]).is_ok() {}
    let mut last = String::new();
    while !last.starts_with("Giving up") {
        last = server.program.line();
    }
    assert_eq!(last, format!("Giving up on {name}: it takes what is sent too slowly"));
}

#[test]
fn one_connection_at_most_refuses_the_second_until_the_first_has_left() {
    let mut server = Server::start(&["--max-connections", "1", "--accepts-per-wake", "1"]);
    let (mut first, name) = server.meet();
    let (mut second, refused) = server.meet();
    assert_eq!(server.program.line(), format!("Refusing {refused}: too many connections"));
    assert_eq!(read_all(&mut second), b"");
    drop(second);
    assert_eq!(server.program.line(), format!("Closing connection to {refused}"));
    exchange(&mut first, b"mine");
    assert_eq!(server.program.line(), format!("Echoing b'mine' to {name}"));
    drop(first);
    assert_eq!(server.program.line(), format!("Closing connection to {name}"));
    let (mut third, _) = server.meet();
    exchange(&mut third, b"mine");
}

#[test]
fn a_status_line_comes_at_its_interval_and_counts() {
    let start = Instant::now();
    let mut server = Server::start(&["--quiet", "--status", "0.5", "--header-timeout", "0.2"]);
    let line = server.program.line();
    assert!(line.starts_with("Status: 0 connections, 0 requests/s, 0 bytes/s, 0 bytes held, p99 turn "), "{line}");
    assert!(start.elapsed() >= ms(500));
    assert_eq!(read_all(&mut dial(server.address)), b"");
    // Those that came before it ended are in the queue still.
    let mut line = line;
    while !line.ends_with(" ms, 1 never heard") {
        assert!(line.starts_with("Status: ") && start.elapsed() < PATIENCE, "{line}");
        line = server.program.line();
    }
}

#[test]
fn a_bad_limit_is_refused_on_one_line() {
    for option in [
        "--header-timeout",
        "--message-timeout",
        "--idle-timeout",
        "--write-timeout",
        "--drain-timeout",
        "--status",
        "--max-connections",
        "--accepts-per-wake",
        "--high-water",
        "--max-held",
    ] {
        for value in ["0", "-1", "soon", "", "nan", "1e400"] {
            let ended = Program::start(&["multiconn-server", "127.0.0.1", "0", option, value]).end();
            assert_eq!((ended.status, ended.errors.len()), (Some(2), 1), "{option} {value}: {ended:?}");
            assert!(ended.errors[0].contains(option) && ended.lines.is_empty(), "{option} {value}: {ended:?}");
        }
    }
}
