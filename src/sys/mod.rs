//! What the operating system supplies: one file per backend behind one trait, and every `cfg` on a platform.
//!
//! # What a backend must promise
//!
//! A backend holds a set of descriptors, each with a token and an interest, and says which are ready.
//!
//! * **Level-triggered.** What was reported and not used up is reported again by the next wait.
//! * **One entry per descriptor.** Readability and writability of one descriptor come together.
//! * **All of them.** `wait` is told how many registrations there are and reports every ready one.
//! * **Hang-up and error** count as readable and as writable; whoever called masks them with the interest.
//!   select(2) cannot tell them: a hang-up is readable only, an error is what the system makes of it (both on Linux).
//! * **Urgent data is not asked for.** A peer that sends one out-of-band byte must not be able to wake a reader for ever.
//! * **A signal ends the wait** with `Ok` and no entries. Nothing is retried inside.
//! * **Time** is rounded up to what the system call counts in, never down; what is too long for it clamps. No backend reads a clock.
//! * **A wake** ends the wait and is reported as an entry with the token `u64::MAX`, which the selector drops.
//! * **Dropping** a backend closes its own descriptors and takes none of the others out one by one: a forked child shares
//!   the kernel's set with its parent.
//!
//! The interest is never empty: a registration that waits for nothing is simply not in the set.
//!
//! # How to add one
//!
//! Write `sys/NAME.rs` with a type that implements [`Backend`], name it below, give it an alias in `selector/mod.rs` and add it
//! to the list in `tests/it/contract/mod.rs`: the whole contract is then run over it.

#![allow(unsafe_code)]

use std::io;
use std::time::Duration;

use crate::events::Events;

mod affinity;
mod fdmap;
pub(crate) mod fdset;
mod limits;
pub(crate) mod option;
pub(crate) mod platform;
mod poll;
#[cfg(feature = "cli")]
pub(crate) mod probe;
#[cfg(feature = "cli")]
pub(crate) mod process;
mod select;
pub(crate) mod socket;
mod source;
pub(crate) mod state;
pub(crate) mod ticker;
mod timeout;
mod wait;
mod waker;

pub use poll::Poll;
pub use select::Select;
pub use source::{AsSource, RawSource};
pub use waker::Waker;

pub(crate) use affinity::pin_thread;
#[cfg(feature = "cli")]
pub(crate) use affinity::processors;
pub(crate) use fdmap::FdMap;
pub(crate) use limits::{descriptor_limit, raise_descriptor_limit};
pub(crate) use wait::{Woken, wait_readable, wait_writable};

platform::on_epoll! {
    mod epoll;
    pub use epoll::Epoll;

    /// The best backend of the platform: `Epoll` on Linux, `Kqueue` on the BSDs and Apple's systems.
    pub type DefaultBackend = Epoll;
}

platform::on_kqueue_or_test! {
    mod kqueue;
}

platform::on_kqueue! {
    pub use kqueue::Kqueue;

    /// The best backend of the platform: `Epoll` on Linux, `Kqueue` on the BSDs and Apple's systems.
    pub type DefaultBackend = Kqueue;
}

/// The token of the waker; no registration has it. A selector drops the entry, and a loop takes it as a sign to look up.
pub const WAKER_TOKEN: u64 = u64::MAX;

/// A set of descriptors that the operating system watches.
///
/// A selector keeps the bookkeeping (keys, masks, what belongs to whom) and calls this for the rest. It can be implemented outside
/// the crate, usually to wrap one of the backends here and count, delay or fail its calls in a test:
///
/// ```
/// use selkey::backend::{Backend, DefaultBackend, RawSource, Waker};
/// use selkey::{EVENT_READ, Events, Selector};
/// use std::{io, time::Duration};
///
/// struct Counting { inner: DefaultBackend, waits: usize }
///
/// impl Backend for Counting {
///     fn new() -> io::Result<Self> {
///         Ok(Counting { inner: DefaultBackend::new()?, waits: 0 })
///     }
///     unsafe fn add(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
///         // SAFETY: the caller promises what `inner` asks for.
///         unsafe { self.inner.add(fd, token, events) }
///     }
///     fn modify(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
///         self.inner.modify(fd, token, events)
///     }
///     fn remove(&mut self, fd: RawSource) -> io::Result<()> {
///         self.inner.remove(fd)
///     }
///     fn wait(&mut self, timeout: Option<Duration>, max: usize, ready: &mut Vec<(u64, Events)>) -> io::Result<()> {
///         self.waits += 1;
///         self.inner.wait(timeout, max, ready)
///     }
///     fn waker(&mut self) -> io::Result<Waker> {
///         self.inner.waker()
///     }
/// }
///
/// # fn main() -> io::Result<()> {
/// let (a, b) = std::os::unix::net::UnixStream::pair()?;
/// let mut selector = Selector::with_backend(Counting::new()?);
/// selector.register(a, EVENT_READ, "left")?;
/// assert!(selector.select(Duration::ZERO)?.is_empty());
/// assert_eq!(selector.backend().waits, 1);
/// # drop(b);
/// # Ok(())
/// # }
/// ```
pub trait Backend {
    /// An empty set.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    fn new() -> io::Result<Self>
    where
        Self: Sized;

    /// Puts a descriptor into the set. `events` is not empty and `token` is not [`WAKER_TOKEN`].
    ///
    /// # Errors
    /// What the operating system says; the set is then as it was. epoll refuses regular files with `EPERM`; select(2) cannot hold a
    /// descriptor of `FD_SETSIZE` or more.
    ///
    /// # Safety
    /// `fd` stays open until `remove(fd)` has been called or the backend is dropped (or is never used again).
    unsafe fn add(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()>;

    /// Changes token and interest of a descriptor in the set. `events` is not empty.
    ///
    /// # Errors
    /// What the operating system says, `ENOENT` where the descriptor is not in the set.
    fn modify(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()>;

    /// Takes a descriptor out of the set.
    ///
    /// # Errors
    /// What the operating system says, `ENOENT` where the descriptor is not in the set.
    fn remove(&mut self, fd: RawSource) -> io::Result<()>;

    /// Waits until something is ready and appends it to `ready`, at most `max` registrations; a selector asks for as many as it has.
    ///
    /// `None` waits as long as it takes, zero looks and returns. A signal ends the wait early without an entry, a [`Waker`] with one that has
    /// the [`WAKER_TOKEN`].
    ///
    /// # Errors
    /// What the operating system says. select(2) fails with `EBADF` when a descriptor in the set was closed.
    fn wait(&mut self, timeout: Option<Duration>, max: usize, ready: &mut Vec<(u64, Events)>) -> io::Result<()>;

    /// A handle that ends a `wait` from another thread; made on first use.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    fn waker(&mut self) -> io::Result<Waker>;

    /// How a selector waits: as `wait`, but what is ready may stay in a list of the backend's own, in the kernel's words, and be asked for one by
    /// one with [`reported`](Backend::reported). Answers how many there are. Overridden together or not at all.
    ///
    /// # Errors
    /// As `wait`.
    #[doc(hidden)]
    fn wait_in_place(
        &mut self,
        timeout: Option<Duration>,
        max: usize,
        list: &mut Vec<(u64, Events)>,
    ) -> io::Result<usize> {
        list.clear();
        self.wait(timeout, max, list)?;
        Ok(list.len())
    }

    /// Token and readiness at a place that the last `wait_in_place` filled.
    #[doc(hidden)]
    fn reported(&self, at: usize, list: &[(u64, Events)]) -> Option<(u64, Events)> {
        list.get(at).copied()
    }
}

/// `result` of a system call as a value: negative means errno.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// How many descriptors a wait reports ready; a signal that ended it is an early end with none.
#[inline(always)]
fn ready_count(result: libc::c_int) -> io::Result<usize> {
    if result < 0 { interrupted() } else { Ok(result as usize) }
}

#[cold]
fn interrupted() -> io::Result<usize> {
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        error => Err(error),
    }
}

/// The list of a wait while it is filled: so many registrations at most, and the waker beside them.
struct Report<'a> {
    ready: &'a mut Vec<(u64, Events)>,
    left: usize,
}

impl Report<'_> {
    fn push(&mut self, token: u64, events: Events) {
        if token != WAKER_TOKEN {
            let Some(left) = self.left.checked_sub(1) else { return };
            self.left = left;
        }
        self.ready.push((token, events));
    }
}

/// What a backend answers for a descriptor that it does not hold; the same errno as epoll's.
fn not_in_set() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOENT)
}
