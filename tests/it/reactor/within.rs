//! A turn that waits no longer than asked, and the socket behind a key.

use std::time::{Duration, Instant};

use selkey::socket::peer_name;
use selkey::{Flow, Protocol, Reactor, from_fn};

use crate::harness::{PATIENCE, tcp_pair};

fn deaf() -> Box<dyn Protocol> {
    Box::new(from_fn(|input, _| Flow::used(input.len())))
}

#[test]
fn a_turn_waits_no_longer_than_asked_and_no_shorter() {
    let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new().unwrap();
    assert!(!reactor.turn_within(PATIENCE).unwrap(), "there is nothing to wait for");
    let (ours, _theirs) = tcp_pair();
    reactor.adopt(ours, deaf()).unwrap();
    for time in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(5)] {
        let start = Instant::now();
        // A wake of the loop's own may come first.
        while {
            assert!(reactor.turn_within(time.saturating_sub(start.elapsed())).unwrap());
            start.elapsed() < time
        } {}
        assert!(start.elapsed() >= time && start.elapsed() < PATIENCE);
    }
}

#[test]
fn a_timer_comes_before_a_longer_wait() {
    let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new().unwrap();
    let (ours, _theirs) = tcp_pair();
    reactor.adopt(ours, deaf()).unwrap();
    let (start, handle) = (Instant::now(), reactor.handle());
    reactor.after(Duration::from_millis(1), move |_| handle.stop());
    while reactor.turn_within(PATIENCE).unwrap() {}
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a_key_leads_to_the_socket_while_the_connection_is_there() {
    let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new().unwrap();
    let (ours, theirs) = tcp_pair();
    let key = reactor.adopt(ours, deaf()).unwrap();
    assert_eq!(peer_name(reactor.socket(key).unwrap()), theirs.local_addr().unwrap().to_string());
    drop(theirs);
    while reactor.socket(key).is_some() {
        assert!(reactor.turn().unwrap());
    }
}
