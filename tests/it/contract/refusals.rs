//! Lines 5, 6 and 11: what is refused, by whom, and what comes back.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use selkey::backend::{Backend, DefaultBackend};
use selkey::{EVENT_READ, EVENT_WRITE, ErrorKind, Events, ModifyError, RegisterError, Selector};

use super::counting::Counting;
use super::{BOTH, Kind, now};
use crate::harness::{Watched, dup_from, raise_descriptor_limit, unix_pair};

/// Data that is neither `Copy`, `Debug` nor `Default`, to see it come back.
#[derive(PartialEq)]
struct Data(&'static str);

const UNKNOWN: [u8; 5] = [4, 5, 7, 0x80, 0xff];

fn io_code<F, D>(error: &RegisterError<F, D>) -> Option<i32> {
    match &error.kind {
        ErrorKind::Io(error) => error.raw_os_error(),
        _ => None,
    }
}

pub fn a_descriptor_registered_twice_is_refused_with_the_old_key<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let key = selector.register(Watched(fd), EVENT_READ, Data("first")).unwrap();
    selector.backend().log.take();
    // Two objects with one descriptor, and with another mask than the first.
    for events in [EVENT_READ, EVENT_WRITE, BOTH] {
        let error = selector.register(Watched(fd), events, Data("second")).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::AlreadyRegistered(old) if old == key));
        assert_eq!(error.fileobj, Watched(fd));
        assert!(error.data == Data("second"));
    }
    assert!(selector.backend().log.take().is_empty(), "the kernel was asked");
    let entry = selector.get_key(key).unwrap();
    assert!(entry.events() == EVENT_READ && *entry.data() == Data("first"));
    assert_eq!(selector.get_map().len(), 1);
}

fn is_refused_for_its_mask<B: Kind>(events: Events) {
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let error = selector.register(ours, events, Data("back")).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::InvalidEvents(refused) if refused == events));
    assert!(error.fileobj.as_raw_fd() == fd && error.data == Data("back"));
    assert!(selector.get_map().is_empty() && selector.key_of(fd).is_none());
    assert!(selector.backend().log.take().is_empty());
    // Also where the descriptor is registered: the mask is looked at first, as in Python.
    let key = selector.register(error.fileobj, EVENT_READ, error.data).unwrap();
    let (again, _peer) = unix_pair();
    assert!(matches!(selector.register(again, events, Data("")).unwrap_err().kind, ErrorKind::InvalidEvents(_)));
    assert_eq!(selector.get_key(key).unwrap().events(), EVENT_READ);
}

pub fn an_empty_mask_is_refused_at_register<B: Kind>() {
    is_refused_for_its_mask::<B>(Events::default());
}

pub fn an_unknown_mask_is_refused_at_register<B: Kind>() {
    UNKNOWN.into_iter().for_each(|bits| is_refused_for_its_mask::<B>(Events::from_bits(bits)));
}

pub fn an_unknown_mask_is_refused_at_modify_and_changes_nothing<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let key = selector.register(ours, EVENT_WRITE, ()).unwrap();
    selector.backend().log.take();
    for bits in UNKNOWN {
        let ModifyError { kind, removed } = selector.modify(key, Events::from_bits(bits)).unwrap_err();
        assert!(matches!(kind, ErrorKind::InvalidEvents(events) if events.bits() == bits));
        assert!(removed.is_none());
    }
    assert!(selector.backend().log.take().is_empty());
    assert_eq!(selector.get_key(key).unwrap().events(), EVENT_WRITE);
    assert_eq!(now(&mut selector), [(key, EVENT_WRITE)]);
}

pub fn a_failed_register_leaves_nothing_behind<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    selector.backend().log.refuse(libc::ENOSPC);
    let error = selector.register(ours, EVENT_WRITE, Data("back")).unwrap_err();
    assert_eq!(io_code(&error), Some(libc::ENOSPC));
    assert!(error.fileobj.as_raw_fd() == fd && error.data == Data("back"));
    assert!(selector.get_map().is_empty() && selector.key_of(fd).is_none());
    assert!(now(&mut selector).is_empty());
    // Nothing is in the way of another try.
    selector.backend().log.refuse(0);
    let key = selector.register(error.fileobj, EVENT_WRITE, error.data).unwrap();
    assert_eq!(now(&mut selector), [(key, EVENT_WRITE)]);
}

pub fn a_regular_file_is_refused_with_eperm_by_epoll_alone<B: Kind>() {
    let file = File::open(std::env::current_exe().unwrap()).unwrap();
    let fd = file.as_raw_fd();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    match selector.register(file, EVENT_READ, Data("back")) {
        Ok(key) => {
            assert!(B::TAKES_FILES);
            assert_eq!(now(&mut selector), [(key, EVENT_READ)]);
        }
        Err(error) => {
            assert!(!B::TAKES_FILES);
            assert_eq!(io_code(&error), Some(libc::EPERM));
            assert!(error.fileobj.as_raw_fd() == fd && error.data == Data("back"));
            assert!(selector.get_map().is_empty() && selector.key_of(fd).is_none());
        }
    }
}

pub fn a_change_of_data_asks_the_backend_nothing<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, 1).unwrap();
    assert_eq!(selector.backend().log.take(), ["add"]);
    *selector.get_mut(key).unwrap().1 = 2;
    selector.iter_mut().for_each(|(_, _, data)| *data += 1);
    assert!(selector.backend().log.take().is_empty());
    assert_eq!(*selector.get_key(key).unwrap().data(), 3);
}

pub fn the_same_mask_again_asks_the_backend_nothing<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    selector.backend().log.take();
    // Not even one that would refuse.
    selector.backend().log.refuse(libc::EIO);
    selector.modify(key, EVENT_READ).unwrap();
    selector.backend().log.refuse(0);
    selector.modify(key, BOTH).unwrap();
    selector.modify(key, BOTH).unwrap();
    assert_eq!(selector.backend().log.take(), ["modify"]);
}

pub fn a_modify_the_kernel_refuses_hands_the_registration_back<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, Data("back")).unwrap();
    selector.backend().log.refuse(libc::EIO);
    let ModifyError { kind, removed } = selector.modify(key, EVENT_WRITE).unwrap_err();
    assert!(matches!(kind, ErrorKind::Io(error) if error.raw_os_error() == Some(libc::EIO)));
    let (ours, data) = removed.unwrap().into_parts();
    assert!(ours.as_raw_fd() == fd && data == Data("back"));
    assert!(selector.get_map().is_empty() && selector.get_key(key).is_none() && selector.key_of(fd).is_none());
    selector.backend().log.refuse(0);
    assert!(now(&mut selector).is_empty());
    let again = selector.register(ours, EVENT_WRITE, data).unwrap();
    assert_eq!(now(&mut selector), [(again, EVENT_WRITE)]);
}

pub fn a_pause_or_resume_the_kernel_refuses_hands_the_registration_back<B: Kind>() {
    for (before, change) in [(EVENT_WRITE, Events::default()), (Events::default(), EVENT_WRITE)] {
        let (ours, _theirs) = unix_pair();
        let fd = ours.as_raw_fd();
        let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
        let key = selector.register(ours, EVENT_WRITE, ()).unwrap();
        selector.modify(key, before).unwrap();
        selector.backend().log.refuse(libc::EIO);
        let removed = selector.modify(key, change).unwrap_err().removed.unwrap();
        assert_eq!(removed.fileobj().as_raw_fd(), fd);
        selector.backend().log.refuse(0);
        assert!(now(&mut selector).is_empty() && selector.get_map().is_empty());
    }
}

pub fn modify_under_an_old_key_is_refused<B: Kind>() {
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _, Counting<B>>::new().unwrap();
    let old = selector.register(ours, EVENT_READ, ()).unwrap();
    let (ours, ()) = selector.unregister(old).unwrap().into_parts();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    selector.backend().log.take();
    for events in [EVENT_READ, EVENT_WRITE, Events::default()] {
        let ModifyError { kind, removed } = selector.modify(old, events).unwrap_err();
        assert!(matches!(kind, ErrorKind::NotRegistered) && removed.is_none());
    }
    assert!(selector.backend().log.take().is_empty());
    assert_eq!(selector.get_key(key).unwrap().events(), EVENT_READ);
}

pub fn a_descriptor_beyond_the_limit_is_refused_by_its_number<B: Kind>() {
    const SETSIZE: RawFd = libc::FD_SETSIZE as RawFd;
    let (ours, _theirs) = unix_pair();
    if raise_descriptor_limit() <= libc::FD_SETSIZE {
        println!("skipped: the limit on descriptors is not above {SETSIZE}");
        return;
    }
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let last = dup_from(&ours, SETSIZE - 1).unwrap();
    assert_eq!(last.as_raw_fd(), SETSIZE - 1);
    let last = selector.register(last, EVENT_WRITE, Data("last")).unwrap();
    for fd in [SETSIZE, SETSIZE + 70] {
        let beyond = dup_from(&ours, fd).unwrap();
        match selector.register(beyond, EVENT_WRITE, Data("beyond")) {
            Ok(key) => {
                assert!(B::LIMIT > fd as usize);
                assert_eq!(now(&mut selector).len(), 2);
                selector.unregister(key).unwrap();
            }
            Err(error) => {
                assert!(B::LIMIT <= fd as usize);
                assert!(error.fileobj.as_raw_fd() == fd && error.data == Data("beyond"));
                let error = io::Error::from(error);
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                assert!(error.to_string().contains(&fd.to_string()), "{error}");
                assert!(selector.key_of(fd).is_none());
            }
        }
        assert_eq!(now(&mut selector), [(last, EVENT_WRITE)]);
    }
}

#[test]
fn refusals_become_io_errors_with_the_code_of_the_system() -> io::Result<()> {
    fn register(
        selector: &mut Selector<Watched, Data, Counting<DefaultBackend>>,
        fd: RawFd,
        bits: u8,
    ) -> io::Result<selkey::Key> {
        Ok(selector.register(Watched(fd), Events::from_bits(bits), Data(""))?)
    }
    let (ours, _theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::with_backend(Counting::new()?);
    selector.backend().log.refuse(libc::ENOSPC);
    assert_eq!(register(&mut selector, fd, 1).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    selector.backend().log.refuse(0);
    assert_eq!(register(&mut selector, fd, 0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(register(&mut selector, fd, 4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let key = register(&mut selector, fd, 1)?;
    assert_eq!(register(&mut selector, fd, 1).unwrap_err().kind(), io::ErrorKind::AlreadyExists);

    let refused = |error: ModifyError<_, _>| io::Error::from(error);
    assert_eq!(
        selector.modify(key, Events::from_bits(4)).map_err(refused).unwrap_err().kind(),
        io::ErrorKind::InvalidInput
    );
    selector.backend().log.refuse(libc::EIO);
    assert_eq!(selector.modify(key, EVENT_WRITE).map_err(refused).unwrap_err().raw_os_error(), Some(libc::EIO));
    assert_eq!(selector.modify(key, EVENT_WRITE).map_err(refused).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(selector.select(Duration::ZERO)?.is_empty());
    Ok(())
}

/// `Data` has no `Debug`.
#[test]
fn refusals_are_errors_whatever_object_and_data_are() {
    fn text(error: impl std::error::Error) -> String {
        format!("{error} / {error:?}")
    }
    let (ours, _theirs) = unix_pair();
    let mut selector = Selector::<_, _>::new().unwrap();
    let refused = selector.register(&ours, Events::default(), Data("")).unwrap_err();
    assert!(text(refused).starts_with("cannot register: invalid events 0"));
    let key = selector.register(&ours, EVENT_READ, Data("")).unwrap();
    let refused = selector.modify(key, Events::from_bits(9)).unwrap_err();
    assert!(text(refused).starts_with("cannot modify: invalid events Events(0x09)"));
}
