//! The bit sets of select(2), and the call.

use std::mem::MaybeUninit;
use std::time::Duration;
use std::{fmt, io, ptr};

use libc::{FD_SETSIZE, c_int, fd_set};

use super::{RawSource, ready_count, timeout};

/// What one call looks at, and afterwards what of it is ready.
#[derive(Clone, Debug)]
pub(crate) struct Sets {
    pub(crate) readers: FdSet,
    pub(crate) writers: FdSet,
    pub(crate) exceptional: FdSet,
}

impl Sets {
    pub(crate) fn new() -> Sets {
        Sets { readers: FdSet::new(), writers: FdSet::new(), exceptional: FdSet::new() }
    }
}

/// One select(2) over the descriptors below `end`: leaves in the sets what is ready, and answers how many bits that are. After a timeout or a
/// signal that is none, and the sets are as the kernel left them.
pub(crate) fn select_once(sets: &mut Sets, end: usize, timeout: Option<Duration>) -> io::Result<usize> {
    let mut left = timeout.map(timeout::timeval);
    // SAFETY: sets and time live through the call and are nobody else's; no set has room for a descriptor of FD_SETSIZE.
    ready_count(unsafe {
        libc::select(
            end.min(FD_SETSIZE) as c_int,
            &mut sets.readers.0,
            &mut sets.writers.0,
            &mut sets.exceptional.0,
            left.as_mut().map_or(ptr::null_mut(), ptr::from_mut),
        )
    })
}

/// The descriptor as a place in a set, if a set has such a place.
pub(crate) fn place(fd: RawSource) -> io::Result<usize> {
    usize::try_from(fd).ok().filter(|&at| at < FD_SETSIZE).ok_or_else(|| {
        let why = format!("descriptor {fd} cannot be watched with select(2): it must be below {FD_SETSIZE}");
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })
}

#[derive(Clone)]
pub(crate) struct FdSet(fd_set);

impl FdSet {
    fn new() -> FdSet {
        let mut set = MaybeUninit::uninit();
        // SAFETY: FD_ZERO writes the whole set.
        unsafe {
            libc::FD_ZERO(set.as_mut_ptr());
            FdSet(set.assume_init())
        }
    }

    /// `at` is a [`place`].
    pub(crate) fn put(&mut self, at: usize, on: bool) {
        assert!(at < FD_SETSIZE);
        // SAFETY: the set is valid and has a bit at `at`.
        unsafe {
            if on {
                libc::FD_SET(at as c_int, &mut self.0);
            } else {
                libc::FD_CLR(at as c_int, &mut self.0);
            }
        }
    }

    /// `at` is a [`place`].
    pub(crate) fn has(&self, at: usize) -> bool {
        assert!(at < FD_SETSIZE);
        // SAFETY: the set is valid and has a bit at `at`.
        unsafe { libc::FD_ISSET(at as c_int, &self.0) }
    }
}

impl fmt::Debug for FdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..FD_SETSIZE).filter(|&at| self.has(at))).finish()
    }
}
