//! Line 6: a modify to the empty mask pauses.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use selkey::backend::Backend;
use selkey::{EVENT_READ, EVENT_WRITE, ErrorKind, Events, Selector};

use super::counting::Counting;
use super::{BOTH, Kind, now};
use crate::harness::{Watched, thread_cpu, unix_pair};

const PAUSED: Events = Events::from_bits(0);

/// Selects for this long; answers how many entries came and which part of a processor it took.
pub fn watch_for<F, D, B: Backend>(selector: &mut Selector<F, D, B>, length: Duration) -> (usize, f64) {
    let (start, before) = (Instant::now(), thread_cpu());
    let mut entries = 0;
    while let Some(left) = length.checked_sub(start.elapsed()) {
        entries += selector.select(left).unwrap().len();
    }
    let used = thread_cpu() - before;
    (entries, used.as_secs_f64() / length.as_secs_f64())
}

pub fn a_pause_takes_the_descriptor_out_of_the_kernels_set<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    for events in [PAUSED, PAUSED, EVENT_WRITE, BOTH, PAUSED] {
        selector.modify(key, events).unwrap();
    }
    assert_eq!(selector.backend().log.take(), ["add", "remove", "add", "modify", "remove"]);
}

pub fn while_paused_nothing_is_reported_and_key_and_data_stay<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, BOTH, String::from("kept")).unwrap();
    selector.modify(key, PAUSED).unwrap();
    theirs.write_all(b"x").unwrap();
    assert!(now(&mut selector).is_empty());
    drop(theirs);
    assert!(now(&mut selector).is_empty());
    let entry = selector.get_key(key).unwrap();
    assert!(entry.events().is_empty() && entry.data() == "kept");
    assert_eq!(selector.key_of(entry.fd()), Some(key));
    assert_eq!(selector.get_map().len(), 1);
}

pub fn while_paused_a_hang_up_does_not_spin<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    theirs.write_all(b"x").unwrap();
    drop(theirs);
    selector.modify(key, PAUSED).unwrap();
    let (entries, cpu) = watch_for(&mut selector, Duration::from_secs(1));
    assert_eq!(entries, 0);
    assert!(cpu < 0.05, "{cpu}");
}

pub fn a_paused_registration_is_resumed_by_the_next_modify<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, 7).unwrap();
    for _ in 0..3 {
        selector.modify(key, PAUSED).unwrap();
        theirs.write_all(b"x").unwrap();
        assert!(now(&mut selector).is_empty());
        selector.modify(key, EVENT_READ).unwrap();
        assert_eq!(now(&mut selector), [(key, EVENT_READ)]);
        let (mut stream, data) = selector.get_mut(key).unwrap();
        assert_eq!((stream.read(&mut [0; 8]).unwrap(), *data), (1, 7));
    }
    // What happened meanwhile is not lost.
    selector.modify(key, PAUSED).unwrap();
    drop(theirs);
    selector.modify(key, EVENT_READ).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_READ)]);
}

pub fn a_paused_registration_is_unregistered_without_the_backend<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let key = selector.register(ours, EVENT_WRITE, "data").unwrap();
    selector.modify(key, PAUSED).unwrap();
    selector.backend().log.take();
    let (ours, data) = selector.unregister(key).unwrap().into_parts();
    assert!(selector.backend().log.take().is_empty());
    let key = selector.register(ours, EVENT_WRITE, data).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_WRITE)]);
}

pub fn a_paused_descriptor_is_still_registered<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(Watched(ours.as_raw_fd()), EVENT_WRITE, ()).unwrap();
    selector.modify(key, PAUSED).unwrap();
    let refused = selector.register(Watched(ours.as_raw_fd()), EVENT_WRITE, ()).unwrap_err();
    assert!(matches!(refused.kind, ErrorKind::AlreadyRegistered(old) if old == key));
    assert!(now(&mut selector).is_empty());
}
