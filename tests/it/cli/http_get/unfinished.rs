//! A body on its way: an interrupt, a server that dawdles, the bar on a terminal.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tempfile::tempdir;

use super::{Peer, files, start};
use crate::cli::support::Program;
use crate::harness::{PATIENCE, again, await_that};

/// A server that says when it was asked, sends the first part, and the rest when told so; it closes when nobody tells any more.
fn pausing(first: &'static [u8], rest: &'static [u8]) -> (Peer, Receiver<()>, Sender<()>) {
    let ((tell, asked), (go, gone)) = (channel(), channel());
    let peer = Peer::on("127.0.0.1", move |stream| {
        tell.send(()).unwrap();
        stream.write_all(first).unwrap();
        if gone.recv_timeout(PATIENCE).is_ok() {
            stream.write_all(rest).unwrap();
        }
    });
    (peer, asked, go)
}

#[test]
fn a_signal_ends_the_fetch_with_a_word_and_success_and_no_file() {
    for (signal, word) in
        [(libc::SIGINT, "Caught keyboard interrupt, exiting"), (libc::SIGTERM, "Caught termination signal, exiting")]
    {
        for first in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nHello"] {
            let directory = tempdir().unwrap();
            let (peer, asked, go) = pausing(first, b"");
            let program = start(directory.path(), &[&peer.url()]);
            asked.recv_timeout(PATIENCE).unwrap();
            if !first.is_empty() {
                let half_there = |(name, content): &(String, Vec<u8>)| name != "file" && content == b"Hello";
                await_that("the body is on its way", || files(directory.path()).iter().any(half_there));
            }
            program.signal(signal);
            assert_eq!(program.succeed().last().unwrap(), word);
            assert_eq!(files(directory.path()), []);
            drop(go);
            peer.request();
        }
    }
}

#[test]
fn the_word_of_a_signal_does_not_get_into_a_body_on_standard_output() {
    let directory = tempdir().unwrap();
    let (peer, asked, go) = pausing(b"", b"");
    let program = start(directory.path(), &[&peer.url(), "-o", "-"]);
    asked.recv_timeout(PATIENCE).unwrap();
    program.signal(libc::SIGINT);
    let ended = program.end();
    assert_eq!((ended.status, ended.lines.len()), (Some(0), 0), "{ended:?}");
    assert_eq!(ended.errors, ["Caught keyboard interrupt, exiting"]);
    drop(go);
    peer.request();
}

#[test]
fn a_connection_that_is_reset_is_an_error_and_leaves_no_file() {
    let directory = tempdir().unwrap();
    let peer = Peer::on("127.0.0.1", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nHello").unwrap();
        SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let ended = start(directory.path(), &[&peer.url()]).end();
    // Whether the body came before the reset is up to the system; that its end did not is to be told.
    assert_eq!((ended.status, ended.errors.len()), (Some(1), 1), "{ended:?}");
    assert!(ended.errors[0].contains(&peer.url()) && ended.errors[0].contains("reset"), "{ended:?}");
    assert_eq!(files(directory.path()), []);
}

#[test]
fn a_server_that_never_answers_or_only_byte_by_byte_is_given_up() {
    for header in [&b""[..], b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n"] {
        // Where the machine is so slow that not even the header came in that time, it gets more.
        let mut timeout = 0.2;
        let ended = loop {
            let directory = tempdir().unwrap();
            let peer = Peer::on("127.0.0.1", move |stream| trickle(stream, header));
            let ended = start(directory.path(), &[&peer.url(), "--timeout", &timeout.to_string()]).end();
            peer.request();
            assert_eq!((ended.status, ended.errors.len()), (Some(1), 1), "{ended:?}");
            assert_eq!(files(directory.path()), []);
            if !header.ends_with(b"\r\n\r\n") || !ended.lines.is_empty() || timeout > 20.0 {
                break ended;
            }
            timeout *= 4.0;
        };
        let given_up = if ended.lines.is_empty() { "no whole header in " } else { "less than 4 KiB in " };
        assert_eq!(ended.lines.is_empty(), !header.ends_with(b"\r\n\r\n"));
        assert!(ended.errors[0].contains(given_up), "{ended:?}");
    }
}

/// Goes on sending a byte at a time after that, or nothing after nothing, until the other side has had enough.
fn trickle(stream: &mut TcpStream, header: &[u8]) {
    if header.is_empty() {
        assert_eq!(again(|| stream.read(&mut [0])).unwrap(), 0);
        return;
    }
    let start = Instant::now();
    let mut sent = stream.write_all(header);
    while sent.is_ok() && start.elapsed() < PATIENCE {
        sleep(Duration::from_millis(5));
        sent = stream.write_all(b"x");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_a_bar_while_it_lasts_and_a_pipe_none() {
    use crate::cli::lifetime::terminal;
    use crate::harness::alone;
    // Alone, since the terminal must not be open anywhere else.
    alone(concat!(module_path!(), "::a_terminal_gets_a_bar_while_it_lasts_and_a_pipe_none"), || {
        for (first, shown) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nHello"[..], "5 B of 10 B"),
            (b"HTTP/1.1 200 OK\r\n\r\nHello", "5 B, "),
        ] {
            let directory = tempdir().unwrap();
            let (peer, _asked, go) = pausing(first, b"world");
            let (mut screen, terminal) = terminal();
            let mut command = super::command(directory.path(), &[&peer.url()]);
            let program = Program::of(command.env("TERM", "xterm").stderr(terminal));
            drop(command);
            let mut said = Vec::new();
            let mut piece = [0; 1000];
            while !String::from_utf8_lossy(&said).contains(shown) {
                let n = again(|| screen.read(&mut piece)).unwrap();
                said.extend_from_slice(&piece[..n]);
            }
            go.send(()).unwrap();
            assert_eq!(program.succeed().last().unwrap(), "Stored 10 bytes in file");
            // The end of a terminal is an error on Linux.
            while let Ok(n @ 1..) = again(|| screen.read(&mut piece)) {
                said.extend_from_slice(&piece[..n]);
            }
            assert!(said.ends_with(b"\r\x1b[2K"), "the bar is wiped away: {:?}", String::from_utf8_lossy(&said));
            assert_eq!(files(directory.path()), [("file".to_owned(), b"Helloworld".to_vec())]);
        }
        let directory = tempdir().unwrap();
        let (peer, asked, go) = pausing(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nHello", b"world");
        let program = start(directory.path(), &[&peer.url()]);
        asked.recv_timeout(PATIENCE).unwrap();
        go.send(()).unwrap();
        // With not a word on standard error.
        program.succeed();
    });
}
