//! Lines 1 and 2: what is reported, how often, and under which mask.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use selkey::{EVENT_READ, EVENT_WRITE, Events, Selector};

use super::{BOTH, Kind, now};
use crate::harness::{check, raise_descriptor_limit, unix_pair};

pub fn what_stays_ready_is_reported_again<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    theirs.write_all(b"x").unwrap();
    for _ in 0..3 {
        assert_eq!(now(&mut selector), [(key, EVENT_READ)]);
    }
}

pub fn what_was_used_up_is_not_reported_again<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    for _ in 0..3 {
        assert!(now(&mut selector).is_empty());
        theirs.write_all(b"x").unwrap();
        assert_eq!(now(&mut selector), [(key, EVENT_READ)]);
        let (mut stream, ()) = selector.get_mut(key).unwrap();
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
    }
}

pub fn read_and_write_come_in_one_entry<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, BOTH, ()).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_WRITE)]);
    theirs.write_all(b"x").unwrap();
    assert_eq!(now(&mut selector), [(key, BOTH)]);
}

/// 9,900 pairs, more than any fixed list of events would hold; under select(2) as many as fit.
pub fn every_ready_one_comes_in_one_call<B: Kind>() {
    const WANTED: usize = 9_900;
    let limit = raise_descriptor_limit().min(B::LIMIT);
    let pairs = WANTED.min((limit - 64) / 2);
    if pairs < WANTED && limit < B::LIMIT {
        println!("skipped: {WANTED} pairs, the limit on descriptors leaves {pairs}");
    }
    let mut selector = Selector::<_, _, B>::new().unwrap();
    // The waker's place must not be at the cost of an entry.
    let waker = selector.waker().unwrap();
    let mut peers = Vec::new();
    for _ in 0..pairs {
        let (ours, mut theirs) = unix_pair();
        theirs.write_all(b"x").unwrap();
        selector.register(ours, BOTH, ()).unwrap();
        peers.push(theirs);
    }
    waker.wake().unwrap();
    for _ in 0..2 {
        let ready = now(&mut selector);
        assert!(ready.iter().all(|&(_, events)| events == BOTH));
        assert_eq!(ready.len(), pairs);
        assert_eq!(ready.iter().map(|&(key, _)| key).collect::<HashSet<_>>().len(), pairs);
    }
}

pub fn events_that_are_not_registered_are_masked_out<B: Kind>() {
    let ((idle, _peer), (full, mut sender), (gone, closed)) = (unix_pair(), unix_pair(), unix_pair());
    sender.write_all(b"x").unwrap();
    drop(closed);
    let mut selector = Selector::<_, _, B>::new().unwrap();
    // Writable, but registered for reading; readable and writable, but registered for writing; hung up, but registered for one.
    selector.register(idle, EVENT_READ, ()).unwrap();
    let writer = selector.register(full, EVENT_WRITE, ()).unwrap();
    let reader = selector.register(gone, EVENT_READ, ()).unwrap();
    let mut ready = now(&mut selector);
    ready.sort_by_key(|&(key, _)| key);
    assert_eq!(ready, [(writer, EVENT_WRITE), (reader, EVENT_READ)]);
}

pub fn a_change_of_the_mask_counts_at_the_next_call<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    theirs.write_all(b"x").unwrap();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    for events in [EVENT_WRITE, BOTH, EVENT_READ, EVENT_WRITE] {
        selector.modify(key, events).unwrap();
        assert_eq!(selector.get_key(key).unwrap().events(), events);
        assert_eq!(now(&mut selector), [(key, events)]);
    }
}

/// A mask that shrinks is not only masked: what is left out must not end a wait any more.
pub fn what_a_modify_leaves_out_ends_no_wait<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, BOTH, ()).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_WRITE)]);
    selector.modify(key, EVENT_READ).unwrap();
    let (start, timeout) = (Instant::now(), Duration::from_millis(5));
    assert!(selector.select(timeout).unwrap().is_empty());
    assert!(start.elapsed() >= timeout);
}

/// The reading end of a pipe whose writer is gone is hung up and nothing else: neither data nor room.
pub fn a_hang_up_wakes_the_reader_and_the_writer<B: Kind>() {
    let (reader, writer) = io::pipe().unwrap();
    drop(writer);
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(reader, BOTH, ()).unwrap();
    for events in [BOTH, EVENT_READ, EVENT_WRITE] {
        selector.modify(key, events).unwrap();
        let expected = events & B::HANG_UP;
        let reported = now(&mut selector).first().map_or(Events::default(), |&(_, events)| events);
        assert_eq!(reported, expected);
    }
}

/// The writing end of a full pipe whose reader is gone is in error and nothing else. Unlike a hang-up, select(2) reports it both ways.
pub fn an_error_wakes_the_reader_and_the_writer<B: Kind>() {
    let (reader, mut writer) = io::pipe().unwrap();
    // SAFETY: the call takes no pointers.
    check(unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) });
    while writer.write(&[0; 65_536]).is_ok() {}
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(writer, BOTH, ()).unwrap();
    assert!(now(&mut selector).is_empty());
    drop(reader);
    for events in [BOTH, EVENT_READ, EVENT_WRITE] {
        selector.modify(key, events).unwrap();
        assert_eq!(now(&mut selector), [(key, events)]);
    }
}

pub fn the_list_of_the_caller_is_cleared_first<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    theirs.write_all(b"x").unwrap();
    let mut ready = vec![(key, EVENT_WRITE); 7];
    assert_eq!(selector.select_into(Duration::ZERO, &mut ready).unwrap(), 1);
    assert_eq!(ready, [(key, EVENT_READ)]);
    selector.unregister(key);
    assert_eq!(selector.select_into(Duration::ZERO, &mut ready).unwrap(), 0);
    assert!(ready.is_empty());
}
