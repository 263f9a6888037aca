//! A client that sends and never reads: little is held, the others go on, and every byte comes once it reads.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use selkey::{Flow, Out, Protocol, Reactor};

use super::quiet::busy;
use super::support::{Turning, assert_same, connect, narrow, turning};
use crate::harness::{PATIENCE, again};

/// Above the high-water mark nothing is received any more, and one receive brings no more than the mark.
const BOUND: usize = 2 * MARK;

/// The high-water mark.
const MARK: usize = 64 << 10;

/// What the connections of a loop came to.
#[derive(Default)]
struct Seen {
    received: usize,
    most_queued: usize,
}

/// An echo that looks at what is queued.
struct Watching {
    /// Whether it answers `Later` when the output is full, or relies on the loop.
    polite: bool,
    seen: Rc<RefCell<Seen>>,
}

impl Protocol for Watching {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        let mut seen = self.seen.borrow_mut();
        seen.most_queued = seen.most_queued.max(out.queued());
        if self.polite && out.is_full() {
            return Flow::Later { used: 0 };
        }
        let part = if self.polite { &input[..input.len().min(1000)] } else { input };
        out.lend(part);
        seen.received += part.len();
        seen.most_queued = seen.most_queued.max(out.queued());
        Flow::used(part.len())
    }
}

/// The n-th byte of what a flooding client sends.
fn byte_at(n: usize) -> u8 {
    (n ^ (n >> 8) ^ (n >> 16)) as u8
}

/// Sends what the kernel takes; answers whether that was anything.
fn flood(client: &mut TcpStream, sent: &mut usize) -> bool {
    let before = *sent;
    loop {
        let bytes: Vec<u8> = (*sent..*sent + 8192).map(byte_at).collect();
        match client.write(&bytes) {
            Ok(n) => *sent += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return *sent > before,
            Err(error) => panic!("{error}"),
        }
    }
}

fn a_flood(polite: bool) -> (Turning<Reactor<Watching>>, TcpStream, usize, Rc<RefCell<Seen>>, std::net::SocketAddr) {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let told = seen.clone();
    let mut reactor = Reactor::new().unwrap();
    let make = move |socket: &selkey::socket::Socket| {
        narrow(socket);
        Watching { polite, seen: told.clone() }
    };
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    let mut reactor = turning(reactor);
    let mut client = connect(address);
    narrow(&client);
    client.set_nonblocking(true).unwrap();
    let mut sent = 0;
    // What is on its way in the kernel may take a moment: full is the output when nothing has moved for a while.
    let (mut still, start) = (0, Instant::now());
    while still < 200 || seen.borrow().most_queued < MARK {
        assert!(start.elapsed() < PATIENCE && seen.borrow().most_queued <= BOUND, "reading does not pause");
        let received = seen.borrow().received;
        let moved = flood(&mut client, &mut sent);
        reactor.turn_at_once();
        thread::yield_now();
        still = if moved || seen.borrow().received > received { 0 } else { still + 1 };
    }
    (reactor, client, sent, seen, address)
}

fn holds_little_and_resumes(polite: bool) {
    let (mut reactor, mut client, mut sent, seen, address) = a_flood(polite);
    let (received, most) = (seen.borrow().received, seen.borrow().most_queued);
    assert!(most <= BOUND, "{most} bytes queued");
    assert!(received < sent, "everything was read: {received} of {sent}");

    // The others do not notice.
    let mut other = connect(address);
    for _ in 0..3 {
        other.write_all(b"Hello").unwrap();
        let before = seen.borrow().received;
        reactor.until("another's echo", || seen.borrow().received >= before + 5);
        let mut bytes = [0; 5];
        other.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"Hello");
    }

    // Reads, and sends on, until as much again has come back.
    let goal = sent + 500_000;
    let mut back = Vec::new();
    let mut bytes = [0; 3000];
    while back.len() < goal {
        if sent < goal {
            flood(&mut client, &mut sent);
        }
        match again(|| client.read(&mut bytes)) {
            Ok(n) => back.extend_from_slice(&bytes[..n]),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                reactor.turn_at_once();
            }
        }
        assert!(seen.borrow().most_queued <= BOUND);
    }
    let expected: Vec<u8> = (0..back.len()).map(byte_at).collect();
    assert_same(&back, &expected);
}

/// Memory without limit, quadratic slicing: not here.
#[test]
fn a_client_that_never_reads_fills_no_memory_of_a_protocol_that_says_later() {
    holds_little_and_resumes(true);
}

#[test]
fn a_client_that_never_reads_fills_no_memory_of_a_protocol_that_does_not_care() {
    holds_little_and_resumes(false);
}

/// While it stands still, nothing of it is ready.
#[test]
fn a_client_that_never_reads_costs_no_processor_time() {
    let (mut reactor, _client, _, seen, address) = a_flood(true);
    let mut other = connect(address);
    let before = seen.borrow().received;
    other.write_all(b"x").unwrap();
    reactor.until("another's byte", || seen.borrow().received > before);
    let part = busy(&mut reactor, Duration::from_millis(500));
    assert!(part < 0.05, "{part}");
}
