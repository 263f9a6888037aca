//! `Later`: the same rest again once output has drained, without spinning and without hanging.

use std::io::{Read, Write};
use std::net::Shutdown;

use selkey::{Flow, Out, Protocol, Reactor, from_fn};

use super::support::{Log, Server, assert_same, connect, logged, narrow, pattern, read, read_all, turning};
use crate::harness::{again, await_that};

/// Sends what was asked for, as far as there is room, and answers `Later` until it is done.
struct Source {
    bytes: Vec<u8>,
    sent: usize,
    /// Whether the request is used up with the first call.
    forget: bool,
}

impl Source {
    fn new(len: usize, forget: bool) -> Source {
        Source { bytes: pattern(len, 9), sent: 0, forget }
    }

    fn pour(&mut self, offered: usize, out: &mut Out<'_, '_>) -> Flow {
        while self.sent < self.bytes.len() {
            if out.is_full() {
                return Flow::Later { used: if self.forget { offered } else { 0 } };
            }
            let piece = &self.bytes[self.sent..(self.sent + 1500).min(self.bytes.len())];
            out.write(piece);
            self.sent += piece.len();
            assert!(out.queued() < (64 << 10) + 1500, "{} bytes queued", out.queued());
        }
        Flow::Close
    }
}

impl Protocol for Source {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        self.pour(input.len(), out)
    }
}

const LEN: usize = 2 << 20;

fn pours_everything(forget: bool) {
    let server = Server::start(move |socket| {
        narrow(socket);
        Source::new(LEN, forget)
    });
    let mut client = server.client();
    client.write_all(b"go").unwrap();
    assert_same(&read_all(&mut client), &pattern(LEN, 9));
}

#[test]
fn an_answer_larger_than_the_output_is_sent_in_parts() {
    pours_everything(false);
}

/// The rest may be empty: that is offered again too.
#[test]
fn an_answer_larger_than_the_output_is_sent_in_parts_when_the_request_is_used_up() {
    pours_everything(true);
}

/// The same from `open`, before any request.
#[test]
fn later_in_open_is_followed_by_a_receive_without_input() {
    struct Speaker(Source);
    impl Protocol for Speaker {
        fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
            self.0.pour(0, out)
        }
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            self.0.pour(input.len(), out)
        }
    }
    let server = Server::start(|_| Speaker(Source::new(LEN, true)));
    assert_same(&read_all(&mut server.client()), &pattern(LEN, 9));
}

/// The same bytes would be offered for ever.
#[test]
fn later_with_nothing_queued_neither_spins_nor_hangs() {
    let log = Log::default();
    let told = log.clone();
    let server = Server::start(move |_| {
        let patient = from_fn(|input, out| {
            if input.len() < 3 {
                return Flow::Later { used: 0 };
            }
            out.lend(input);
            Flow::Later { used: input.len() }
        });
        logged(&told, patient)
    });
    let mut client = server.client();
    for (sent, calls) in [(&b"a"[..], 1), (b"b", 2)] {
        client.write_all(sent).unwrap();
        await_that("it was called", || log.count("receive") == calls);
    }
    client.write_all(b"c").unwrap();
    assert_eq!(read(&mut client, 3), b"abc");
    client.write_all(b"def").unwrap();
    assert_eq!(read(&mut client, 3), b"def");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"");
    let lines: Vec<_> = log.lines().into_iter().filter(|line| line != "receive 0").collect();
    assert_eq!(lines[..5], ["open", "receive 1", "receive 2", "receive 3", "receive 3"]);
    assert!(log.count("receive 0") <= 2);
}

/// Some is used, nothing is queued, and more lies there: that is progress, and the rest is offered at once.
#[test]
fn later_with_nothing_queued_but_some_used_goes_on() {
    let server = Server::start(|_| {
        from_fn(|input, out| match input {
            [b'.', ..] => {
                out.write(b"dot");
                Flow::used(1)
            }
            [] => Flow::MORE,
            _ => Flow::Later { used: 1 },
        })
    });
    let mut client = server.client();
    client.write_all(b"abcdef.").unwrap();
    assert_eq!(read(&mut client, 3), b"dot");
}

/// A protocol that wants the output empty, not only below a mark.
#[test]
fn later_below_the_low_water_mark_does_not_spin() {
    struct OneAtATime(usize);
    impl Protocol for OneAtATime {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            self.0 += 1;
            assert!(self.0 < 10_000, "it spins");
            if out.queued() > 0 {
                return Flow::Later { used: 0 };
            }
            let Some(&byte) = input.first() else { return Flow::MORE };
            out.write(&[byte; 20_000]);
            Flow::used(1)
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let make = |socket: &selkey::socket::Socket| {
        narrow(socket);
        OneAtATime(0)
    };
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    let mut reactor = turning(reactor);
    let mut client = connect(address);
    narrow(&client);
    client.write_all(b"0123456789").unwrap();
    let reader = std::thread::spawn(move || {
        let mut back = Vec::new();
        let mut bytes = [0; 500];
        while back.len() < 200_000 {
            let n = again(|| client.read(&mut bytes)).unwrap();
            back.extend_from_slice(&bytes[..n]);
        }
        back
    });
    await_that("all is read", || {
        reactor.turn_at_once();
        reader.is_finished()
    });
    let expected: Vec<u8> = b"0123456789".iter().flat_map(|&byte| [byte; 20_000]).collect();
    assert_same(&reader.join().unwrap(), &expected);
}

/// One that always has more to say, to a peer that always reads: the others get their turn.
#[test]
fn later_leaves_the_loop_to_others_between_two_calls() {
    struct Endless(Log);
    impl Protocol for Endless {
        fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
            self.0.add("receive");
            out.lend(&input[..1]);
            Flow::Later { used: 0 }
        }
    }
    let log = Log::default();
    let told = log.clone();
    let mut reactor = Reactor::new().unwrap();
    let address = reactor.listen("127.0.0.1:0", move |_| Endless(told.clone())).unwrap();
    let mut reactor = turning(reactor);
    let mut client = connect(address);
    client.write_all(b"x").unwrap();
    reactor.until("it was called", || log.count("receive") > 0);
    for calls in 2..100 {
        reactor.turn().unwrap();
        assert_eq!(log.count("receive"), calls);
    }
    assert_eq!(read(&mut client, 98), [b'x'; 98]);
}
