//! What is lent and what is written arrives in order, also when the kernel takes only a part.

use std::io::{Read, Write};
use std::ops::Range;
use std::{fmt, io};

use super::support::{Numbers, Server, ask, assert_same, connect, narrow, pattern, read};
use crate::harness::again;
use selkey::{Flow, Out, Protocol, from_fn};

/// A part of an answer.
enum Part {
    Lent(Range<usize>),
    Written(Range<usize>),
    /// From outside the input.
    Lasting(&'static [u8]),
}

static LASTING: [u8; 2000] = [b'-'; 2000];

/// Some parts of an input of that length: neighbours, gaps, empty ones, the same bytes twice, backwards.
fn recipe(len: usize, parts: usize, seed: u64) -> Vec<Part> {
    let mut numbers = Numbers(seed + 77);
    let mut at = 0;
    let part = |_| {
        let from = if numbers.below(3) == 0 { numbers.below(len) } else { at };
        let to = (from + numbers.below(2 * len / parts + 2)).min(len);
        at = to % len;
        match numbers.below(8) {
            0 => Part::Lasting(&LASTING[..numbers.below(300)]),
            1 | 2 => Part::Written(from..to),
            _ => Part::Lent(from..to),
        }
    };
    (0..parts).map(part).collect()
}

fn expected(input: &[u8], recipe: &[Part]) -> Vec<u8> {
    let bytes = recipe.iter().flat_map(|part| match part {
        Part::Lent(range) | Part::Written(range) => &input[range.clone()],
        Part::Lasting(bytes) => bytes,
    });
    bytes.copied().collect()
}

/// Answers each message of `len` bytes by the next recipe.
struct Cook {
    len: usize,
    parts: usize,
    seed: u64,
}

impl Protocol for Cook {
    fn open(&mut self, _out: &mut Out<'_, '_>) -> Flow {
        Flow::More { used: 0, need: self.len }
    }
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        for part in recipe(self.len, self.parts, self.seed) {
            match part {
                Part::Lent(range) => out.lend(&input[range]),
                Part::Written(range) => out.write(&input[range]),
                Part::Lasting(bytes) => out.lend(bytes),
            }
        }
        self.seed += 1;
        Flow::More { used: self.len, need: self.len }
    }
}

#[test]
fn lent_and_written_pieces_arrive_in_order() {
    let server = Server::start(|_| {
        from_fn(|input, out| {
            let (a, b, c) = (&input[..1], &input[1..2], &input[2..3]);
            out.lend(a); // neighbours
            out.lend(b);
            out.write(b"[");
            out.lend(c);
            out.lend(a); // not neighbours
            out.lend(&[]);
            out.lend(b"static");
            out.lend(c);
            out.write(b"]");
            out.write(b"!");
            out.lend(input);
            Flow::used(input.len())
        })
    });
    let mut client = server.client();
    for _ in 0..3 {
        client.write_all(b"abc").unwrap();
        let answer = b"ab[castaticc]!abc";
        assert_eq!(read(&mut client, answer.len()), answer);
    }
}

#[test]
fn any_mixture_of_pieces_arrives_in_order() {
    const LEN: usize = 5000;
    for parts in [1, 2, 15, 16, 17, 33, 400] {
        let server = Server::start(move |_| Cook { len: LEN, parts, seed: 0 });
        let mut client = server.client();
        for seed in 0..20 {
            let message = pattern(LEN, seed);
            client.write_all(&message).unwrap();
            let answer = expected(&message, &recipe(LEN, parts, seed));
            assert_same(&read(&mut client, answer.len()), &answer);
        }
    }
}

/// Small buffers and a reader that takes a little at a time.
#[test]
fn pieces_of_which_the_kernel_takes_only_a_part_arrive_in_order() {
    const LEN: usize = 60_000;
    for parts in [1, 7, 100] {
        let server = Server::start(move |socket| {
            narrow(socket);
            Cook { len: LEN, parts, seed: 0 }
        });
        let mut client = connect(server.address);
        narrow(&client);
        let mut answers = Vec::new();
        let mut writer = client.try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            for seed in 0..8 {
                writer.write_all(&pattern(LEN, seed)).unwrap();
            }
        });
        for seed in 0..8 {
            answers.extend(expected(&pattern(LEN, seed), &recipe(LEN, parts, seed)));
        }
        let mut got = Vec::new();
        let mut little = [0; 1777];
        while got.len() < answers.len() {
            let n = again(|| client.read(&mut little)).unwrap();
            assert_ne!(n, 0, "closed after {} of {} bytes", got.len(), answers.len());
            got.extend_from_slice(&little[..n]);
        }
        sender.join().unwrap();
        assert_same(&got, &answers);
    }
}

#[test]
fn what_is_printed_is_sent() {
    let server = Server::start(|_| {
        from_fn(|input, out| {
            fmt::Write::write_fmt(out, format_args!("{} bytes, ", input.len())).unwrap();
            io::Write::write_all(out, b"that is ").unwrap();
            io::Write::flush(out).unwrap();
            out.lend(input);
            Flow::used(input.len())
        })
    });
    let mut client = server.client();
    client.write_all(b"all").unwrap();
    let answer = b"3 bytes, that is all";
    assert_eq!(read(&mut client, answer.len()), answer);
}

#[test]
fn what_is_queued_is_counted() {
    let server = Server::start(|_| {
        from_fn(|input, out| {
            assert_eq!((out.queued(), out.is_full()), (0, false));
            out.lend(&input[..2]);
            assert_eq!(out.queued(), 2);
            out.write(&[0; 100]);
            out.lend(&input[..1]);
            assert_eq!(out.queued(), 103);
            out.write(&[0; (64 << 10) - 104]);
            assert!(!out.is_full());
            out.write(&[0]);
            assert!(out.is_full());
            Flow::used(input.len())
        })
    });
    let mut client = server.client();
    for _ in 0..2 {
        client.write_all(b"ab").unwrap();
        assert_eq!(read(&mut client, 64 << 10).len(), 64 << 10);
    }
    assert_eq!(ask(&mut client, b"cd").len(), 2);
}
