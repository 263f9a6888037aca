//! What a loop counts, to the byte.

use std::io::Write;
use std::net::Shutdown;

use selkey::backend::{Backend, DefaultBackend, Poll};
use selkey::{Deadline, Flow, Limits, Reactor, from_fn};

use super::support::{Framed, Scene, limits, ms, scene};
use crate::harness::alone;
use crate::reactor::support::{Echo, Log, logged, read, reset, turning};

fn a_small_scene<B: Backend>() {
    let mut scene: Scene<Framed, B> = scene(Limits::default(), || Framed::of(10));
    let stats = scene.reactor.stats();
    assert_eq!((stats.connections, stats.accepted, stats.requests, stats.received, stats.sent), (0, 0, 0, 0, 0));
    let (mut first, mut second, third) = (scene.client(), scene.client(), scene.client());
    // Three messages in one piece, and a part.
    first.write_all(b"0123456789abcdefghijABCDEFGHIJrest").unwrap();
    scene.until("all is received", |stats| stats.received == 34);
    let stats = scene.reactor.stats();
    assert_eq!((stats.connections, stats.accepted, stats.requests, stats.sent), (3, 3, 3, 30));
    let held = stats.held;
    assert!((4..1000).contains(&held), "{held}");
    // A part alone, and its rest.
    second.write_all(b"01234").unwrap();
    scene.until("a part", |stats| stats.received == 39);
    assert_eq!(scene.reactor.stats().requests, 3);
    second.write_all(b"56789").unwrap();
    scene.until("its rest", |stats| stats.received == 44);
    let stats = scene.reactor.stats();
    assert_eq!((stats.requests, stats.sent, stats.held), (4, 40, held));
    // One ends inside a message, one between two, one is reset.
    first.shutdown(Shutdown::Write).unwrap();
    scene.until("one has ended", |stats| stats.connections == 2);
    assert_eq!((scene.reactor.stats().requests, scene.reactor.stats().held), (4, 0));
    // A close with unread bytes would be a reset.
    assert_eq!(read(&mut second, 10), b"0123456789");
    drop(second);
    scene.until("two have ended", |stats| stats.connections == 1);
    assert_eq!(scene.reactor.stats().reset, 0);
    reset(third);
    scene.until("all have ended", |stats| stats.connections == 0);
    let stats = scene.reactor.stats();
    assert_eq!((stats.accepted, stats.requests, stats.received, stats.sent, stats.held), (3, 4, 44, 40, 0));
    assert_eq!((stats.reset, stats.failed, stats.refused, stats.overfull), (1, 0, 0, 0));
    assert_eq!((stats.starved, stats.turned_away), (0, 0));
    assert!(Deadline::ALL.iter().all(|&what| stats.expired(what) == 0));
}

#[test]
fn a_small_scene_is_counted_to_the_byte() {
    alone(concat!(module_path!(), "::a_small_scene_is_counted_to_the_byte"), a_small_scene::<DefaultBackend>);
}

#[test]
fn a_small_scene_is_counted_to_the_byte_over_poll() {
    alone(concat!(module_path!(), "::a_small_scene_is_counted_to_the_byte_over_poll"), a_small_scene::<Poll>);
}

#[test]
fn each_deadline_is_counted_where_it_belongs() {
    let mut scene = scene::<_, DefaultBackend>(Limits::default(), || Framed::of(10));
    let (_silent, mut idle, mut partial) = (scene.client(), scene.client(), scene.client());
    scene.ask(&mut idle, b"0123456789");
    partial.write_all(b"part").unwrap();
    scene.until("a part", |stats| stats.received == 14);
    scene.reactor.set_limits(limits(|limits| (limits.header_timeout, limits.idle_timeout) = (ms(100), ms(100))));
    scene.until("all have passed", |stats| Deadline::ALL.iter().map(|&what| stats.expired(what)).sum::<u64>() == 3);
    let stats = scene.reactor.stats();
    assert_eq!(Deadline::ALL.map(|what| stats.expired(what)), [1, 1, 1, 0, 0]);
}

#[test]
fn a_dial_that_is_refused_is_counted_as_failed() {
    alone(concat!(module_path!(), "::a_dial_that_is_refused_is_counted_as_failed"), || {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = Log::default();
        let mut reactor = turning(Reactor::new().unwrap());
        reactor.dial(nobody, logged(&log, Echo)).unwrap();
        assert_eq!(reactor.stats().connections, 1);
        reactor.run_out();
        let stats = reactor.stats();
        assert_eq!((stats.connections, stats.failed, stats.reset, log.count("failed")), (0, 1, 0, 1));
    });
}

/// Output that waits is held, and no more so when it was taken.
#[test]
fn what_waits_to_be_sent_is_held_until_it_was_taken() {
    let mut scene = scene::<_, DefaultBackend>(Limits::default(), || {
        from_fn(|input, out| {
            out.write(&vec![7; 8 << 20]);
            Flow::used(input.len())
        })
    });
    let mut client = scene.client();
    client.write_all(b"x").unwrap();
    scene.until("an answer waits", |stats| stats.requests == 1);
    let stats = scene.reactor.stats();
    let waiting = (8 << 20) - stats.sent as usize;
    assert!(waiting > 0 && stats.held >= waiting, "{} held, {waiting} wait", stats.held);
    let reader = std::thread::spawn(move || read(&mut client, 8 << 20).len());
    scene.until("it was taken", |stats| stats.held == 0);
    assert_eq!(scene.reactor.stats().sent, 8 << 20);
    assert_eq!(reader.join().unwrap(), 8 << 20);
}
