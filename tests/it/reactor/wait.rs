//! A protocol that is not read until it is poked, one that says that it sends no more, one that is told when its output is gone, and one that is busy.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use selkey::{Deadline, Flow, Limits, Out, Protocol, Reactor};

use super::support::{Log, assert_same, connect, logged, narrow, patient, pattern, read_all, turning};
use crate::harness::tcp_pair;

/// Answers each input with the same flow.
struct Plain {
    flow: Flow,
    log: Log,
}

impl Protocol for Plain {
    fn receive<'i>(&mut self, _input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
        self.flow
    }
    fn drained(&mut self) {
        self.log.add("drained");
    }
    fn is_busy(&self) -> bool {
        true
    }
}

#[test]
fn a_protocol_that_waits_is_not_read_until_it_is_poked() {
    let ((ours, theirs), log) = (tcp_pair(), Log::default());
    let mut reactor = Reactor::new().unwrap();
    let key = reactor.adopt(ours, logged(&log, Plain { flow: Flow::Wait, log: log.clone() })).unwrap();
    let (mut reactor, mut peer) = (turning(reactor), patient(theirs));
    peer.write_all(b"one").unwrap();
    reactor.until("it is read", || log.count("receive 3") == 1);
    peer.write_all(b"three").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    for _ in 0..10 {
        reactor.turn_at_once();
    }
    // A poke that is answered so waits on.
    assert!(reactor.poke(key, |_, _| Flow::Wait));
    reactor.turn_at_once();
    assert_eq!(log.lines(), ["open", "receive 3"]);
    assert!(reactor.poke(key, |_, _| Flow::MORE));
    reactor.until("it is read again", || log.count("receive 5") == 1);
    assert!(reactor.poke(key, |_, _| Flow::MORE));
    reactor.until("the end is read", || log.count("drop") == 1);
    assert_eq!(log.count("end 0"), 1);
}

#[test]
fn one_that_waits_has_no_deadline_for_reading() {
    let log = Log::default();
    let told = log.clone();
    let mut limits = Limits::default();
    (limits.idle_timeout, limits.header_timeout) = (Duration::from_millis(300), Duration::from_millis(300));
    let mut reactor = Reactor::new().unwrap();
    reactor.set_limits(limits);
    let mut flows = [Flow::Wait, Flow::used(1)].into_iter();
    let make = move |_: &_| logged(&told, Plain { flow: flows.next().unwrap(), log: told.clone() });
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    let mut reactor = turning(reactor);
    // Whoever waits is silent for longer.
    let mut peers = Vec::new();
    for number in 1..=2 {
        peers.push(connect(address));
        peers[number - 1].write_all(b"x").unwrap();
        reactor.until("it is heard", || log.count("receive 1") == number);
    }
    reactor.until("the other is given up", || log.count("drop") == 1);
    assert_eq!((reactor.stats().connections, reactor.stats().expired(Deadline::Idle)), (1, 1));
}

#[test]
fn one_that_finishes_sends_no_more_but_still_reads() {
    let ((ours, theirs), log) = (tcp_pair(), Log::default());
    narrow(&ours);
    let mut reactor = Reactor::new().unwrap();
    let key = reactor.adopt(ours, logged(&log, Plain { flow: Flow::used(12), log: log.clone() })).unwrap();
    let (mut reactor, mut peer) = (turning(reactor), patient(theirs));
    // More than the kernel takes at once.
    let bytes = pattern(8 << 20, 1);
    reactor.poke(key, |_, out| {
        out.write(&bytes);
        Flow::Finish
    });
    assert_eq!(log.count("drained"), 0);
    let reading = std::thread::spawn(move || (read_all(&mut peer), peer));
    reactor.until("all is sent", || log.count("drained") == 1);
    let (got, mut peer) = reading.join().unwrap();
    assert_same(&got, &bytes);
    peer.write_all(b"still there?").unwrap();
    reactor.until("it is read", || log.count("receive 12") == 1);
    drop(peer);
    reactor.until("it is closed", || log.count("drop") == 1);
    assert_eq!((log.count("end 0"), log.count("failed")), (1, 0), "{:?}", log.lines());
}

#[test]
fn one_that_finishes_after_its_peer_is_closed() {
    let ((ours, theirs), log) = (tcp_pair(), Log::default());
    /// Goes on after the peer's end.
    struct Goes;
    impl Protocol for Goes {
        fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
            Flow::used(input.len())
        }
        fn end(&mut self, _rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
            Flow::MORE
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let key = reactor.adopt(ours, logged(&log, Goes)).unwrap();
    let (mut reactor, mut peer) = (turning(reactor), patient(theirs));
    peer.shutdown(Shutdown::Write).unwrap();
    reactor.until("the end is read", || log.count("end") == 1);
    assert!(reactor.poke(key, |_, out| {
        out.write(b"last");
        Flow::Finish
    }));
    assert_eq!((read_all(&mut peer), log.count("drop")), (b"last".to_vec(), 1));
}

#[test]
fn a_drain_does_not_hang_up_on_one_that_is_busy() {
    let log = Log::default();
    let told = log.clone();
    let mut limits = Limits::default();
    limits.drain_timeout = Duration::from_millis(500);
    let mut reactor = Reactor::new().unwrap();
    reactor.set_limits(limits);
    let make = move |_: &_| logged(&told, Plain { flow: Flow::MORE, log: told.clone() });
    let address = reactor.listen("127.0.0.1:0", make).unwrap();
    let mut reactor = turning(reactor);
    let _peer = connect(address);
    reactor.until("it is accepted", || log.count("open") == 1);
    let start = Instant::now();
    reactor.handle().drain();
    reactor.run_out();
    assert!(start.elapsed() >= Duration::from_millis(500));
    assert_eq!(reactor.stats().expired(Deadline::Drain), 1);
}
