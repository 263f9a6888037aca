//! What cannot go well: counted, named, exit status 1.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::{Server, at, bench, json};
use crate::cli::support::Program;
use crate::harness::{accept, nobody};

/// The one error line of a run that failed.
fn failure(program: Program) -> (Vec<String>, String) {
    let mut ended = program.end();
    assert_eq!((ended.status, ended.errors.len()), (Some(1), 1), "{ended:?}");
    (ended.lines, ended.errors.remove(0))
}

#[test]
fn no_server() {
    let (_taken, address) = nobody();
    let (lines, error) = failure(at("echo", address, &["-c", "3"]));
    assert!(error.starts_with(&format!("error: 3 × refused, the first: cannot connect to {address}: ")), "{error}");
    assert!(lines.iter().any(|line| line.starts_with("errors      3 refused: ")), "{lines:?}");
}

#[test]
fn a_server_that_ends_in_mid_run() {
    let server = Server::start(&["--quiet", "--drain-timeout", "0.1"]);
    let mut run = bench("echo", &server, &["-c", "2", "-d", "50", "--interval", "0.1"]);
    // It has begun when the first interval is over.
    while !run.line().contains("messages/s") {}
    drop(server);
    let (lines, error) = failure(run);
    assert!(error.contains("reset") || error.contains("closed early"), "{error}");
    assert!(lines.iter().any(|line| line.starts_with("errors ")), "{lines:?}");
}

#[test]
fn a_server_that_answers_something_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut message = [0; 64];
        stream.read_exact(&mut message).unwrap();
        message[7] ^= 1;
        stream.write_all(&message).unwrap();
        // Until the other side has seen it.
        let _ = stream.read(&mut message);
    });
    let (_, error) = failure(at("echo", address, &["-n", "5"]));
    assert_eq!(error, "error: wrong bytes: byte 7 of the echo of message 0 differs");
    server.join().unwrap();
}

#[test]
fn a_server_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (_, error) = failure(at("echo", address, &["-n", "5", "--timeout", "0.1"]));
    assert_eq!(error, "error: timed out: no reply to message 0 of a connection within 100ms");
    let (_, error) = failure(at("echo", address, &["-n", "5", "--max-seconds", "0.2"]));
    assert!(error.starts_with("error: not done after 200ms; replies to come: "), "{error}");
    drop(listener);
}

#[test]
fn a_rate_that_cannot_be() {
    let server = Server::start(&["--quiet"]);
    let (_, error) = failure(bench("echo", &server, &["--rate", "1000000000", "-d", "0.1", "--warm-up", "0"]));
    assert!(error.starts_with("error: rate 1000000000/s not reached: ") && error.ends_with("/s"), "{error}");
}

#[test]
fn errors_are_in_the_json_too() {
    let (_taken, address) = nobody();
    let (lines, _) = failure(at("connect", address, &["-c", "2", "--json"]));
    let errors = &json(&lines)["errors"];
    assert_eq!((&errors[0]["kind"], &errors[0]["count"]), (&"refused".into(), &2.into()));
}

#[test]
fn arguments_that_mean_nothing() {
    for (options, said) in [
        (&["-t", "2"][..], "--threads"),
        (&["--rate", "0"], "messages a second"),
        (&["--json", "--csv"], "--csv"),
        (&["-n", "1", "-d", "1"], "--duration"),
        (&["--size", "65m"], "64m"),
    ] {
        let ended = Program::start(&[&["bench", "echo", "127.0.0.1", "1"], options].concat()).end();
        assert_eq!((ended.status, ended.errors.len()), (Some(2), 1), "{ended:?}");
        assert!(ended.errors[0].contains(said), "{ended:?}");
    }
    let ended = Program::start(&["bench", "udp", "unix:/nowhere"]).end();
    assert_eq!(ended.status, Some(1), "{ended:?}");
}

#[test]
fn an_interrupt_reports_what_there_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for data in [false, true] {
        let format = if data { &["--json"][..] } else { &[] };
        let run = at("echo", listener.local_addr().unwrap(), &[&["-d", "50", "--timeout", "50"], format].concat());
        // Who dials is ready to be interrupted.
        let _silent = accept(&listener);
        run.signal(libc::SIGINT);
        let ended = run.end();
        assert_eq!(ended.status, Some(0), "{ended:?}");
        if data {
            assert_eq!(ended.errors, ["Caught keyboard interrupt, exiting"]);
            assert_eq!(json(&ended.lines)["stopped"], true);
        } else {
            let is_told = |line: &String| line.starts_with("messages ") && line.ends_with(", stopped");
            assert!(ended.lines.iter().any(is_told), "{ended:?}");
        }
    }
}
