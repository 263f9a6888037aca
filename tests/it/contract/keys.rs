//! Lines 9 and 11: keys name one registration and no later one; a selector can move.

use std::collections::HashSet;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use selkey::{DefaultSelector, EVENT_READ, EVENT_WRITE, Selector};

use super::{BOTH, Kind, now};
use crate::harness::{PATIENCE, Watched, dup_from, dup2, unix_pair};

/// Two are ready. The first one's handler ends the second and takes a new connection, which gets the number. The second's event is
/// still to come in the same batch.
pub fn an_event_for_a_reused_descriptor_is_dropped<B: Kind>() {
    let ((one, mut one_peer), (two, mut two_peer), (new, _new_peer)) = (unix_pair(), unix_pair(), unix_pair());
    one_peer.write_all(b"x").unwrap();
    two_peer.write_all(b"x").unwrap();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    selector.register(one, EVENT_READ, "old").unwrap();
    selector.register(two, EVENT_READ, "old").unwrap();
    let batch = now(&mut selector);
    let [(first, EVENT_READ), (second, EVENT_READ)] = batch[..] else { panic!("{batch:?}") };

    let (stream, _) = selector.unregister(second).unwrap().into_parts();
    let fd = stream.as_raw_fd();
    dup2(&new, fd);
    let third = selector.register(stream, EVENT_READ, "new").unwrap();
    assert_eq!(selector.get_key(third).unwrap().fd(), fd);

    let reached: Vec<_> = batch.iter().filter_map(|&(key, _)| selector.get_mut(key).map(|(_, data)| *data)).collect();
    assert_eq!(reached, ["old"], "the old event reached the new connection");
    assert_eq!(now(&mut selector), [(first, EVENT_READ)]);
    assert!(selector.unregister(second).is_none() && selector.get_map().contains(third));
}

/// A duplicate keeps the old connection open, so epoll goes on reporting it, and nothing can take it out any more.
pub fn an_event_the_kernel_still_reports_for_an_ended_registration_is_dropped<B: Kind>() {
    let ((ours, mut theirs), (new, mut new_peer)) = (unix_pair(), unix_pair());
    theirs.write_all(b"x").unwrap();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let old = selector.register(Watched(fd), BOTH, ()).unwrap();
    let _duplicate = dup_from(&ours, 0).unwrap();
    dup2(&new, fd);
    selector.unregister(old).unwrap();
    assert!(now(&mut selector).is_empty());

    // In the same slot, at the same number.
    let key = selector.register(Watched(fd), EVENT_READ, ()).unwrap();
    assert!(now(&mut selector).is_empty(), "the old connection's event reached the new one");
    new_peer.write_all(b"x").unwrap();
    // The system call's list has the old event in it too, so the new one may come with the next call.
    assert!((0..2).any(|_| now(&mut selector) == [(key, EVENT_READ)]));
}

pub fn an_old_key_finds_nothing_in_a_slot_used_again<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let old = selector.register(&ours, EVENT_READ, ()).unwrap();
    selector.unregister(old).unwrap();
    let key = selector.register(&ours, EVENT_READ, ()).unwrap();
    assert_ne!(old, key);
    assert!(selector.get_key(old).is_none() && selector.get_mut(old).is_none());
    assert!(!selector.get_map().contains(old));
    assert!(selector.modify(old, EVENT_WRITE).is_err() && selector.unregister(old).is_none());
    assert_eq!(selector.get_key(key).unwrap().events(), EVENT_READ);
}

pub fn keys_are_never_given_twice<B: Kind>() {
    let ((one, _one_peer), (two, _two_peer)) = (unix_pair(), unix_pair());
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let mut seen = HashSet::new();
    for _ in 0..1_000 {
        let first = selector.register(&one, EVENT_READ, ()).unwrap();
        let second = selector.register(&two, EVENT_READ, ()).unwrap();
        assert!(seen.insert(first) && seen.insert(second));
        selector.unregister(first).unwrap();
        selector.unregister(second).unwrap();
    }
}

pub fn a_selector_can_move_to_another_thread<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<OwnedFd, String, B>::new().unwrap();
    let key = selector.register(ours.into(), EVENT_READ, String::new()).unwrap();
    let there = thread::spawn(move || (selector.select(PATIENCE).unwrap(), selector));
    theirs.write_all(b"x").unwrap();
    let (ready, mut selector) = there.join().unwrap();
    assert_eq!(ready, [(key, EVENT_READ)]);
    assert_eq!(selector.select(Duration::ZERO).unwrap(), ready);
}

/// Whether a type is `Send`: the inherent constant is there only if it is, and goes before the trait's.
macro_rules! is_send {
    ($type:ty) => {{
        #[allow(dead_code)]
        struct Probe<T>(std::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: Send> Probe<T> {
            const SEND: bool = true;
        }
        #[allow(dead_code)]
        trait Otherwise {
            const SEND: bool = false;
        }
        impl<T> Otherwise for Probe<T> {}
        <Probe<$type>>::SEND
    }};
}

#[test]
fn a_selector_is_send_exactly_when_object_and_data_are() {
    const {
        assert!(is_send!(DefaultSelector<OwnedFd, String>));
        assert!(is_send!(selkey::PollSelector<OwnedFd, String>));
        assert!(is_send!(selkey::SelectSelector<OwnedFd, String>));
        assert!(!is_send!(DefaultSelector<Rc<OwnedFd>, String>));
        assert!(!is_send!(DefaultSelector<OwnedFd, Rc<String>>));
    }
}
