//! The waker: a wait ended from outside.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use selkey::{EVENT_READ, Selector, Waker};

use super::{Kind, now};
use crate::harness::{PATIENCE, Sleeper, unix_pair};

/// Long enough to tell a wait that was ended from one that was not.
const SHORT: Duration = Duration::from_millis(5);

fn waits_out<B: Kind>(selector: &mut Selector<UnixStream, (), B>) -> bool {
    let start = Instant::now();
    assert!(selector.select(SHORT).unwrap().is_empty());
    start.elapsed() >= SHORT
}

pub fn a_wake_from_another_thread_ends_the_wait<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    selector.register(ours, EVENT_READ, ()).unwrap();
    for timeout in [None, Some(PATIENCE)] {
        let waker = selector.waker().unwrap();
        let (sleeper, woken) = (Sleeper::this_thread(), &AtomicBool::new(false));
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(move || {
                sleeper.await_asleep();
                woken.store(true, SeqCst);
                waker.wake().unwrap();
            });
            assert!(selector.select(timeout).unwrap().is_empty());
            assert!(woken.load(SeqCst));
        });
        assert!(start.elapsed() < PATIENCE);
    }
}

pub fn a_wake_before_the_wait_ends_the_next_one_only<B: Kind>() {
    let mut selector = Selector::<UnixStream, (), B>::new().unwrap();
    let waker = selector.waker().unwrap();
    for _ in 0..3 {
        waker.wake().unwrap();
        assert!(selector.select(None).unwrap().is_empty());
        assert!(waits_out(&mut selector));
    }
}

/// More wakes than any pipe or buffer would hold; the selector takes them all back in one wait.
pub fn many_wakes_count_as_one<B: Kind>() {
    let mut selector = Selector::<UnixStream, (), B>::new().unwrap();
    let waker = selector.waker().unwrap();
    for wakes in [2, 1_000, 100_000] {
        for _ in 0..wakes {
            waker.wake().unwrap();
        }
        assert!(selector.select(None).unwrap().is_empty());
        // Where the waker is a pair of sockets, a few more waits may end early.
        let early = (0..1_000).position(|_| waits_out(&mut selector)).unwrap();
        assert!(early == 0 || !cfg!(target_os = "linux"), "{early} more waits ended");
    }
}

pub fn a_clone_wakes_too_and_outlives_the_first<B: Kind>() {
    let mut selector = Selector::<UnixStream, (), B>::new().unwrap();
    let first = selector.waker().unwrap();
    let clone = first.clone();
    drop(first);
    thread::spawn(move || clone.wake().unwrap()).join().unwrap();
    assert!(selector.select(None).unwrap().is_empty());
    selector.waker().unwrap().wake().unwrap();
    assert!(selector.select(None).unwrap().is_empty());
    assert!(waits_out(&mut selector));
}

pub fn a_wake_is_not_an_entry_and_hides_none<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let waker = selector.waker().unwrap();
    waker.wake().unwrap();
    assert!(now(&mut selector).is_empty());

    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    theirs.write_all(b"x").unwrap();
    for _ in 0..3 {
        waker.wake().unwrap();
        assert_eq!(now(&mut selector), [(key, EVENT_READ)]);
    }
    assert_eq!(selector.get_map().len(), 1);
}

/// The next selector gets the numbers of the one that is gone.
pub fn waking_after_the_selector_is_gone_does_nothing<B: Kind>() {
    let mut gone = Selector::<UnixStream, (), B>::new().unwrap();
    let waker = gone.waker().unwrap();
    drop(gone);
    let mut next = Selector::<UnixStream, (), B>::new().unwrap();
    next.waker().unwrap();
    for _ in 0..3 {
        waker.wake().unwrap();
        assert!(waits_out(&mut next));
    }
    drop((waker, next));
}

#[test]
fn a_waker_is_clone_send_and_sync() {
    fn assert<T: Clone + Send + Sync + 'static>() {}
    assert::<Waker>();
}
