//! The blocking echo, server and client.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::{fs, thread};

use super::addresses::ipv6_is_there;
use super::refusals::{FAILED, USAGE, nobody, refused};
use super::support::reset;
use super::support::{Program, Server, accept, at, dial, exchange, run};
use crate::harness::{Spot, python3};

const RECEIVED: &str = "Received b'Hello, world'";
const INTERRUPTED: &str = "Caught keyboard interrupt, exiting";

fn server(options: &[&str]) -> Server {
    Server::named("echo-server", options)
}

fn client(address: SocketAddr, options: &[&str]) -> Program {
    run("echo-client", address, options)
}

#[test]
fn server_and_client_say_what_the_tutorials_do() {
    let server = server(&["--once", "3"]);
    for _ in 0..3 {
        assert_eq!(client(server.address, &[]).succeed(), [RECEIVED]);
    }
    let lines = server.program.succeed();
    assert_eq!(lines.len(), 3);
    for line in lines {
        let peer: SocketAddr = line.strip_prefix("Connected by ").unwrap().parse().unwrap();
        assert!(peer.ip().is_loopback());
    }
}

#[test]
fn a_quiet_server_says_only_where_it_listens() {
    let server = server(&["--once", "1", "--quiet"]);
    client(server.address, &[]).succeed();
    assert!(server.program.succeed().is_empty());
}

#[test]
fn the_server_serves_a_plain_python_client() {
    let Some(mut python) = python3() else { return };
    let server = server(&["--once", "1"]);
    python.args(["-c", include_str!("one_echo_client.py"), &server.address.ip().to_string()]);
    python.args([&server.address.port().to_string(), "100500"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let name = Program::of(&mut python).succeed();
    assert_eq!(server.program.succeed(), [format!("Connected by {}", name[0])]);
}

#[test]
fn the_client_puts_together_what_a_python_server_sends_byte_by_byte() {
    let Some(mut python) = python3() else { return };
    python.args(["-c", include_str!("one_echo_server.py"), "2"]);
    let mut server = Program::of(python.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let address = SocketAddr::from(([127, 0, 0, 1], server.line().parse().unwrap()));
    for _ in 0..2 {
        assert_eq!(client(address, &[]).succeed(), [RECEIVED]);
    }
    assert_eq!(server.succeed(), ["b'Hello, world'", "b'Hello, world'"]);
}

#[test]
fn ipv6_is_served() {
    if !ipv6_is_there() {
        return;
    }
    let server = Server::of(Program::start(&["echo-server", "::1", "0", "--once", "1"]));
    assert_eq!(server.address.ip(), Ipv6Addr::LOCALHOST);
    assert_eq!(client(server.address, &[]).succeed(), [RECEIVED]);
    assert!(server.program.succeed()[0].starts_with("Connected by [::1]:"));
}

#[test]
fn a_unix_socket_is_served_and_its_file_goes_with_the_server() {
    let spot = Spot::new();
    let mut program = at("echo-server", &spot, &[]);
    let client = Program::start(&["echo-client", &spot.address().to_string()]);
    assert_eq!(client.succeed(), [RECEIVED]);
    assert_eq!(program.line(), "Connected by unix:");
    let connected = UnixStream::connect(&spot.0).unwrap();
    assert_eq!(program.line(), "Connected by unix:");
    assert_eq!(program.interrupt(), [INTERRUPTED]);
    assert!(fs::symlink_metadata(&spot.0).is_err(), "the file is still there");
    drop(connected);
}

#[test]
fn what_is_no_socket_is_left_where_it_is() {
    let spot = Spot::new();
    fs::write(&spot.0, "precious").unwrap();
    let said = refused(&["echo-server", &spot.address().to_string()], FAILED);
    assert!(said.contains(&spot.address().to_string()) && said.contains("no socket"), "{said}");
    assert_eq!(fs::read(&spot.0).unwrap(), b"precious");
}

#[test]
fn a_signal_ends_a_server_that_nobody_is_connected_to() {
    assert_eq!(server(&[]).program.interrupt(), [INTERRUPTED]);
    let server = server(&[]);
    server.program.signal(libc::SIGTERM);
    assert_eq!(server.program.succeed(), ["Caught termination signal, exiting"]);
}

#[test]
fn an_interrupt_ends_a_server_whose_client_says_nothing() {
    let server = server(&[]);
    let mut silent = dial(server.address);
    exchange(&mut silent, b"x");
    let name = silent.local_addr().unwrap();
    assert_eq!(server.program.interrupt(), [format!("Connected by {name}"), INTERRUPTED.to_owned()]);
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_interrupt_ends_a_server_whose_client_never_pauses() {
    let server = server(&[]);
    let mut writer = dial(server.address);
    let mut reader = writer.try_clone().unwrap();
    // Both end when the server does.
    let writing = thread::spawn(move || while writer.write_all(&[b'x'; 4096]).is_ok() {});
    reader.read_exact(&mut [0; 100_000]).unwrap();
    let reading = thread::spawn(move || while reader.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {});
    assert_eq!(server.program.interrupt().last().unwrap(), INTERRUPTED);
    writing.join().unwrap();
    reading.join().unwrap();
}

#[test]
fn an_interrupt_ends_a_server_whose_client_never_reads() {
    let mut server = server(&["--write-timeout", "3600"]);
    let mut writer = dial(server.address);
    writer.set_nonblocking(true).unwrap();
    assert!(server.program.line().starts_with("Connected by "));
    // The server ends up in a send that waits; if it is not there yet, it is in a receive.
    while writer.write(&[b'x'; 64 << 10]).is_ok() {}
    assert_eq!(server.program.interrupt(), [INTERRUPTED]);
}

#[test]
fn a_reset_ends_one_connection_and_the_next_is_served() {
    let mut server = server(&["--once", "2"]);
    let mut stream = dial(server.address);
    exchange(&mut stream, b"x");
    let name = stream.local_addr().unwrap();
    assert_eq!(server.program.line(), format!("Connected by {name}"));
    reset(stream);
    let failed = server.program.line();
    assert!(failed.starts_with(&format!("Connection to {name} failed: ")) && failed.contains("reset"), "{failed}");
    assert_eq!(client(server.address, &[]).succeed(), [RECEIVED]);
    server.program.succeed();
}

#[test]
fn a_silent_client_is_left_for_the_next_one() {
    let mut server = server(&["--idle-timeout", "0.05"]);
    // What the second has to say is there before the server looks, so that it is never found silent itself.
    server.program.freeze();
    let mut silent = dial(server.address);
    let mut next = dial(server.address);
    next.write_all(b"x").unwrap();
    server.program.signal(libc::SIGCONT);
    let names = [&silent, &next].map(|stream| stream.local_addr().unwrap());
    assert_eq!(server.program.line(), format!("Connected by {}", names[0]));
    let failed = server.program.line();
    assert_eq!(failed, format!("Connection to {} failed: received nothing: timed out", names[0]));
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.program.line(), format!("Connected by {}", names[1]));
    next.read_exact(&mut [0]).unwrap();
    server.program.interrupt();
}

#[test]
fn a_client_that_does_not_read_is_left() {
    let mut server = server(&["--write-timeout", "0.05", "--once", "1"]);
    let mut stream = dial(server.address);
    let name = stream.local_addr().unwrap();
    // Until the server has left.
    while stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
    assert_eq!(server.program.line(), format!("Connected by {name}"));
    let failed = server.program.line();
    assert!(failed.starts_with(&format!("Connection to {name} failed: sent ")), "{failed}");
    assert!(failed.ends_with(" bytes: timed out"), "{failed}");
    server.program.succeed();
}

/// What our client says about a server that answers so to its 12 bytes, and closes.
fn client_says(answer: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = client(listener.local_addr().unwrap(), &[]);
    let mut stream = accept(&listener);
    stream.read_exact(&mut [0; 12]).unwrap();
    stream.write_all(answer).unwrap();
    drop(stream);
    let ended = program.end();
    assert_eq!((ended.status, ended.lines.len(), ended.errors.len()), (Some(FAILED), 0, 1), "{ended:?}");
    ended.errors.concat()
}

#[test]
fn a_client_says_what_is_wrong_with_an_echo() {
    assert_eq!(client_says(b""), "error: no echo: closed after 0 of 12 bytes");
    assert_eq!(client_says(b"Hello"), "error: no echo: closed after 5 of 12 bytes");
    let different = "error: what came back, b'hello, world', differs from what was sent";
    assert_eq!(client_says(b"hello, world"), different);
}

#[test]
fn a_client_waits_for_no_server_for_ever() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let said = refused(&["echo-client", "127.0.0.1", &port, "--timeout", "0.05"], FAILED);
    assert!(said.contains("timed out"), "{said}");
}

#[test]
fn a_refused_connection_names_the_address_and_likely_causes() {
    let (_taken, address) = nobody();
    let said = refused(&["echo-client", "127.0.0.1", &address.port().to_string()], FAILED);
    assert!(said.starts_with(&format!("cannot connect to {address}: ")) && said.contains("firewall"), "{said}");
}

#[test]
fn arguments_that_mean_nothing_are_usage_errors() {
    for (args, words) in [
        (&["echo-server", "127.0.0.1"][..], &["<PORT>"][..]),
        (&["echo-server", "127.0.0.1", "65536"], &["'65536'", "from 0 to 65535"]),
        (&["echo-server", "127.0.0.1", "0", "more"], &["'more'"]),
        (&["echo-server", "unix:"], &["path", "unix:"]),
        (&["echo-client", "127.0.0.1", "0"], &["'0'", "from 1 to 65535"]),
        (&["echo-client", "127.0.0.1", "1", "more"], &["'more'"]),
        (&["echo-client", "127.0.0.1", "1", "--backlog", "5"], &["--backlog"]),
    ] {
        let said = refused(args, USAGE);
        assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
    }
}

#[test]
fn a_time_that_is_none_is_a_usage_error() {
    for time in ["0", "-1", "0.0", "-0", "abc", "", "inf", "nan", "1e400", "1s", " 1", "1e-10"] {
        for (program, option) in
            [("echo-server", "--idle-timeout"), ("echo-server", "--write-timeout"), ("echo-client", "--timeout")]
        {
            let said = refused(&[program, "127.0.0.1", "1", option, time], USAGE);
            assert!(said.contains(option) && said.contains("seconds above 0"), "{time:?}: {said}");
        }
    }
}
