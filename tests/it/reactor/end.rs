//! The peer sends no more: what is unfinished, what may still be said, and how often.

use std::cell::Cell;
use std::io::Write;
use std::net::Shutdown;
use std::rc::Rc;

use selkey::{Flow, Key, Out, Protocol, Reactor};

use super::support::{
    Echo, Log, Server, Turning, assert_same, connect, logged, narrow, pattern, read, read_all, turning,
};
use crate::harness::await_that;

/// Closed inside a message: the protocol is told what is unfinished, and can answer.
#[test]
fn a_half_close_with_an_unfinished_rest_is_answered() {
    struct Ten;
    impl Protocol for Ten {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            if input.len() < 10 {
                return Flow::More { used: 0, need: 10 };
            }
            out.lend(&input[..10]);
            Flow::used(10)
        }
        fn end(&mut self, rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
            out.write(b"unfinished: ");
            out.write(rest);
            Flow::Close
        }
    }
    let server = Server::start(|_| Ten);
    let mut client = server.client();
    client.write_all(b"0123456789abcdefg").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"0123456789unfinished: abcdefg");
}

/// A peer that closes between messages is a normal end.
#[test]
fn a_close_between_messages_is_an_end_with_no_rest() {
    let log = Log::default();
    let told = log.clone();
    let server = Server::start(move |_| logged(&told, Echo));
    let mut client = server.client();
    client.write_all(b"last").unwrap();
    assert_eq!(read(&mut client, 4), b"last");
    drop(client);
    await_that("it is dropped", || log.count("drop") == 1);
    assert_eq!(log.lines(), ["open", "receive 4", "end 0", "drop"]);
}

#[test]
fn a_close_without_a_byte_is_an_end() {
    let log = Log::default();
    let told = log.clone();
    let server = Server::start(move |_| logged(&told, Echo));
    drop(server.client());
    await_that("it is dropped", || log.count("drop") == 1);
    assert_eq!(log.lines(), ["open", "end 0", "drop"]);
}

/// Says where it is, and goes on speaking after the peer's end.
struct Lasting {
    key: Rc<Cell<Option<Key>>>,
}

impl Protocol for Lasting {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        self.key.set(Some(out.key()));
        Flow::MORE
    }
    fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
        Flow::used(input.len())
    }
    fn end(&mut self, _rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
        Flow::MORE
    }
}

type Logged = super::support::Logged<Lasting>;

/// A connection whose peer has sent its end, with `More` for an answer.
fn ended() -> (Turning<Reactor<Logged>>, std::net::TcpStream, Key, Log) {
    let (log, key) = (Log::default(), Rc::new(Cell::new(None)));
    let (told, shared) = (log.clone(), key.clone());
    let mut reactor = Reactor::new().unwrap();
    let make = move |socket: &selkey::socket::Socket| {
        narrow(socket);
        logged(&told, Lasting { key: shared.clone() })
    };
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    let mut reactor = turning(reactor);
    let client = connect(address);
    client.shutdown(Shutdown::Write).unwrap();
    reactor.until("the end", || log.count("end") == 1);
    let key = key.get().unwrap();
    (reactor, client, key, log)
}

#[test]
fn after_an_end_answered_by_more_a_poke_still_sends() {
    let (mut reactor, mut client, key, log) = ended();
    for word in ["first", "second"] {
        assert!(reactor.poke(key, |_, out| {
            out.write(word.as_bytes());
            Flow::MORE
        }));
        assert_eq!(read(&mut client, word.len()), word.as_bytes());
    }
    reactor.turn_at_once();
    assert_eq!(log.lines(), ["open", "end 0"]);
    assert!(reactor.poke(key, |_, out| {
        out.write(b"last");
        Flow::Close
    }));
    assert_eq!(read_all(&mut client), b"last");
    assert_eq!(log.lines(), ["open", "end 0", "drop"]);
    assert!(!reactor.poke(key, |_, _| unreachable!()));
}

/// The output's draining is no second end.
#[test]
fn an_end_comes_once_though_a_poke_fills_the_output_after_it() {
    let (mut reactor, mut client, key, log) = ended();
    let bytes = pattern(1 << 20, 4);
    assert!(reactor.poke(key, |_, out| {
        out.write(&bytes);
        assert!(out.is_full());
        Flow::MORE
    }));
    let reader = std::thread::spawn(move || {
        let back = read(&mut client, 1 << 20);
        (back, client)
    });
    await_that("it has drained", || {
        reactor.turn_at_once();
        reader.is_finished()
    });
    let (back, mut client) = reader.join().unwrap();
    assert_same(&back, &bytes);
    reactor.turn_at_once();
    assert_eq!(log.lines(), ["open", "end 0"]);
    assert!(reactor.poke(key, |_, _| Flow::Close));
    assert_eq!(read_all(&mut client), b"");
}

/// A long last answer, in parts, after the request's end.
#[test]
fn an_end_answered_by_later_comes_again_after_the_drain() {
    const LEN: usize = 1 << 20;
    struct Report {
        bytes: Vec<u8>,
        sent: usize,
    }
    impl Protocol for Report {
        fn receive<'i>(&mut self, _input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            Flow::More { used: 0, need: usize::MAX }
        }
        fn end(&mut self, rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
            assert_eq!(rest, b"report", "the same rest each time");
            while self.sent < LEN {
                if out.is_full() {
                    return Flow::Later { used: 0 };
                }
                let piece = &self.bytes[self.sent..(self.sent + 5000).min(LEN)];
                out.write(piece);
                self.sent += piece.len();
            }
            out.write(rest);
            Flow::Close
        }
    }
    let log = Log::default();
    let told = log.clone();
    let server = Server::start(move |socket| {
        narrow(socket);
        logged(&told, Report { bytes: pattern(LEN, 5), sent: 0 })
    });
    let mut client = server.client();
    client.write_all(b"report").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut expected = pattern(LEN, 5);
    expected.extend_from_slice(b"report");
    assert_same(&read_all(&mut client), &expected);
    assert!(log.count("end 6") > 10);
}

/// There is nothing to wait for, so it is a close.
#[test]
fn an_end_answered_by_later_with_nothing_queued_closes() {
    struct Undecided;
    impl Protocol for Undecided {
        fn receive<'i>(&mut self, _input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            Flow::MORE
        }
        fn end(&mut self, _rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
            Flow::Later { used: 0 }
        }
    }
    let server = Server::start(|_| Undecided);
    let mut client = server.client();
    client.write_all(b"?").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"");
}

/// What was put off comes before the end, although both lie there.
#[test]
fn requests_that_wait_for_the_output_come_before_the_end() {
    struct Big;
    impl Protocol for Big {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            if out.is_full() {
                return Flow::Later { used: 0 };
            }
            out.write(&[input[0]; 50_000]);
            Flow::used(1)
        }
        fn end(&mut self, _rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
            out.write(b"end");
            Flow::Close
        }
    }
    let server = Server::start(|socket| {
        narrow(socket);
        Big
    });
    let mut client = server.client();
    let requests = b"abcdefghijklmnopqrstuvwxyz";
    client.write_all(requests).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut expected: Vec<u8> = requests.iter().flat_map(|&byte| [byte; 50_000]).collect();
    expected.extend_from_slice(b"end");
    assert_same(&read_all(&mut client), &expected);
}
