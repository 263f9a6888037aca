//! Draining: whoever waits is accepted, nobody else, and the loop ends with the last connection.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};

use selkey::Reactor;

use super::support::{Echo, Log, ask, connect, logged, read, read_all, turning};
use crate::harness::{alone, await_that};

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
        reactor.handle().drain();
        assert!(reactor.turn().unwrap());
        assert_eq!(log.count("open"), WAITING);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);

        // They are served to their own end.
        for client in &mut clients {
            client.write_all(b"Hello").unwrap();
        }
        reactor.until("all echoes", || log.count("receive") == WAITING);
        for client in &mut clients {
            assert_eq!(read(client, 5), b"Hello");
            client.shutdown(Shutdown::Write).unwrap();
        }
        reactor.run_out();
        assert_eq!(log.count("drop"), WAITING);
        for client in &mut clients {
            assert_eq!(read_all(client), b"");
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

#[test]
fn a_drain_from_another_thread_lets_the_last_connection_finish() {
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", |_| Echo).unwrap();
    let handle = reactor.handle();
    let client = std::thread::spawn(move || {
        let mut client = connect(address);
        assert_eq!(ask(&mut client, b"before"), b"before");
        handle.drain();
        handle.drain();
        await_that("it refuses", || TcpStream::connect(address).is_err());
        assert_eq!(ask(&mut client, b"after"), b"after");
    });
    reactor.run().unwrap();
    client.join().unwrap();
}
