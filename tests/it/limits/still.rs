//! The clock stands still when nobody is left: an idle loop makes no wake.

use std::thread;
use std::time::{Duration, Instant};

use selkey::Limits;
use selkey::backend::{Backend, DefaultBackend, Poll};

use super::support::{Scene, ms, scene};
use crate::reactor::support::Echo;

/// Whether the loop sleeps for this long, in one of three tries: a process that was stopped and goes on finds its wait ended (signal(7)).
fn sleeps<B: Backend>(scene: &mut Scene<Echo, B>, time: Duration) -> bool {
    (0..3).any(|_| wakes(scene, time) == 0)
}

/// How many times the loop wakes in this time. The last wake is ours.
fn wakes<B: Backend>(scene: &mut Scene<Echo, B>, time: Duration) -> usize {
    let handle = scene.reactor.handle();
    let start = Instant::now();
    let clock = thread::spawn(move || {
        thread::sleep(time);
        handle.wake();
    });
    let mut wakes = 0;
    while start.elapsed() < time {
        assert!(scene.reactor.turn().unwrap());
        wakes += 1;
    }
    clock.join().unwrap();
    wakes - 1
}

fn stands_still<B: Backend>() {
    let mut scene = scene::<_, B>(Limits::default(), || Echo);
    assert!(sleeps(&mut scene, ms(300)), "before the first");
    let mut client = scene.client();
    scene.ask(&mut client, b"hello");
    drop(client);
    scene.until("nobody is left", |stats| stats.connections == 0);
    // The tick that sees that nobody is left.
    scene.pass(ms(250));
    assert!(sleeps(&mut scene, ms(1000)), "after the last");
    // It does tick while somebody is there, or the figures above would prove nothing.
    let _client = scene.client();
    let ticks = wakes(&mut scene, ms(300));
    assert!((1..=4).contains(&ticks), "{ticks}");
}

#[test]
fn the_clock_stands_still_when_no_connection_is_left() {
    stands_still::<DefaultBackend>();
}

#[test]
fn the_clock_stands_still_when_no_connection_is_left_over_poll() {
    stands_still::<Poll>();
}
