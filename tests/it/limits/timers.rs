//! Timers: in order, never early, and none left of those taken back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use selkey::backend::{Backend, DefaultBackend, Poll, Select};
use selkey::{Protocol, Reactor};

use super::support::ms;
use crate::harness::alone;
use crate::reactor::support::{Turning, turning};

type Timed<B> = Reactor<Box<dyn Protocol>, B>;

fn timed<B: Backend>() -> Turning<Timed<B>> {
    turning(Reactor::with_backend(B::new().unwrap()).unwrap())
}

fn in_order_and_never_early<B: Backend>() {
    let mut reactor = timed::<B>();
    let ran = Rc::new(RefCell::new(Vec::new()));
    let start = Instant::now();
    for millis in [70, 10, 40, 0, 100, 40, 1] {
        let ran = ran.clone();
        reactor.after(ms(millis), move |_| {
            assert!(start.elapsed() >= ms(millis), "early");
            ran.borrow_mut().push(millis);
        });
    }
    reactor.run_out();
    assert_eq!(*ran.borrow(), [0, 1, 10, 40, 40, 70, 100]);
}

#[test]
fn timers_run_in_order_and_never_early() {
    in_order_and_never_early::<DefaultBackend>();
}

#[test]
fn timers_run_in_order_and_never_early_over_poll() {
    in_order_and_never_early::<Poll>();
}

#[test]
fn timers_run_in_order_and_never_early_over_select() {
    let path = concat!(module_path!(), "::timers_run_in_order_and_never_early_over_select");
    alone(path, in_order_and_never_early::<Select>);
}

#[test]
fn timers_of_the_same_moment_run_as_they_were_set() {
    let mut reactor = timed::<DefaultBackend>();
    let ran = Rc::new(RefCell::new(Vec::new()));
    for number in 0..100 {
        let ran = ran.clone();
        reactor.after(Duration::ZERO, move |_| ran.borrow_mut().push(number));
    }
    reactor.run_out();
    assert_eq!(*ran.borrow(), (0..100).collect::<Vec<_>>());
}

/// What they hold is dropped too, and nothing keeps the loop from ending.
#[test]
fn a_million_timers_taken_back_leave_nothing() {
    let mut reactor = timed::<DefaultBackend>();
    let held = Rc::new(());
    let start = Instant::now();
    let keys: Vec<_> = (0..1_000_000)
        .map(|n| {
            let held = held.clone();
            reactor.after(Duration::from_secs(3600 + n % 7), move |_| drop(held))
        })
        .collect();
    assert_eq!(Rc::strong_count(&held), 1_000_001);
    assert!(keys.iter().all(|&key| reactor.cancel(key)));
    assert_eq!(Rc::strong_count(&held), 1);
    reactor.run_out();
    assert!(start.elapsed() < Duration::from_secs(3600));
    assert!(keys.iter().all(|&key| !reactor.cancel(key)));
}

#[test]
fn a_timer_that_ran_cannot_be_taken_back() {
    let mut reactor = timed::<DefaultBackend>();
    let key = reactor.after(ms(1), |_| {});
    reactor.run_out();
    assert!(!reactor.cancel(key));
}

#[test]
fn a_timer_may_set_and_take_back_others() {
    let mut reactor = timed::<DefaultBackend>();
    let ran = Rc::new(Cell::new(0));
    let (first, second) = (ran.clone(), ran.clone());
    let late = reactor.after(Duration::from_secs(3600), |_| unreachable!("taken back"));
    let start = Instant::now();
    reactor.after(ms(20), move |reactor| {
        first.set(first.get() + 1);
        assert!(reactor.cancel(late));
        reactor.after(ms(30), move |_| second.set(second.get() + 1));
    });
    reactor.run_out();
    assert_eq!(ran.get(), 2);
    assert!(start.elapsed() >= ms(50));
}

/// Others get their turn between: one that sets itself again at once does not keep the loop for itself.
#[test]
fn a_timer_that_is_always_due_leaves_room_for_the_others() {
    fn again<B: Backend + 'static>(reactor: &mut Timed<B>, ran: Rc<Cell<u32>>) {
        ran.set(ran.get() + 1);
        reactor.after(Duration::ZERO, move |reactor| again(reactor, ran));
    }
    let mut reactor = timed::<DefaultBackend>();
    let ran = Rc::new(Cell::new(0));
    again(&mut reactor, ran.clone());
    for turn in 2..10 {
        assert!(reactor.turn().unwrap());
        assert!(ran.get() <= turn, "more than one in a turn");
    }
    assert!(ran.get() > 1);
    reactor.handle().stop();
    reactor.run_out();
}

#[test]
fn a_timer_for_ever_is_set_and_taken_back() {
    let mut reactor = timed::<DefaultBackend>();
    let key = reactor.after(Duration::MAX, |_| unreachable!("for ever"));
    reactor.turn_at_once();
    assert!(reactor.cancel(key));
    reactor.run_out();
}

/// A server that drains ends, whatever it meant to do later.
#[test]
fn a_timer_does_not_keep_a_loop_that_drains() {
    let mut reactor = timed::<DefaultBackend>();
    reactor.after(Duration::from_secs(3600), |_| unreachable!("the loop has ended"));
    reactor.handle().drain();
    let start = Instant::now();
    reactor.run_out();
    assert!(start.elapsed() < Duration::from_secs(3600));
}

/// To the millisecond where nothing else is to do: the best of some, against a sleep of the same length.
#[test]
fn a_timer_is_as_punctual_as_a_sleep() {
    let mut reactor = timed::<DefaultBackend>();
    let best = (0..20)
        .map(|_| {
            let start = Instant::now();
            std::thread::sleep(ms(5));
            let slept = start.elapsed();
            let start = Instant::now();
            reactor.after(ms(5), |_| {});
            reactor.run_out();
            start.elapsed().saturating_sub(slept)
        })
        .min()
        .unwrap();
    assert!(best < ms(3), "{best:?} later than a sleep");
}
