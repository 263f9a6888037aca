//! Lines 7 and 8: the end of a registration, also where the descriptor ended before it.

use std::io::Write;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::time::Duration;

use selkey::{EVENT_READ, EVENT_WRITE, Selector};

use super::{BOTH, Closed, Kind, now};
use crate::harness::{Watched, close, dup2, unix_pair};

pub fn unregister_hands_object_and_data_back<B: Kind>() {
    let (ours, mut theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, BOTH, String::from("data")).unwrap();
    let entry = selector.unregister(key).unwrap();
    assert_eq!((entry.fd(), entry.events(), entry.data().as_str()), (fd, BOTH, "data"));
    let (mut ours, data) = entry.into_parts();
    assert_eq!((ours.as_raw_fd(), data.as_str()), (fd, "data"));
    // It is open, and can be registered anew.
    ours.write_all(b"x").unwrap();
    theirs.write_all(b"x").unwrap();
    let key = selector.register(ours, EVENT_READ, data).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_READ)]);
}

pub fn unregister_under_an_old_key_is_a_miss<B: Kind>() {
    let ((ours, _theirs), (other, _peer)) = (unix_pair(), unix_pair());
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let mut elsewhere = Selector::<_, _, B>::new().unwrap();
    // A key that this selector has never given: its slot does not exist yet.
    let unknown = elsewhere.register(&other, EVENT_READ, ()).unwrap();
    assert!(selector.unregister(unknown).is_none());

    let old = selector.register(&ours, EVENT_READ, ()).unwrap();
    selector.unregister(old).unwrap();
    assert!(selector.unregister(old).is_none());
    let key = selector.register(&ours, EVENT_READ, ()).unwrap();
    assert!(selector.unregister(old).is_none());
    assert!(selector.get_map().contains(key));
}

pub fn what_is_unregistered_is_not_reported<B: Kind>() {
    let ((ours, mut theirs), (other, mut peer)) = (unix_pair(), unix_pair());
    theirs.write_all(b"x").unwrap();
    peer.write_all(b"x").unwrap();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let first = selector.register(&ours, EVENT_READ, ()).unwrap();
    let second = selector.register(&other, EVENT_READ, ()).unwrap();
    assert_eq!(now(&mut selector).len(), 2);
    selector.unregister(first).unwrap();
    assert_eq!(now(&mut selector), [(second, EVENT_READ)]);
    selector.unregister(second).unwrap();
    assert!(now(&mut selector).is_empty());
}

pub fn unregister_of_a_closed_descriptor_succeeds<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let fd = ours.into_raw_fd();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(Watched(fd), BOTH, "data").unwrap();
    close(fd);
    assert_eq!(selector.unregister(key).unwrap().into_parts(), (Watched(fd), "data"));
    assert!(now(&mut selector).is_empty());
    assert!(selector.get_map().is_empty() && selector.key_of(fd).is_none());
    assert!(selector.unregister(key).is_none());
}

pub fn unregister_of_a_reused_descriptor_succeeds<B: Kind>() {
    let ((ours, _theirs), (other, mut peer)) = (unix_pair(), unix_pair());
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(Watched(fd), EVENT_READ, ()).unwrap();
    dup2(&other, fd);
    selector.unregister(key).unwrap();
    peer.write_all(b"x").unwrap();
    assert!(now(&mut selector).is_empty());
    // The number is free for whoever has it now.
    let key = selector.register(Watched(fd), EVENT_READ, ()).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_READ)]);
}

pub fn a_closed_descriptor_is_reported_as_the_backend_does<B: Kind>() {
    let ((ours, _theirs), (other, _peer)) = (unix_pair(), unix_pair());
    let fd = ours.into_raw_fd();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(Watched(fd), EVENT_READ, ()).unwrap();
    close(fd);
    match B::CLOSED {
        Closed::Nothing => assert!(now(&mut selector).is_empty()),
        Closed::Everything => {
            for events in [EVENT_READ, EVENT_WRITE, BOTH] {
                selector.modify(key, events).unwrap();
                assert_eq!(now(&mut selector), [(key, events)]);
            }
        }
        Closed::BadDescriptor => {
            let mut ready = vec![(key, BOTH)];
            let error = selector.select_into(Duration::ZERO, &mut ready).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            assert!(ready.is_empty());
        }
    }
    // The others are well once it is out.
    selector.unregister(key).unwrap();
    let key = selector.register(Watched(other.as_raw_fd()), EVENT_WRITE, ()).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_WRITE)]);
}

#[cfg(target_os = "linux")]
mod epoll {
    use std::fs;
    use std::os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd};

    use selkey::{EVENT_READ, EVENT_WRITE, EpollSelector, ErrorKind, Events};

    use crate::harness::{Watched, alone, close, unix_pair};

    /// The descriptors in the kernel's set.
    fn kernels_set(selector: &impl AsFd) -> Vec<RawFd> {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", selector.as_fd().as_raw_fd())).unwrap();
        let targets = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
        targets.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn unregister_removes_the_kernels_entry() {
        let ((ours, _theirs), (other, _peer)) = (unix_pair(), unix_pair());
        let mut selector = EpollSelector::new().unwrap();
        let supplied = kernels_set(&selector);
        let key = selector.register(&ours, EVENT_READ, ()).unwrap();
        selector.register(&other, EVENT_READ, ()).unwrap();
        assert!(kernels_set(&selector).contains(&ours.as_raw_fd()));

        selector.modify(key, Events::default()).unwrap();
        assert!(!kernels_set(&selector).contains(&ours.as_raw_fd()), "a pause left it in the set");
        selector.modify(key, EVENT_WRITE).unwrap();
        assert!(kernels_set(&selector).contains(&ours.as_raw_fd()));

        selector.unregister(key).unwrap();
        assert!(!kernels_set(&selector).contains(&ours.as_raw_fd()));
        assert!(kernels_set(&selector).contains(&other.as_raw_fd()));
        assert_eq!(selector.extract_if(|_, _, _| true).count(), 1);
        assert_eq!(kernels_set(&selector), supplied);
    }

    #[test]
    fn a_modify_of_a_closed_descriptor_hands_the_registration_back() {
        alone(concat!(module_path!(), "::a_modify_of_a_closed_descriptor_hands_the_registration_back"), || {
            let (ours, _theirs) = unix_pair();
            let fd = ours.into_raw_fd();
            let mut selector = EpollSelector::new().unwrap();
            let key = selector.register(Watched(fd), EVENT_READ, "data").unwrap();
            close(fd);
            let refused = selector.modify(key, EVENT_WRITE).unwrap_err();
            assert!(matches!(refused.kind, ErrorKind::Io(error) if error.raw_os_error() == Some(libc::EBADF)));
            assert_eq!(refused.removed.unwrap().into_parts(), (Watched(fd), "data"));
            assert!(selector.get_map().is_empty());
        });
    }
}
