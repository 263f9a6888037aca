//! Ends that have a deadline: dials, draining, the wait for the peer's end after our last word.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use selkey::backend::DefaultBackend;
use selkey::socket::{Address, Socket};
use selkey::{Deadline, Flow, Out, Protocol, Reactor};
use socket2::{Domain, Type};

use super::support::{drip, in_time, limits, ms, scene};
use crate::reactor::support::{Echo, Log, Server, assert_same, connect, logged, narrow, pattern, read_all, turning};

/// A listener whose queue is full and who never accepts: nothing answers there.
struct BlackHole {
    address: SocketAddr,
    _listener: Socket,
    _queued: Vec<TcpStream>,
}

fn black_hole() -> BlackHole {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(client) = TcpStream::connect_timeout(&address, ms(300)) {
        queued.push(client);
        assert!(queued.len() < 100, "a queue of none takes that many");
    }
    BlackHole { address, _listener: listener, _queued: queued }
}

#[test]
fn a_dial_that_nothing_answers_ends_at_the_open_deadline() {
    let hole = black_hole();
    in_time(ms(300), || {
        let log = Log::default();
        let mut reactor = turning(Reactor::new().unwrap());
        reactor.set_limits(limits(|limits| limits.header_timeout = ms(300)));
        let before = Instant::now();
        reactor.dial(hole.address, logged(&log, Echo)).unwrap();
        let after = Instant::now();
        reactor.run_out();
        let at = Instant::now();
        let lines = log.lines();
        assert!(lines[0].starts_with("failed TimedOut: ") && lines[0].contains(&hole.address.to_string()), "{lines:?}");
        assert_eq!(lines[1..], ["drop"]);
        assert_eq!((reactor.stats().expired(Deadline::Open), reactor.stats().failed), (1, 1));
        (before, after, at)
    });
}

#[test]
fn a_dial_that_nothing_answers_goes_on_to_the_next_address() {
    let hole = black_hole();
    let live = TcpListener::bind("127.0.0.1:0").unwrap();
    let log = Log::default();
    let mut reactor = turning(Reactor::new().unwrap());
    reactor.set_limits(limits(|limits| limits.header_timeout = ms(200)));
    let address = Address::from(vec![hole.address, live.local_addr().unwrap()]);
    reactor.dial(address, logged(&log, Echo)).unwrap();
    reactor.until("it is there", || log.count("open") == 1);
    assert_eq!((reactor.stats().expired(Deadline::Open), reactor.stats().failed), (1, 0));
    assert_eq!(reactor.stats().connections, 1);
}

/// What never ends by itself: idle, in a message, taking nothing, dialling.
#[test]
fn what_is_left_when_draining_takes_too_long_is_cut() {
    let hole = black_hole();
    in_time(ms(500), || {
        let log = Log::default();
        let told = log.clone();
        let mut reactor = Reactor::new().unwrap();
        reactor.set_limits(limits(|limits| limits.drain_timeout = ms(500)));
        let make = move |socket: &Socket| {
            narrow(socket);
            logged(&told, Big)
        };
        let address = reactor.listen("127.0.0.1:0", make).unwrap();
        let mut reactor = turning(reactor);
        let [mut idle, mut partial, mut full] = [0; 3].map(|_| connect(address));
        idle.write_all(b"hello").unwrap();
        partial.write_all(b"part").unwrap();
        full.write_all(b"big!!").unwrap();
        reactor.until("all were heard", || log.count("receive 5") == 2 && log.count("receive 4") == 1);
        let dialled = Log::default();
        reactor.dial(hole.address, logged(&dialled, Big)).unwrap();
        let before = Instant::now();
        reactor.handle().drain();
        let after = Instant::now();
        reactor.run_out();
        let at = Instant::now();
        assert_eq!((log.count("expired Drain"), log.count("drop")), (2, 3));
        assert_eq!(reactor.stats().expired(Deadline::Drain), 3);
        let lines = dialled.lines();
        assert!(lines[0].starts_with("failed TimedOut: ") && lines[0].contains(&hole.address.to_string()), "{lines:?}");
        assert_eq!(lines[1..], ["drop"]);
        assert_eq!((reactor.stats().connections, reactor.stats().held), (0, 0));
        assert_eq!(read_all(&mut idle), b"");
        for client in [&mut partial, &mut full] {
            let mut rest = Vec::new();
            assert!(client.read_to_end(&mut rest).is_err(), "cut, not closed");
        }
        (before, after, at)
    });
}

/// Messages of five bytes; answers to one of them more than the kernel takes.
struct Big;

impl Protocol for Big {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        match input {
            b"big!!" => out.write(&vec![7; 16 << 20]),
            _ if input.len() < 5 => return Flow::More { used: 0, need: 5 },
            _ => {}
        }
        Flow::used(input.len())
    }
    /// Too late for a word.
    fn expired(&mut self, _what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        Flow::MORE
    }
}

/// At the first bytes says that it will not have them.
struct Refusing(Vec<u8>);

impl Protocol for Refusing {
    fn receive<'i>(&mut self, _input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        out.write(&self.0);
        Flow::Close
    }
}

const REPLY: usize = 40;

fn refusing() -> Server {
    Server::start(|_| Refusing(pattern(REPLY, 9)))
}

/// Sends 10 MB or what of it is taken.
fn send_10_mb(mut stream: &TcpStream) {
    let bytes = vec![7; 100_000];
    // Lost is what nobody wants to have.
    let _ = (0..100).try_for_each(|_| stream.write_all(&bytes));
}

/// The next bytes, and then no more, or a reset.
fn reads_the_reply(mut stream: &TcpStream) {
    let mut reply = [0; REPLY];
    stream.read_exact(&mut reply).unwrap();
    assert_same(&reply, &pattern(REPLY, 9));
    assert!(!matches!(stream.read(&mut [0]), Ok(1..)));
}

#[test]
fn a_reply_then_close_while_the_peer_is_still_sending_arrives_at_one_that_reads_meanwhile() {
    for _ in 0..5 {
        let server = refusing();
        let client = server.client();
        thread::scope(|scope| {
            scope.spawn(|| send_10_mb(&client));
            reads_the_reply(&client);
        });
    }
}

#[test]
fn a_reply_then_close_while_the_peer_is_still_sending_arrives_at_one_that_reads_afterwards() {
    for _ in 0..5 {
        let server = refusing();
        let client = server.client();
        send_10_mb(&client);
        reads_the_reply(&client);
    }
}

/// Two seconds, which neither a limit nor a byte changes.
#[test]
fn a_peer_that_never_closes_after_our_close_is_waited_for_two_seconds() {
    in_time(ms(2000), || {
        let limits = limits(|limits| (limits.header_timeout, limits.idle_timeout) = (Duration::MAX, ms(100)));
        let mut scene = scene::<_, DefaultBackend>(limits, || Refusing(pattern(REPLY, 9)));
        let mut client = scene.client();
        let before = Instant::now();
        let dripping = drip(&client, ms(50));
        scene.until("the reply", |stats| stats.sent == REPLY as u64);
        let after = Instant::now();
        assert_same(&read_all(&mut client), &pattern(REPLY, 9));
        scene.until("it is gone", |stats| stats.connections == 0);
        let at = Instant::now();
        // No deadline of the protocol's.
        assert!(Deadline::ALL.iter().all(|&what| scene.reactor.stats().expired(what) == 0));
        dripping.join().unwrap();
        (before, after, at)
    });
}

/// A last word that is not taken: the write deadline counts, then a reset.
#[test]
fn a_last_word_that_is_not_taken_is_given_up_at_the_write_deadline() {
    let limits = limits(|limits| limits.write_timeout = ms(300));
    let mut scene = scene::<_, DefaultBackend>(limits, || Refusing(vec![7; 16 << 20]));
    let mut client = scene.client();
    client.write_all(b"x").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    scene.until("it is gone", |stats| stats.connections == 0);
    assert_eq!(scene.reactor.stats().expired(Deadline::Stall), 1);
    assert!(client.read_to_end(&mut Vec::new()).is_err(), "a reset, not an end");
}
