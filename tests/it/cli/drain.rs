//! A server told to end: nobody who asked in time goes without an answer.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use selkey::message::{Decoded, Decoder, Header};

use super::support::{Program, Server, client, dial, exchange};
use crate::harness::await_that;

const KEPT: usize = 200;
const QUEUED: usize = 50;

/// A search on a connection that is to be kept.
fn request() -> Vec<u8> {
    let content = br#"{"action": "search", "value": "ring"}"#;
    let mut wire = Vec::new();
    Header::new("text/json", "utf-8", content.len()).with_keep_alive().encode(|bytes| wire.extend(bytes)).unwrap();
    wire.extend(content);
    wire
}

/// The next reply; whether the server keeps the connection. `None`: it hung up instead.
fn reply(stream: &mut TcpStream) -> Option<bool> {
    let (mut bytes, mut piece, mut decoder) = (Vec::new(), [0; 1024], Decoder::new());
    loop {
        if let Decoded::Message { message, .. } = decoder.decode(&bytes).unwrap() {
            assert!(message.text().unwrap().contains("Misty Mountains"));
            return Some(message.header().keep_alive());
        }
        match stream.read(&mut piece) {
            Ok(n) if n > 0 => bytes.extend(&piece[..n]),
            Err(error) if ![ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()) => {
                panic!("{error}")
            }
            _ => {
                assert!(bytes.is_empty(), "hung up inside a reply");
                return None;
            }
        }
    }
}

/// Asks again and again until the server ends the connection. Answers how often it was answered.
fn ask(mut stream: TcpStream, signalled: &AtomicBool, asking: &AtomicUsize) -> usize {
    let request = request();
    for answered in 0.. {
        if stream.write_all(&request).is_err() {
            return answered;
        }
        let in_time = !signalled.load(Ordering::SeqCst);
        if answered == 0 {
            asking.fetch_add(1, Ordering::SeqCst);
        }
        match reply(&mut stream) {
            Some(true) => {}
            Some(false) => return answered + 1,
            None => {
                assert!(!in_time, "a request that was sent before the signal was not answered");
                return answered;
            }
        }
    }
    unreachable!("a server that never ends")
}

fn nothing_is_lost(options: &[&str]) {
    let server = Server::named("app-server", &[&["--quiet"], options].concat());
    let (address, signalled, asking) = (server.address, AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let kept: Vec<_> = (0..KEPT).map(|_| scope.spawn(|| ask(dial(address), &signalled, &asking))).collect();
        await_that("all are in exchange", || asking.load(Ordering::SeqCst) == KEPT);
        // Nobody is accepted while it stands still.
        server.program.freeze();
        let mut queued: Vec<TcpStream> = (0..QUEUED).map(|_| dial(address)).collect();
        queued.iter_mut().for_each(|stream| stream.write_all(&request()).unwrap());
        signalled.store(true, Ordering::SeqCst);
        server.program.signal(libc::SIGTERM);
        server.program.signal(libc::SIGCONT);
        let answered: usize = kept.into_iter().map(|client| client.join().unwrap()).sum();
        for mut stream in queued {
            // It may have been accepted before the loop heard of the signal: then it is kept at first.
            assert!(reply(&mut stream).is_some(), "a connection that waited to be accepted was not answered");
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
        let ended = server.program.end();
        assert!(ended.status == Some(0) && ended.errors.is_empty(), "{ended:?}");
        let totals = format!("Totals: {} connections, {} requests", KEPT + QUEUED, answered + QUEUED);
        assert!(ended.totals[0].starts_with(&totals) && !ended.totals[0].contains("cut"), "{ended:?}\n{totals}");
    });
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn whoever_asked_before_the_signal_is_answered_twenty_times_over() {
    (0..20).for_each(|_| nothing_is_lost(&[]));
}

#[test]
fn whoever_asked_before_the_signal_is_answered_by_two_threads() {
    (0..3).for_each(|_| nothing_is_lost(&["--threads", "2"]));
}

#[test]
fn a_second_signal_ends_a_drain_at_once() {
    let mut server = Server::named("app-server", &["--drain-timeout", "1000"]);
    let mut stream = dial(server.address);
    stream.write_all(&request()[..20]).unwrap();
    assert!(server.program.line().starts_with("Accepted connection"));
    server.program.signal(libc::SIGTERM);
    assert_eq!(server.program.line(), "Caught termination signal, exiting");
    server.program.signal(libc::SIGINT);
    let ended = server.program.end();
    assert_eq!(ended.lines[0], "Caught keyboard interrupt, exiting");
    assert_eq!(ended.status, Some(0));
}

#[test]
fn what_is_left_at_the_end_of_a_drain_is_cut_and_counted() {
    let mut server = Server::named("app-server", &["--drain-timeout", "0.3"]);
    let mut stream = dial(server.address);
    stream.write_all(&request()[..20]).unwrap();
    assert!(server.program.line().starts_with("Accepted connection"));
    server.program.signal(libc::SIGINT);
    let ended = server.program.end();
    assert_eq!(ended.totals, ["Totals: 1 connections, 0 requests, 20 bytes received, 0 sent, 1 cut when draining"]);
}

#[test]
fn two_threads_share_the_connections_and_say_how() {
    let server = Server::start(&["--threads", "2", "--quiet"]);
    let mut streams: Vec<TcpStream> = (0..200).map(|_| dial(server.address)).collect();
    streams.iter_mut().enumerate().for_each(|(n, stream)| exchange(stream, n.to_string().as_bytes()));
    drop(streams);
    server.program.signal(libc::SIGINT);
    let totals = server.program.end().totals;
    assert!(totals[0].starts_with("Totals: 200 connections, "), "{totals:?}");
    let shares = totals[1].strip_prefix("Spread over 2 threads: ").unwrap().strip_suffix(" connections").unwrap();
    let shares: Vec<usize> = shares.split(" + ").map(|share| share.parse().unwrap()).collect();
    // That none of 200 hashes is odd, or even, does not happen.
    assert!(shares.len() == 2 && shares.iter().sum::<usize>() == 200 && !shares.contains(&0), "{shares:?}");
}

#[test]
fn threads_end_together_after_the_connections_that_were_asked_for() {
    let server = Server::start(&["--threads", "3", "--once", "20", "--quiet"]);
    client(server.address, 20, &["--quiet"]).succeed();
    let ended = server.program.end();
    assert!(ended.status == Some(0) && ended.totals[0].starts_with("Totals: 20 connections, "), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn threads_stay_on_the_processors_they_were_given() {
    let server = Server::start(&["--threads", "2", "--cpus", "0", "--quiet"]);
    // The first exchange comes after both were pinned, or the other thread's is still to come.
    exchange(&mut dial(server.address), b"x");
    let allowed = |task: &std::path::Path| {
        let status = std::fs::read_to_string(task.join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.map(|list| list.trim().to_owned())
    };
    await_that("both loops are pinned", || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", server.program.pid())).unwrap();
        let lists: Vec<_> = tasks.filter_map(|task| allowed(&task.unwrap().path())).collect();
        lists.iter().filter(|list| *list == "0").count() >= 2
    });
    server.program.interrupt();
}

#[test]
fn what_threads_cannot_do_is_refused() {
    for (options, expected) in [
        (&["unix:/tmp/selkey-not-made.sock", "--threads", "2"][..], "cannot share a Unix-domain address"),
        (&["--threads", "0"], "invalid value '0'"),
        (&["--cpus", "x"], "invalid value 'x'"),
    ] {
        let ended = Program::start(&[&["multiconn-server"], options].concat()).end();
        assert!(ended.status == Some(2) && ended.errors[0].contains(expected), "{ended:?}");
        assert_eq!(ended.errors.len(), 1);
    }
    let ended = Program::start(&["multiconn-server", "127.0.0.1", "0", "--cpus", "1023"]).end();
    assert!(ended.status == Some(1), "{ended:?}");
    assert!(ended.errors[0].starts_with("error: cannot keep a thread on processor 1023"), "{ended:?}");
}
