//! What Python's `get_key`, `get_map`, `close` and `fileno` are here.

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use selkey::{DefaultSelector, EVENT_READ, EVENT_WRITE, Events, Key, Selector};

use super::{BOTH, Kind, now};
use crate::harness::{PATIENCE, poll_fd, unix_pair};

/// Five of them, numbered, the third paused; the other ends too.
fn five<B: Kind>() -> (Selector<UnixStream, usize, B>, Vec<Key>, Vec<UnixStream>) {
    let mut selector = Selector::new().unwrap();
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..5).map(|_| unix_pair()).unzip();
    let keys: Vec<_> =
        ours.into_iter().enumerate().map(|(n, stream)| selector.register(stream, EVENT_WRITE, n).unwrap()).collect();
    selector.modify(keys[2], Events::default()).unwrap();
    (selector, keys, theirs)
}

pub fn get_key_shows_what_was_registered<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, BOTH, "data").unwrap();
    let entry = selector.get_key(key).unwrap();
    assert_eq!((entry.fileobj().as_raw_fd(), entry.fd(), entry.events(), *entry.data()), (fd, fd, BOTH, "data"));
}

pub fn get_mut_changes_the_data<B: Kind>() {
    let (mut selector, keys, _theirs) = five::<B>();
    let (stream, data) = selector.get_mut(keys[1]).unwrap();
    *data = stream.as_raw_fd() as usize + 1_000;
    let entry = selector.get_key(keys[1]).unwrap();
    assert_eq!(*entry.data(), entry.fd() as usize + 1_000);
}

pub fn key_of_finds_by_number<B: Kind>() {
    let (mut selector, keys, theirs) = five::<B>();
    for &key in &keys {
        assert_eq!(selector.key_of(selector.get_key(key).unwrap().fd()), Some(key));
    }
    for fd in [theirs[0].as_raw_fd(), -1, i32::MIN, i32::MAX] {
        assert_eq!(selector.key_of(fd), None);
    }
    let gone = selector.unregister(keys[0]).unwrap();
    assert_eq!(selector.key_of(gone.fd()), None);
}

pub fn get_map_counts_and_goes_over_all<B: Kind>() {
    let (mut selector, keys, _theirs) = five::<B>();
    selector.unregister(keys[3]).unwrap();
    let map = selector.get_map();
    assert_eq!(map.len(), 4);
    assert!(!map.is_empty() && map.contains(keys[2]) && !map.contains(keys[3]));
    let mut seen: Vec<_> = map.iter().map(|(key, entry)| (key, *entry.data())).collect();
    seen.sort();
    assert_eq!(seen, [(keys[0], 0), (keys[1], 1), (keys[2], 2), (keys[4], 4)]);
    assert!(Selector::<UnixStream, (), B>::new().unwrap().get_map().is_empty());
}

pub fn iter_mut_changes_every_data<B: Kind>() {
    let (mut selector, keys, _theirs) = five::<B>();
    selector.iter_mut().for_each(|(_, _, data)| *data += 10);
    assert!(keys.iter().enumerate().all(|(n, &key)| *selector.get_key(key).unwrap().data() == n + 10));
}

pub fn extract_if_unregisters_what_it_picks<B: Kind>() {
    let (mut selector, keys, _theirs) = five::<B>();
    let out: Vec<_> = selector
        .extract_if(|_, _, data| {
            *data += 10;
            *data % 2 == 0
        })
        .map(|entry| entry.into_parts().1)
        .collect();
    assert_eq!(out, [10, 12, 14]);
    assert!(!selector.get_map().contains(keys[0]));
    let mut ready = now(&mut selector);
    ready.sort_by_key(|&(key, _)| key);
    assert_eq!(ready, [(keys[1], EVENT_WRITE), (keys[3], EVENT_WRITE)]);
    assert_eq!(*selector.get_key(keys[3]).unwrap().data(), 13);
}

pub fn extract_if_leaves_what_it_did_not_reach<B: Kind>() {
    let (mut selector, _keys, _theirs) = five::<B>();
    // It is lazy: without a `next` nothing happens.
    drop(selector.extract_if(|_, _, _| true));
    assert_eq!(selector.get_map().len(), 5);
    assert_eq!(selector.extract_if(|_, _, _| true).take(2).count(), 2);
    assert_eq!(selector.get_map().len(), 3);
}

pub fn into_iter_hands_everything_back<B: Kind>() {
    let (mut selector, keys, theirs) = five::<B>();
    selector.unregister(keys[0]).unwrap();
    let mut back: Vec<_> = selector.into_iter().map(|entry| entry.into_parts()).collect();
    back.sort_by_key(|&(_, data)| data);
    assert_eq!(back.iter().map(|&(_, data)| data).collect::<Vec<_>>(), [1, 2, 3, 4]);
    for (mut stream, data) in back {
        stream.write_all(b"open").unwrap();
        assert_ne!(poll_fd(theirs[data].as_raw_fd(), libc::POLLIN, PATIENCE) & libc::POLLIN, 0);
    }
}

pub fn borrowed_shared_and_boxed_objects_are_taken<B: Kind>() {
    fn one<F: AsFd, B: Kind>(fileobj: F) {
        let mut selector = Selector::<F, (), B>::new().unwrap();
        let key = selector.register(fileobj, EVENT_WRITE, ()).unwrap();
        assert_eq!(now(&mut selector), [(key, EVENT_WRITE)]);
        selector.unregister(key).unwrap();
    }
    let (ours, theirs) = unix_pair();
    one::<&UnixStream, B>(&ours);
    one::<BorrowedFd<'_>, B>(ours.as_fd());
    one::<Box<UnixStream>, B>(Box::new(ours));
    let theirs = Arc::new(theirs);
    one::<Rc<Arc<UnixStream>>, B>(Rc::new(theirs.clone()));
    one::<OwnedFd, B>(Arc::into_inner(theirs).unwrap().into());
}

#[test]
fn the_selectors_own_descriptor_is_readable_when_something_is_ready() {
    let (ours, mut theirs) = unix_pair();
    let mut inner = DefaultSelector::new().unwrap();
    let key = inner.register(ours, EVENT_READ, ()).unwrap();
    assert_eq!(poll_fd(inner.as_fd().as_raw_fd(), libc::POLLIN, Duration::ZERO), 0);
    theirs.write_all(b"x").unwrap();
    assert_eq!(poll_fd(inner.as_fd().as_raw_fd(), libc::POLLIN, PATIENCE), libc::POLLIN);
    // So one selector can watch another.
    let mut outer = DefaultSelector::new().unwrap();
    let nested = outer.register(inner, EVENT_READ, ()).unwrap();
    assert_eq!(now(&mut outer), [(nested, EVENT_READ)]);
    let (mut inner, ()) = outer.unregister(nested).unwrap().into_parts();
    assert_eq!(now(&mut inner), [(key, EVENT_READ)]);
}
