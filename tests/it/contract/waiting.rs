//! Lines 3 and 4: what ends a wait, and when.

use std::io::Write;
use std::iter;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use selkey::{EVENT_READ, EVENT_WRITE, Selector};

use super::{Kind, now};
use crate::harness::{PATIENCE, Sleeper, await_that, check, unix_pair};

pub fn a_signal_ends_the_wait_with_no_entries<B: Kind>() {
    static HANDLED: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handler(_: libc::c_int) {
        HANDLED.fetch_add(1, SeqCst);
    }
    // SAFETY: a zeroed `sigaction` has an empty mask and no flags, so no SA_RESTART; the handler adds to an atomic and no more.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(libc::c_int) as libc::sighandler_t;
        check(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()));
    }
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    selector.register(ours, EVENT_READ, ()).unwrap();
    for timeout in [None, Some(PATIENCE), Some(Duration::MAX)] {
        let returned = AtomicBool::new(false);
        // SAFETY: the call cannot fail.
        let waiting = unsafe { libc::pthread_self() };
        thread::scope(|scope| {
            // Until the wait has ended, since a signal that comes before it began ends nothing.
            scope.spawn(|| {
                let start = Instant::now();
                while !returned.load(SeqCst) && start.elapsed() < PATIENCE {
                    // SAFETY: the thread lives at least as long as this scope.
                    unsafe { libc::pthread_kill(waiting, libc::SIGUSR1) };
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let start = Instant::now();
            let ready = selector.select(timeout);
            returned.store(true, SeqCst);
            assert!(ready.unwrap().is_empty());
            assert!(start.elapsed() < PATIENCE, "the wait went on after the signal");
        });
        assert!(HANDLED.swap(0, SeqCst) > 0);
    }
}

pub fn no_timeout_waits_as_long_as_it_takes<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    let (sleeper, written) = (Sleeper::this_thread(), &AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(move || {
            sleeper.await_asleep();
            written.store(true, SeqCst);
            theirs.write_all(b"x").unwrap();
            theirs // open until the scope ends
        });
        assert_eq!(selector.select(None).unwrap(), [(key, EVENT_READ)]);
        assert!(written.load(SeqCst), "the wait ended before anything was ready");
    });
}

/// A process of its own ends it should it not return.
pub fn a_zero_timeout_looks_and_returns<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    assert!(now(&mut selector).is_empty());
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    assert!(now(&mut selector).is_empty());
    selector.modify(key, EVENT_WRITE).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_WRITE)]);
}

pub fn a_positive_timeout_never_ends_early<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    selector.register(ours, EVENT_READ, ()).unwrap();
    let nanos = [(1, 50), (999, 50), (100_000, 50), (999_999, 50), (1_000_001, 50), (3_000_000, 40), (20_000_001, 5)];
    for (nanos, repetitions) in nanos {
        let timeout = Duration::from_nanos(nanos);
        for _ in 0..repetitions {
            let start = Instant::now();
            assert!(selector.select(timeout).unwrap().is_empty());
            let elapsed = start.elapsed();
            assert!(elapsed >= timeout, "{timeout:?} ended after {elapsed:?}");
        }
    }
}

/// Unless the kernel counts in milliseconds.
pub fn a_part_of_a_millisecond_is_not_rounded_up<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    selector.register(ours, EVENT_READ, ()).unwrap();
    if !B::counts_finely() {
        println!("skipped: this kernel counts in milliseconds");
        return;
    }
    // A busy machine wakes a sleeper late, but not always.
    await_that("a wait of 100 µs ends within 700 µs", || {
        let start = Instant::now();
        assert!(selector.select(Duration::from_micros(100)).unwrap().is_empty());
        start.elapsed() < Duration::from_micros(700)
    });
}

pub fn the_longest_timeouts_are_clamped<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    selector.register(ours, EVENT_READ, ()).unwrap();
    let waker = selector.waker().unwrap();
    // The longest in milliseconds, the first longer ones, those that would be short if bits were lost, and those whose seconds overflow
    // what a system call takes.
    let longest = Duration::from_millis(i32::MAX as u64);
    let longer = [
        longest + Duration::from_nanos(1),
        longest * 2,
        longest * 1_000_000,
        Duration::from_millis((1 << 32) + 1),
        Duration::from_secs((1 << 32) + 1),
        Duration::from_secs(i64::MAX as u64),
    ];
    for timeout in [longest, Duration::MAX].into_iter().chain(longer) {
        let (sleeper, woken) = (Sleeper::this_thread(), &AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                sleeper.await_asleep();
                // Time for a wait that took it for a millisecond to end early.
                thread::sleep(Duration::from_millis(20));
                woken.store(true, SeqCst);
                waker.wake().unwrap();
            });
            // A process that was stopped and goes on finds its wait ended (signal(7)): once is no fault.
            let ends_early = || {
                assert!(selector.select(timeout).unwrap().is_empty());
                !woken.load(SeqCst)
            };
            assert!(iter::repeat_with(ends_early).take(3).any(|early| !early), "{timeout:?} ended early");
        });
    }
}

pub fn an_empty_selector_waits_its_timeout_out<B: Kind>() {
    let mut selector = Selector::<UnixStream, (), B>::new().unwrap();
    for _ in 0..20 {
        let start = Instant::now();
        assert!(selector.select(Duration::from_millis(3)).unwrap().is_empty());
        assert!(start.elapsed() >= Duration::from_millis(3));
    }
}

pub fn an_empty_selector_without_timeout_waits_for_the_waker<B: Kind>() {
    let mut selector = Selector::<UnixStream, (), B>::new().unwrap();
    let waker = selector.waker().unwrap();
    let (sleeper, woken) = (Sleeper::this_thread(), &AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            sleeper.await_asleep();
            woken.store(true, SeqCst);
            waker.wake().unwrap();
        });
        assert!(selector.select(None).unwrap().is_empty());
        assert!(woken.load(SeqCst));
    });
}
