//! The selector: Python's `selectors` module, made safe by ownership.
//!
//! A selector owns what it watches. What is registered cannot be closed, `unregister` hands it back, and a [`Key`] of a registration
//! that has ended finds nothing. It knows nothing of sockets: it watches anything with a descriptor.

mod error;
mod key;
mod map;
mod slots;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::events::Events;
use crate::sys::platform;
pub(crate) use crate::sys::ticker;
pub use crate::sys::{AsSource, Backend, DefaultBackend, Poll, RawSource, Select, Waker};
pub use error::{ErrorKind, ModifyError, RegisterError};
pub use key::{Key, SelectorKey};
pub use map::{IntoIter, Map};
use slots::Slots;

/// Watches objects of type `F`, each with data of type `D`, and says which are ready.
///
/// Use it through one of its names: [`DefaultSelector`], [`EpollSelector`], [`PollSelector`], [`SelectSelector`], or make one over
/// a [`Backend`] of your own with [`with_backend`](Selector::with_backend).
///
/// `F` is anything with a descriptor: `TcpStream`, `socket2::Socket`, an enum of sockets, `&T`, `Rc<T>`, `Arc<T>`, `BorrowedFd`.
///
/// ```
/// use selkey::{DefaultSelector, EVENT_READ};
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let mut selector = DefaultSelector::new()?;
/// let key = selector.register(ours, EVENT_READ, String::new())?;
///
/// assert!(selector.select(Duration::ZERO)?.is_empty());
/// theirs.write_all(b"ready")?;
/// for (key, events) in selector.select(None)? {
///     assert_eq!(events, EVENT_READ);
///     let Some((mut stream, text)) = selector.get_mut(key) else { continue };
///     let mut bytes = [0; 16];
///     let n = stream.read(&mut bytes)?;
///     text.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
/// }
/// let (_ours, text) = selector.unregister(key).unwrap().into_parts();
/// assert_eq!(text, "ready");
/// # Ok(())
/// # }
/// ```
///
/// What is registered belongs to the selector. It can be used through `&F`, but not closed:
///
/// ```compile_fail,E0382
/// # use selkey::{DefaultSelector, EVENT_READ};
/// # fn main() -> std::io::Result<()> {
/// let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
/// let mut selector = DefaultSelector::new()?;
/// selector.register(ours, EVENT_READ, ())?;
/// drop(ours); // moved
/// # Ok(())
/// # }
/// ```
///
/// nor swapped for another, since nobody gets a `&mut F`:
///
/// ```compile_fail,E0308
/// # use selkey::{DefaultSelector, EVENT_READ};
/// # fn main() -> std::io::Result<()> {
/// let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
/// let mut selector = DefaultSelector::new()?;
/// let key = selector.register(ours, EVENT_READ, ())?;
/// let (stream, ()) = selector.get_mut(key).unwrap();
/// std::mem::swap(stream, &mut theirs); // expected `&mut UnixStream`, found `&UnixStream`
/// # Ok(())
/// # }
/// ```
///
/// A borrowed object outlives the selector:
///
/// ```compile_fail,E0505
/// # use selkey::{DefaultSelector, EVENT_READ};
/// # fn main() -> std::io::Result<()> {
/// let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
/// let mut selector = DefaultSelector::new()?;
/// selector.register(&ours, EVENT_READ, ())?;
/// drop(ours); // borrowed
/// selector.select(None)?;
/// # Ok(())
/// # }
/// ```
///
/// A key is not data, and data is not a key:
///
/// ```compile_fail,E0308
/// # use selkey::{DefaultSelector, EVENT_READ};
/// # fn main() -> std::io::Result<()> {
/// let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
/// let mut selector = DefaultSelector::new()?;
/// let key = selector.register(ours, EVENT_READ, 7u64)?;
/// let again = selector.register(theirs, EVENT_READ, key)?; // expected `u64`, found `Key`
/// # Ok(())
/// # }
/// ```
///
/// Dropping a selector closes everything in it; [`into_iter`](IntoIterator::into_iter) hands everything back instead. Neither takes descriptors out
/// of the kernel's set one by one, so a forked child that drops its copy leaves its parent's registrations alone.
#[derive(Debug)]
pub struct Selector<F, D = (), B = DefaultBackend> {
    // The order matters: the backend goes before the descriptors that it watches are closed.
    backend: B,
    keys: Slots<F, D>,
    /// What the backend reported last, where it keeps no list of its own.
    reported: Vec<(u64, Events)>,
}

/// The selector with the best backend of the platform: epoll on Linux, kqueue on the BSDs and Apple's systems.
pub type DefaultSelector<F, D = ()> = Selector<F, D, DefaultBackend>;

platform::on_epoll! {
    /// A selector over epoll(7).
    pub type EpollSelector<F, D = ()> = Selector<F, D, crate::sys::Epoll>;
}

platform::on_kqueue! {
    /// A selector over kqueue(2).
    pub type KqueueSelector<F, D = ()> = Selector<F, D, crate::sys::Kqueue>;
}

/// A selector over poll(2).
pub type PollSelector<F, D = ()> = Selector<F, D, Poll>;

/// A selector over select(2).
pub type SelectSelector<F, D = ()> = Selector<F, D, Select>;

impl<F, D, B: Backend> Selector<F, D, B> {
    /// An empty selector.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self::with_backend(B::new()?))
    }

    /// An empty selector over this backend, which must be empty too.
    pub fn with_backend(backend: B) -> Self {
        Selector { backend, keys: Slots::new(), reported: Vec::new() }
    }

    /// The key of a registered descriptor, by its number at register.
    pub fn key_of(&self, fd: RawSource) -> Option<Key> {
        self.keys.key_of(fd)
    }

    /// What is kept under a key; `None` when its registration has ended.
    pub fn get_key(&self, key: Key) -> Option<&SelectorKey<F, D>> {
        self.keys.get(key)
    }

    /// The object for reading and its data for writing; `None` when the key's registration has ended.
    pub fn get_mut(&mut self, key: Key) -> Option<(&F, &mut D)> {
        self.keys.get_mut(key).map(|entry| (&entry.fileobj, &mut entry.data))
    }

    /// All registrations.
    pub fn get_map(&self) -> Map<'_, F, D> {
        Map { keys: &self.keys }
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// A handle that ends a [`select`](Selector::select) from another thread; made on first use.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    pub fn waker(&mut self) -> io::Result<Waker> {
        self.backend.waker()
    }

    /// Waits for events on `fileobj`, which is the selector's until [`unregister`](Selector::unregister).
    ///
    /// The object is asked for its descriptor here and never again.
    ///
    /// # Errors
    /// Object and data come back in all of them, and the selector is as it was:
    /// * `InvalidEvents`: the mask is empty or has unknown bits;
    /// * `AlreadyRegistered`: the descriptor is in this selector;
    /// * `Io`: the operating system refused; epoll refuses regular files and directories with `EPERM`, select(2) holds only
    ///   descriptors below `FD_SETSIZE`.
    pub fn register(&mut self, fileobj: F, events: Events, data: D) -> Result<Key, RegisterError<F, D>>
    where
        F: AsSource,
    {
        let fd = fileobj.raw_source();
        let refused = if events.is_empty() || events.has_unknown() {
            Some(ErrorKind::InvalidEvents(events))
        } else if let Some(key) = self.keys.key_of(fd) {
            Some(ErrorKind::AlreadyRegistered(key))
        } else {
            self.attach(fd, self.keys.next_key(), events).err().map(ErrorKind::Io)
        };
        match refused {
            Some(kind) => Err(RegisterError { kind, fileobj, data }),
            None => Ok(self.keys.insert(SelectorKey { fileobj, fd, events, data })),
        }
    }

    /// Changes what is waited for. The same mask as before makes no system call; data is changed through [`get_mut`](Selector::get_mut).
    ///
    /// The empty mask pauses: the descriptor leaves the kernel's set, so that not even a hang-up is reported; the next modify puts it back.
    ///
    /// # Errors
    /// * `InvalidEvents`, `NotRegistered`: the selector is as it was;
    /// * `Io`: the operating system refused. The registration has ended and is handed back in the error.
    pub fn modify(&mut self, key: Key, events: Events) -> Result<(), ModifyError<F, D>> {
        if events.has_unknown() {
            return Err(ModifyError { kind: ErrorKind::InvalidEvents(events), removed: None });
        }
        let Some(entry) = self.keys.get_mut(key) else {
            return Err(ModifyError { kind: ErrorKind::NotRegistered, removed: None });
        };
        let (fd, before) = (entry.fd, entry.events);
        if before == events {
            return Ok(());
        }
        entry.events = events;
        let outcome = if before.is_empty() {
            self.attach(fd, key, events)
        } else if events.is_empty() {
            self.backend.remove(fd)
        } else {
            self.backend.modify(fd, key.token(), events)
        };
        outcome.map_err(|error| ModifyError { kind: ErrorKind::Io(error), removed: self.unregister(key) })
    }

    /// Ends a registration and hands it back; `None` when it has ended before.
    ///
    /// Succeeds also for a descriptor that was closed, or closed and opened anew, behind the selector's back.
    pub fn unregister(&mut self, key: Key) -> Option<SelectorKey<F, D>> {
        let entry = self.keys.remove(key)?;
        if !entry.events.is_empty() {
            // It fails only where the kernel has no such entry (any more), which is what is wanted.
            let _ = self.backend.remove(entry.fd);
        }
        Some(entry)
    }

    /// Waits until something is ready, and says what.
    ///
    /// `None` waits as long as it takes, zero looks and returns, anything else is rounded up to what the system call counts in
    /// (milliseconds; microseconds for select(2)) and never ends early; more than 24 days are 24 days. An empty selector waits its timeout out.
    ///
    /// Every ready registration comes in one call, once, with the events it is both registered and ready for; it comes again as long as it stays
    /// ready (level-triggered). Hang-up and error count as every registered event; under select(2) a hang-up counts as
    /// [`EVENT_READ`](crate::EVENT_READ) alone. The list is empty after a timeout, a signal or a wake.
    ///
    /// # Errors
    /// What the operating system says; select(2) fails with `EBADF` when a registered descriptor was closed behind the selector's back.
    pub fn select(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<Vec<(Key, Events)>> {
        let mut ready = Vec::new();
        self.select_into(timeout, &mut ready)?;
        Ok(ready)
    }

    /// [`select`](Selector::select) into a list of the caller's, which is cleared first; allocates nothing once list and selector have grown.
    /// Answers how many are ready.
    ///
    /// # Errors
    /// As `select`; the list is then empty.
    pub fn select_into(
        &mut self,
        timeout: impl Into<Option<Duration>>,
        ready: &mut Vec<(Key, Events)>,
    ) -> io::Result<usize> {
        ready.clear();
        let reported = self.wait(timeout.into())?;
        ready.extend((0..reported).filter_map(|at| self.ready(at).map(|(key, events, ..)| (key, events))));
        Ok(ready.len())
    }

    /// The loop's way, without a list between: waits, and answers up to where [`ready`](Selector::ready) can be asked.
    #[inline]
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.backend.wait_in_place(timeout, self.keys.len(), &mut self.reported)
    }

    /// What the last wait reported at this place, unless its registration has ended since.
    #[inline]
    pub(crate) fn ready(&mut self, at: usize) -> Option<(Key, Events, &F, &mut D)> {
        let (token, events) = self.backend.reported(at, &self.reported)?;
        let key = Key::from_token(token);
        let entry = self.keys.get_mut(key)?;
        let events = events & entry.events;
        if events.is_empty() { None } else { Some((key, events, &entry.fileobj, &mut entry.data)) }
    }

    /// How many places there are to go through with [`at`](Self::at).
    pub(crate) fn places(&self) -> usize {
        self.keys.places()
    }

    /// The registration at this place, if there is one.
    pub(crate) fn at(&mut self, place: usize) -> Option<(Key, &F, &mut D)> {
        self.keys.at(place).map(|(key, entry)| (key, &entry.fileobj, &mut entry.data))
    }

    /// The only way into the backend's set.
    #[allow(unsafe_code)]
    fn attach(&mut self, fd: RawSource, key: Key, events: Events) -> io::Result<()> {
        // SAFETY: `fd` came from an `F` that is moved into `self.keys` next (or is there already) and leaves it only through `unregister`, which
        // removes `fd` first, or together with the backend. Until then the crate lends it as `&F` alone, and closing takes more than that. On
        // failure nothing is in the set.
        unsafe { self.backend.add(fd, key.token(), events) }
    }
}

/// The backend's descriptor, readable when something is ready; Python's `fileno()`.
impl<F, D, B: AsFd> AsFd for Selector<F, D, B> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.backend.as_fd()
    }
}
