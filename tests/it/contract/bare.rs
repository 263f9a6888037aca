//! What a backend promises to whoever calls it without a selector.

use std::os::fd::AsRawFd;
use std::time::Duration;

use selkey::{EVENT_READ, EVENT_WRITE};

use super::Kind;
use crate::harness::unix_pair;

const NOW: Option<Duration> = Some(Duration::ZERO);

pub fn the_token_given_last_is_reported<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut backend = B::new().unwrap();
    // SAFETY: `ours` outlives `backend`'s use of it.
    unsafe { backend.add(fd, 7, EVENT_WRITE) }.unwrap();
    // The largest token there is: the next one is the waker's.
    for token in [8, 0, u64::MAX - 1] {
        backend.modify(fd, token, EVENT_WRITE).unwrap();
        let mut ready = Vec::new();
        backend.wait(NOW, 1, &mut ready).unwrap();
        assert_eq!(ready, [(token, EVENT_WRITE)]);
    }
    backend.remove(fd).unwrap();
}

pub fn what_is_not_in_the_set_is_refused_with_enoent<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut backend = B::new().unwrap();
    for _ in 0..2 {
        assert_eq!(backend.modify(fd, 7, EVENT_READ).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert_eq!(backend.remove(fd).unwrap_err().raw_os_error(), Some(libc::ENOENT));
        // SAFETY: `ours` outlives `backend`'s use of it.
        unsafe { backend.add(fd, 7, EVENT_READ) }.unwrap();
        backend.remove(fd).unwrap();
    }
}

pub fn ready_ones_are_appended_and_no_more_than_asked_for<B: Kind>() {
    let pairs: Vec<_> = (0..5).map(|_| unix_pair()).collect();
    let mut backend = B::new().unwrap();
    for (token, (ours, _)) in pairs.iter().enumerate() {
        // SAFETY: `pairs` outlives `backend`'s use of it.
        unsafe { backend.add(ours.as_raw_fd(), token as u64, EVENT_WRITE) }.unwrap();
    }
    let mut ready = Vec::new();
    backend.wait(NOW, 3, &mut ready).unwrap();
    assert_eq!(ready.len(), 3);
    backend.wait(NOW, 8, &mut ready).unwrap();
    assert_eq!(ready.len(), 3 + 5);
    drop(backend);
}
