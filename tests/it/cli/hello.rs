//! The greeting, server and client.

mod seats;

use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::addresses::ipv6_is_there;
use super::refusals::{FAILED, USAGE, nobody, refused};
use super::support::reset;
use super::support::{Ended, Program, Server, accept, at, dial, run};
use crate::harness::{PATIENCE, Spot, python3};

const GREETED: [&str; 4] = ["Welcome!", "Hello, Michael!", "Hello, Tracy!", "Hello, Sarah!"];
const WAITING: &str = "Waiting for connection...";
const INTERRUPTED: &str = "Caught keyboard interrupt, exiting";

fn server(options: &[&str]) -> Server {
    let mut server = Server::named("hello-server", options);
    assert_eq!(server.program.line(), WAITING);
    server
}

fn client(address: SocketAddr, more: &[&str]) -> Program {
    run("hello-client", address, more)
}

/// Must come next.
fn hears(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

fn asks(stream: &mut TcpStream, name: &[u8]) {
    stream.write_all(name).unwrap();
    hears(stream, &[b"Hello, ", name, b"!"].concat());
}

/// All that still comes.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// A client that was welcomed, and how the server names it.
fn meet(server: &mut Server) -> (TcpStream, SocketAddr) {
    let mut stream = dial(server.address);
    let name = stream.local_addr().unwrap();
    assert_eq!(server.program.line(), format!("Accept new connection from {name}..."));
    hears(&mut stream, b"Welcome!");
    (stream, name)
}

#[test]
fn server_and_client_say_what_the_tutorials_do() {
    let mut server = server(&["--once", "2"]);
    for _ in 0..2 {
        assert_eq!(client(server.address, &[]).succeed(), GREETED);
        let accepted = server.program.line();
        let peer = accepted.strip_prefix("Accept new connection from ").unwrap().strip_suffix("...").unwrap();
        assert!(peer.parse::<SocketAddr>().unwrap().ip().is_loopback());
        assert_eq!(server.program.line(), format!("Connection from {peer} closed."));
    }
    assert!(server.program.succeed().is_empty());
}

#[test]
fn names_and_welcome_are_the_users() {
    let server = server(&["--welcome", "- Grüß Gott! -", "--once", "1"]);
    let said = client(server.address, &["Zoë", "it's me", "-1"]).succeed();
    assert_eq!(said, ["- Grüß Gott! -", "Hello, Zoë!", "Hello, it's me!", "Hello, -1!"]);
    server.program.succeed();
}

#[test]
fn a_quiet_server_says_only_where_it_listens() {
    let server = Server::named("hello-server", &["--quiet", "--once", "1"]);
    assert_eq!(client(server.address, &[]).succeed(), GREETED);
    assert!(server.program.succeed().is_empty());
}

#[test]
fn the_server_serves_a_plain_python_client() {
    let Some(mut python) = python3() else { return };
    let server = server(&["--once", "1"]);
    python.args(["-c", include_str!("hello_client.py"), "127.0.0.1", &server.address.port().to_string()]);
    python.args(["Michael", "Zoë", &"x".repeat(1024)]).env("PYTHONUTF8", "1");
    let said = Program::of(python.stdout(Stdio::piped()).stderr(Stdio::piped())).succeed();
    assert_eq!(said[1..4], ["Welcome!", "Hello, Michael!", "Hello, Zoë!"]);
    assert_eq!(said[4..], [format!("Hello, {}!", "x".repeat(1024))]);
    let lines = server.program.succeed();
    assert_eq!(
        lines,
        [format!("Accept new connection from {}...", said[0]), format!("Connection from {} closed.", said[0])]
    );
}

#[test]
fn the_client_is_served_by_a_plain_python_server() {
    let Some(mut python) = python3() else { return };
    python.args(["-c", include_str!("hello_server.py")]);
    let mut server = Program::of(python.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let address = SocketAddr::from(([127, 0, 0, 1], server.line().parse().unwrap()));
    assert_eq!(client(address, &[]).succeed(), GREETED);
    assert_eq!(server.succeed(), ["Michael", "Tracy", "Sarah", "exit"]);
}

#[test]
fn ipv6_is_served() {
    if !ipv6_is_there() {
        return;
    }
    let server = Server::of(Program::start(&["hello-server", "::1", "0", "--once", "1"]));
    assert_eq!(server.address.ip(), Ipv6Addr::LOCALHOST);
    assert_eq!(client(server.address, &[]).succeed(), GREETED);
    assert!(server.program.succeed()[1].starts_with("Accept new connection from [::1]:"));
}

#[test]
fn a_unix_socket_is_served_and_its_file_goes_with_the_server() {
    let spot = Spot::new();
    let program = at("hello-server", &spot, &[]);
    let client = |names: &[&str]| Program::start(&[&["hello-client", &*spot.address().to_string()], names].concat());
    assert_eq!(client(&[]).succeed(), GREETED);
    assert_eq!(client(&["Bob"]).succeed(), ["Welcome!", "Hello, Bob!"]);
    let lines = program.interrupt();
    assert_eq!(lines[0], WAITING);
    assert_eq!(lines.iter().filter(|line| **line == "Accept new connection from unix:...").count(), 2);
    assert!(fs::symlink_metadata(&spot.0).is_err(), "the file is still there");
}

#[test]
fn several_clients_are_served_at_once() {
    let mut server = server(&["--once", "5"]);
    let mut met: Vec<_> = (0..5).map(|_| meet(&mut server)).collect();
    for n in 0..10 {
        for (stream, name) in &mut met {
            asks(stream, format!("{n} of {name}").as_bytes());
        }
    }
    drop(met);
    let lines = server.program.succeed();
    assert!(lines.len() == 5 && lines.iter().all(|line| line.ends_with(" closed.")), "{lines:?}");
}

#[test]
fn a_signal_ends_a_server_that_nobody_is_connected_to() {
    assert_eq!(server(&[]).program.interrupt(), [INTERRUPTED]);
    let server = server(&[]);
    server.program.signal(libc::SIGTERM);
    assert_eq!(server.program.succeed(), ["Caught termination signal, exiting"]);
}

#[test]
fn an_interrupt_ends_a_server_with_clients_whatever_its_threads_wait_for() {
    let mut server = server(&["--delay", "3600", "--write-timeout", "3600", "--max-connections", "3"]);
    let (mut silent, _) = meet(&mut server);
    let (mut patient, _) = meet(&mut server);
    // Its answer is an hour off.
    patient.write_all(b"Bob").unwrap();
    let (mut done, _) = meet(&mut server);
    done.write_all(b"exit").unwrap();
    // It was told, and does not close: that is waited for, too.
    assert_eq!(done.read(&mut [0]).unwrap(), 0);
    let lines = server.program.interrupt();
    assert_eq!(lines.iter().filter(|line| *line == INTERRUPTED).count(), 1, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.ends_with(" closed.")).count(), 3, "{lines:?}");
    assert_eq!(lines.len(), 4);
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_interrupt_ends_a_server_whose_client_never_reads() {
    let mut server = server(&["--write-timeout", "3600"]);
    let (mut stream, name) = meet(&mut server);
    stream.set_nonblocking(true).unwrap();
    while stream.write(&[b'x'; 64 << 10]).is_ok() {}
    assert_eq!(server.program.interrupt(), [INTERRUPTED.to_owned(), format!("Connection from {name} closed.")]);
}

#[test]
fn an_answer_comes_after_the_delay() {
    let mut server = server(&["--delay", "0.2"]);
    let (mut stream, _) = meet(&mut server);
    let start = Instant::now();
    asks(&mut stream, b"Bob");
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[test]
fn any_bytes_are_a_name() {
    let mut server = server(&[]);
    let (mut stream, _) = meet(&mut server);
    let all: Vec<u8> = (0..=255).collect();
    for name in [&b"\xff\xfe\0"[..], b"\0", b"\n", b" ", b"exit now", b"EXIT", b"\x1b[31m", &all, &[b'x'; 1024]] {
        asks(&mut stream, name);
    }
}

#[test]
fn exit_ends_also_with_the_end_of_a_line_behind_it() {
    for exit in [&b"exit"[..], b"exit\n", b"exit\r\n"] {
        let mut server = server(&["--once", "1"]);
        let (mut stream, name) = meet(&mut server);
        stream.write_all(exit).unwrap();
        assert!(rest(&mut stream).is_empty());
        drop(stream);
        assert_eq!(server.program.succeed(), [format!("Connection from {name} closed.")]);
    }
}

#[test]
fn a_name_of_a_megabyte_is_answered_in_pieces() {
    let mut server = server(&["--once", "1"]);
    let (mut stream, _) = meet(&mut server);
    let mut writer = stream.try_clone().unwrap();
    let writing = thread::spawn(move || {
        writer.write_all(&vec![b'x'; 1 << 20]).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let answers = String::from_utf8(rest(&mut stream)).unwrap();
    writing.join().unwrap();
    let names = answers.split_terminator('!').map(|answer| answer.strip_prefix("Hello, ").expect("an answer").len());
    let lengths: Vec<usize> = names.collect();
    assert!(lengths.iter().all(|length| (1..=1024).contains(length)));
    assert_eq!(lengths.iter().sum::<usize>(), 1 << 20);
    server.program.succeed();
}

#[test]
fn a_client_that_leaves_in_the_middle_is_told_of_and_ends_no_other() {
    let mut server = server(&[]);
    let (mut other, _) = meet(&mut server);
    let (mut stream, name) = meet(&mut server);
    asks(&mut stream, b"Bob");
    reset(stream);
    let failed = server.program.line();
    assert!(failed.starts_with(&format!("Connection from {name} failed: ")) && failed.contains("reset"), "{failed}");
    assert_eq!(server.program.line(), format!("Connection from {name} closed."));
    let (stream, name) = meet(&mut server);
    stream.shutdown(Shutdown::Write).unwrap();
    drop(stream);
    assert_eq!(server.program.line(), format!("Connection from {name} closed."));
    asks(&mut other, b"Tracy");
}

#[test]
fn a_silent_client_is_left_and_its_seat_is_free() {
    let mut server = server(&["--idle-timeout", "0.05", "--max-connections", "1"]);
    for _ in 0..3 {
        let (mut silent, name) = meet(&mut server);
        assert!(rest(&mut silent).is_empty());
        let failed = server.program.line();
        assert_eq!(failed, format!("Connection from {name} failed: received nothing: timed out"));
        assert_eq!(server.program.line(), format!("Connection from {name} closed."));
    }
}

#[test]
fn a_client_that_does_not_read_is_left() {
    let mut server = server(&["--write-timeout", "0.05", "--once", "1"]);
    let (mut stream, name) = meet(&mut server);
    // Until the server has left.
    while stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
    let lines = server.program.succeed();
    assert!(lines[0].starts_with(&format!("Connection from {name} failed: sent ")), "{lines:?}");
    assert!(lines[0].ends_with(" bytes: timed out"), "{lines:?}");
    assert_eq!(lines[1..], [format!("Connection from {name} closed.")]);
}

/// How our client ends with a server that says so first, and so to the name Bob, and closes.
fn client_ends(welcome: &[u8], answer: &[u8]) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = client(listener.local_addr().unwrap(), &["Bob"]);
    let mut stream = accept(&listener);
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(welcome).unwrap();
    hears(&mut stream, b"Bob");
    stream.write_all(answer).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let ended = program.end();
    drop(stream);
    ended
}

#[test]
fn a_client_says_what_is_wrong_with_an_answer() {
    for (answer, error) in [
        (&b""[..], "error: no answer to b'Bob': closed after 0 of 11 bytes"),
        (b"Hello, ", "error: no answer to b'Bob': closed after 7 of 11 bytes"),
        (b"Hello, Tom!", "error: the answer to b'Bob' is b'Hello, Tom!'"),
    ] {
        let ended = client_ends(b"Welcome!", answer);
        assert_eq!(
            (ended.status, ended.lines, ended.errors),
            (Some(FAILED), vec!["Welcome!".into()], vec![error.into()])
        );
    }
}

#[test]
fn what_is_no_plain_text_is_shown_as_bytes() {
    for (welcome, shown) in [
        (&b"\x1b[2JWelcome!"[..], r"b'\x1b[2JWelcome!'"),
        (b"Gr\xfc\xdf Gott!", r"b'Gr\xfc\xdf Gott!'"),
        (b"one\ntwo\n", r"b'one\ntwo\n'"),
        (b"Welcome!\r\n", "Welcome!"),
    ] {
        let ended = client_ends(welcome, b"Hello, Bob!");
        assert_eq!((ended.status, ended.errors.len()), (Some(0), 0), "{:?}", ended.errors);
        assert_eq!(ended.lines, [shown, "Hello, Bob!"]);
    }
}

#[test]
fn a_client_waits_for_no_server_for_ever() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let said = refused(&["hello-client", "127.0.0.1", &port, "--timeout", "0.05"], FAILED);
    assert!(said.contains("timed out"), "{said}");
}

#[test]
fn a_refused_connection_names_the_address_and_likely_causes() {
    let (_taken, address) = nobody();
    let said = refused(&["hello-client", "127.0.0.1", &address.port().to_string()], FAILED);
    assert!(said.starts_with(&format!("cannot connect to {address}: ")) && said.contains("firewall"), "{said}");
}

#[test]
fn arguments_that_mean_nothing_are_usage_errors() {
    let long = "x".repeat(1025);
    for (args, words) in [
        (&["hello-server", "127.0.0.1", "0", "more"][..], &["'more'"][..]),
        (&["hello-server", "--max-connections", "0"], &["--max-connections", "from 1 to "]),
        (&["hello-server", "--delay", "-1"], &["--delay", "'-1'", "seconds"]),
        (&["hello-server", "--idle-timeout", "0"], &["--idle-timeout", "above 0"]),
        (&["hello-server", "--write-timeout", "nan"], &["--write-timeout", "above 0"]),
        (&["hello-server", "--welcome", ""], &["--welcome", "1 to 1024 bytes"]),
        (&["hello-server", "--welcome", &long], &["--welcome", "1 to 1024 bytes"]),
        (&["hello-client", "127.0.0.1"], &["<PORT>"]),
        (&["hello-client", "Michael", "Tracy"], &["'Tracy'", "<PORT>"]),
        (&["hello-client", "127.0.0.1", "1", "Bob", "exit"], &["<NAME>", "exit"]),
        (&["hello-client", "127.0.0.1", "1", ""], &["<NAME>", "1 to 1024 bytes"]),
        (&["hello-client", "127.0.0.1", "1", &long], &["<NAME>", "1 to 1024 bytes"]),
    ] {
        let said = refused(args, USAGE);
        assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
    }
}
