//! More clients than there is room for, and how many are accepted at a time.

use std::io::Write;
use std::net::TcpStream;

use selkey::backend::{Backend, DefaultBackend, Poll};
use selkey::{Flow, Limits, Out, Protocol};

use super::support::{Scene, limits, scene};
use crate::reactor::support::{Echo, connect, read, read_all};

/// How many are told at a time that they are too many.
const TOLD: usize = 32;

/// An echo that says why it refuses.
struct Polite;

impl Protocol for Polite {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        Echo.receive(input, out)
    }
    fn refuse(&mut self, out: &mut Out<'_, '_>) -> Flow {
        out.write(b"full");
        // Whatever it answers.
        Flow::MORE
    }
}

fn polite<B: Backend>(change: impl FnOnce(&mut Limits)) -> Scene<Polite, B> {
    scene(limits(change), || Polite)
}

fn whoever_is_too_many<B: Backend>() {
    let mut scene = polite::<B>(|limits| limits.max_connections = 2);
    let (mut first, mut second) = (scene.client(), scene.client());
    for round in 1..=3 {
        let mut third = scene.client();
        assert_eq!(read_all(&mut third), b"full");
        assert_eq!((scene.reactor.stats().refused, scene.reactor.stats().accepted), (round, 2 + round));
        // Those inside do not notice.
        scene.ask(&mut first, b"first");
        scene.ask(&mut second, b"second");
        drop(third);
        scene.until("it is gone", |stats| stats.connections == 2);
    }
    drop(first);
    scene.until("one has left", |stats| stats.connections == 1);
    let mut next = scene.client();
    scene.ask(&mut next, b"next");
    assert_eq!(scene.reactor.stats().refused, 3);
}

#[test]
fn whoever_is_too_many_is_told_so_and_accepted_when_one_has_left() {
    whoever_is_too_many::<DefaultBackend>();
}

#[test]
fn whoever_is_too_many_is_told_so_and_accepted_when_one_has_left_over_poll() {
    whoever_is_too_many::<Poll>();
}

/// They would need descriptors; the crowd is closed at once.
#[test]
fn of_a_crowd_that_is_too_many_some_are_told_and_the_rest_closed() {
    let mut scene = polite::<DefaultBackend>(|limits| limits.max_connections = 1);
    let mut inside = scene.client();
    let mut crowd: Vec<TcpStream> = (0..50).map(|_| connect(scene.address)).collect();
    scene.until("all are accepted", |stats| stats.accepted == 51);
    assert_eq!((scene.reactor.stats().refused, scene.reactor.stats().connections), (50, 1 + TOLD));
    let told = crowd.iter_mut().map(read_all).filter(|word| word == b"full").count();
    assert_eq!(told, TOLD);
    drop(crowd);
    scene.until("they are gone", |stats| stats.connections == 1);
    // Those that are told take nobody's place.
    let mut another = scene.client();
    assert_eq!(read_all(&mut another), b"full");
    scene.ask(&mut inside, b"inside");
}

#[test]
fn a_dialled_connection_takes_a_place_and_is_not_refused_one() {
    let mut other = polite::<DefaultBackend>(|_| {});
    let mut scene = polite::<DefaultBackend>(|limits| limits.max_connections = 1);
    scene.reactor.dial(other.address, Polite).unwrap();
    scene.reactor.dial(other.address, Polite).unwrap();
    other.until("both are accepted", |stats| stats.accepted == 2);
    assert_eq!(scene.reactor.stats().connections, 2);
    let mut client = scene.client();
    assert_eq!(read_all(&mut client), b"full");
    drop(other);
    drop(client);
    scene.until("all are gone", |stats| stats.connections == 0);
    let mut client = scene.client();
    scene.ask(&mut client, b"alone");
}

#[test]
fn no_more_are_accepted_at_a_time_than_set() {
    let mut scene = polite::<DefaultBackend>(|limits| limits.accepts_per_wake = 3);
    let mut inside = scene.client();
    let _crowd: Vec<TcpStream> = (0..20).map(|_| connect(scene.address)).collect();
    inside.write_all(b"my turn").unwrap();
    let mut batches = Vec::new();
    while scene.reactor.stats().accepted < 21 {
        let before = scene.reactor.stats().accepted;
        assert!(scene.reactor.turn().unwrap());
        batches.push(scene.reactor.stats().accepted - before);
    }
    assert!(batches.iter().all(|&accepted| accepted <= 3), "{batches:?}");
    // Before the crowd was all inside.
    assert_eq!(scene.reactor.stats().requests, 1);
    assert_eq!(read(&mut inside, 7), b"my turn");
}
