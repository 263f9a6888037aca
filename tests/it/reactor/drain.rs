//! Draining: whoever waits is accepted, nobody else, and the loop ends with the last connection.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use selkey::{Deadline, Flow, Limits, Out, Protocol, Reactor};

use super::support::{Echo, Log, connect, logged, read, read_all, turning};
use crate::harness::{again, alone, await_that, unix_pair};

/// A listener closed with connections in its queue: the kernel resets them all. In a process of its own: a child of another test may
/// have a copy of the listener for a moment, which then still takes connections.
#[test]
fn drain_accepts_whoever_waits_in_the_queue_and_then_refuses() {
    alone(concat!(module_path!(), "::drain_accepts_whoever_waits_in_the_queue_and_then_refuses"), || {
        const WAITING: usize = 150;
        let log = Log::default();
        let told = log.clone();
        let mut reactor = Reactor::new().unwrap();
        let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Echo)).unwrap();
        let mut reactor = turning(reactor);
        let mut clients: Vec<TcpStream> = (0..WAITING).map(|_| connect(address)).collect();
        for client in &mut clients {
            client.write_all(b"Hello").unwrap();
        }
        reactor.handle().drain();
        assert!(reactor.turn().unwrap());
        assert_eq!(log.count("open"), WAITING);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);

        // They are served, and hung up on then.
        reactor.run_out();
        assert_eq!((log.count("receive 5"), log.count("drop")), (WAITING, WAITING));
        for client in &mut clients {
            assert_eq!(read_all(client), b"Hello");
        }
    });
}

#[test]
fn a_drain_without_connections_ends_the_loop() {
    let mut reactor = Reactor::new().unwrap();
    reactor.listen("127.0.0.1:0", |_| Echo).unwrap();
    reactor.listen("127.0.0.1:0", |_| Echo).unwrap();
    reactor.handle().drain();
    reactor.run().unwrap();
}

/// Answers each five bytes.
struct Fives;

impl Protocol for Fives {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        if input.len() < 5 {
            return Flow::More { used: 0, need: 5 };
        }
        out.lend(&input[..5]);
        Flow::More { used: 5, need: 5 }
    }
}

#[test]
fn a_message_begun_before_the_drain_is_answered() {
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", |_| Fives).unwrap();
    let handle = reactor.handle();
    let client = std::thread::spawn(move || {
        let mut client = connect(address);
        client.write_all(b"firstse").unwrap();
        assert_eq!(read(&mut client, 5), b"first");
        handle.drain();
        handle.drain();
        await_that("it refuses", || TcpStream::connect(address).is_err());
        client.write_all(b"con").unwrap();
        assert_eq!(read_all(&mut client), b"secon");
    });
    reactor.run().unwrap();
    client.join().unwrap();
}

/// The server still has the connections, the client is in no hurry to close them.
#[test]
fn silent_connections_do_not_hold_a_drain_up() {
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| logged(&told, Echo)).unwrap();
    let mut reactor = turning(reactor);
    let mut clients: Vec<TcpStream> = (0..5).map(|_| connect(address)).collect();
    reactor.until("all are accepted", || log.count("open") == 5);
    reactor.handle().drain();
    reactor.run_out();
    assert!(reactor.stats().connections == 0 && log.count("drop") == 5);
    clients.iter_mut().for_each(|client| assert_eq!(read_all(client), b""));
}

#[test]
fn what_is_left_when_draining_has_lasted_long_enough_is_cut_and_counted() {
    let mut reactor = Reactor::new().unwrap();
    let mut limits = Limits::default();
    limits.drain_timeout = Duration::from_millis(300);
    reactor.set_limits(limits);
    let address = reactor.listen("127.0.0.1:0", |_| Fives).unwrap();
    let mut reactor = turning(reactor);
    let mut client = connect(address);
    client.write_all(b"part").unwrap();
    while reactor.stats().received < 4 {
        assert!(reactor.turn().unwrap());
    }
    let start = Instant::now();
    reactor.handle().drain();
    reactor.run_out();
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(reactor.stats().expired(Deadline::Drain), 1);
    assert_eq!(again(|| client.read(&mut [0])).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// An adopted stream is a signal or the like.
#[test]
fn adopted_connections_do_not_hold_a_drain_up() {
    let (ours, _theirs) = unix_pair();
    let mut reactor = Reactor::new().unwrap();
    reactor.adopt(ours, Echo).unwrap();
    reactor.handle().drain();
    reactor.run().unwrap();
}
