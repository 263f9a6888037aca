//! Ends of our own making: a close that loses no last word, an abort that loses all.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use selkey::{Flow, Out, Protocol};

use super::support::{Log, Server, assert_same, logged, narrow, pattern, read_all};
use crate::harness::{again, await_that};

/// At the first byte says its last word.
struct LastWord(Vec<u8>);

impl Protocol for LastWord {
    fn receive<'i>(&mut self, _input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        out.write(&self.0);
        Flow::Close
    }
}

/// Reads to the end, or to the reset that ends a discarding that took too long.
fn read_to_any_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        match again(|| stream.read(&mut bytes)) {
            Ok(0) => return got,
            Ok(n) => got.extend_from_slice(&bytes[..n]),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                return got;
            }
        }
    }
}

/// Sends 10 MB, or what of it is taken.
fn send_on(mut stream: &TcpStream) {
    let bytes = vec![7; 64 << 10];
    for _ in 0..160 {
        if let Err(error) = stream.write_all(&bytes) {
            let kind = error.kind();
            assert!(matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{error}");
            return;
        }
    }
}

/// Reply, then close while the peer is still sending: a close with unread bytes is a reset, and a reset destroys what was not read.
fn the_last_word_arrives(len: usize) {
    let server = Server::start(move |_| LastWord(pattern(len, 6)));
    let mut client = server.client();
    let got = thread::scope(|scope| {
        let sender = client.try_clone().unwrap();
        scope.spawn(move || send_on(&sender));
        read_to_any_end(&mut client)
    });
    assert_same(&got, &pattern(len, 6));
}

#[test]
fn a_last_word_arrives_while_the_peer_is_still_sending() {
    the_last_word_arrives(20);
}

/// More than the kernel takes at once.
#[test]
fn a_long_last_word_arrives_while_the_peer_is_still_sending() {
    the_last_word_arrives(8 << 20);
}

/// The peer sends fast and reads late: what the kernel still holds of ours must outlive the discarding.
#[test]
fn a_last_word_arrives_at_a_peer_that_reads_late() {
    const LEN: usize = 2 << 20;
    let server = Server::start(|_| LastWord(pattern(LEN, 7)));
    let mut client = server.client();
    narrow(&client);
    client.set_write_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let bytes = vec![7; 64 << 10];
    for _ in 0..160 {
        match client.write(&bytes) {
            Ok(_) => {}
            // Nobody takes more, which is right as well.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_same(&read_to_any_end(&mut client), &pattern(LEN, 7));
}

#[test]
fn a_closed_connection_goes_when_the_peer_closes_too() {
    let log = Log::default();
    let told = log.clone();
    let server = Server::start(move |_| logged(&told, LastWord(b"bye".to_vec())));
    let mut client = server.client();
    client.write_all(b"x").unwrap();
    assert_eq!(read_all(&mut client), b"bye");
    client.write_all(b"nobody hears this").unwrap();
    assert_eq!(log.count("drop"), 0);
    client.shutdown(Shutdown::Write).unwrap();
    await_that("it is dropped", || log.count("drop") == 1);
    assert_eq!(log.lines(), ["open", "receive 1", "drop"]);
}

#[test]
fn a_protocol_may_close_before_a_byte_came() {
    struct Busy;
    impl Protocol for Busy {
        fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
            out.write(b"too busy");
            Flow::Close
        }
        fn receive<'i>(&mut self, _input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            unreachable!("it has closed")
        }
        fn end(&mut self, _rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
            unreachable!("it has closed")
        }
    }
    let server = Server::start(|_| Busy);
    for _ in 0..20 {
        let mut client = server.client();
        client.write_all(b"request").unwrap();
        assert_eq!(read_all(&mut client), b"too busy");
    }
}

#[test]
fn open_speaks_first() {
    struct Greeting;
    impl Protocol for Greeting {
        fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
            assert_eq!(out.queued(), 0);
            out.lend(b"Welcome");
            Flow::MORE
        }
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            out.lend(input);
            Flow::Close
        }
    }
    let server = Server::start(|_| Greeting);
    let mut client = server.client();
    assert_eq!(super::support::read(&mut client, 7), b"Welcome");
    client.write_all(b"thanks").unwrap();
    assert_eq!(read_all(&mut client), b"thanks");
}

#[test]
fn an_abort_is_a_reset_and_forgets_what_was_queued() {
    struct Rude;
    impl Protocol for Rude {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            out.lend(input);
            out.write(b"never sent");
            Flow::Abort
        }
    }
    let log = Log::default();
    let told = log.clone();
    let server = Server::start(move |_| logged(&told, Rude));
    let mut client = server.client();
    client.write_all(b"x").unwrap();
    let error = again(|| client.read(&mut [0; 100])).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    await_that("it is dropped", || log.count("drop") == 1);
    assert_eq!(log.lines(), ["open", "receive 1", "drop"]);
}
