//! The peers of the selector bench behind one trait: each is written the way its documentation shows.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use libc::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, c_int, epoll_event};
use mio::unix::SourceFd;
use selkey::backend::Backend;
use selkey::{EVENT_READ, EVENT_WRITE, Events, Key, Selector};

pub type Source = &'static UnixStream;

/// A set of sources, all of them waited for to become readable.
pub trait Watch {
    /// Names one source in the set.
    type Name: Copy;

    /// Whether every event is reported once only, not as long as it lasts.
    const EDGE: bool = false;

    /// An empty set with room for this many events in one wait.
    fn new(room: usize) -> Self;

    /// Whether this source can be in the set.
    fn takes(_source: Source) -> bool {
        true
    }

    fn register(&mut self, source: Source, number: usize) -> Self::Name;
    fn unregister(&mut self, name: Self::Name);

    /// Waits for reading, or for reading and writing.
    fn modify(&mut self, name: Self::Name, write: bool);

    /// One wait and one loop over what is ready, each of which goes through a `black_box`, since a server would use it.
    /// Answers how many.
    fn wait(&mut self, timeout: Option<Duration>) -> usize;
}

/// epoll(7) through libc and nothing else: the reference.
pub struct Bare {
    epoll: OwnedFd,
    events: Vec<epoll_event>,
}

impl Bare {
    fn control(&self, operation: c_int, fd: RawFd, write: bool, number: usize) {
        let flags = if write { EPOLLIN | EPOLLOUT } else { EPOLLIN } as u32;
        let mut event = epoll_event { events: flags, u64: number as u64 };
        // SAFETY: `event` lives through the call.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &mut event) };
        assert_eq!(result, 0);
    }
}

impl Watch for Bare {
    type Name = (RawFd, usize);

    fn new(room: usize) -> Bare {
        // SAFETY: the descriptor is new and nobody else's.
        let epoll = unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            assert!(fd >= 0);
            OwnedFd::from_raw_fd(fd)
        };
        Bare { epoll, events: Vec::with_capacity(room) }
    }

    fn register(&mut self, source: Source, number: usize) -> Self::Name {
        self.control(EPOLL_CTL_ADD, source.as_raw_fd(), false, number);
        (source.as_raw_fd(), number)
    }

    fn unregister(&mut self, (fd, number): Self::Name) {
        self.control(EPOLL_CTL_DEL, fd, false, number);
    }

    fn modify(&mut self, (fd, number): Self::Name, write: bool) {
        self.control(EPOLL_CTL_MOD, fd, write, number);
    }

    fn wait(&mut self, timeout: Option<Duration>) -> usize {
        let timeout = timeout.map_or(-1, |timeout| timeout.as_millis() as c_int);
        let room = self.events.capacity() as c_int;
        // SAFETY: the kernel fills in as many entries as it answers, and has room for them.
        unsafe {
            let count = libc::epoll_wait(self.epoll.as_raw_fd(), self.events.as_mut_ptr(), room, timeout);
            assert!(count >= 0);
            self.events.set_len(count as usize);
        }
        for event in &self.events {
            black_box((event.u64, event.events));
        }
        self.events.len()
    }
}

/// This crate.
pub struct Selkey<B: Backend> {
    selector: Selector<Source, (), B>,
    ready: Vec<(Key, Events)>,
}

impl<B: Backend + Limit> Watch for Selkey<B> {
    type Name = Key;

    fn new(_room: usize) -> Selkey<B> {
        Selkey { selector: Selector::new().unwrap(), ready: Vec::new() }
    }

    fn takes(source: Source) -> bool {
        B::BELOW.is_none_or(|limit| source.as_raw_fd() < limit)
    }

    fn register(&mut self, source: Source, _number: usize) -> Key {
        self.selector.register(source, EVENT_READ, ()).unwrap()
    }

    fn unregister(&mut self, key: Key) {
        self.selector.unregister(key).unwrap();
    }

    fn modify(&mut self, key: Key, write: bool) {
        self.selector.modify(key, if write { EVENT_READ | EVENT_WRITE } else { EVENT_READ }).unwrap();
    }

    fn wait(&mut self, timeout: Option<Duration>) -> usize {
        self.selector.select_into(timeout, &mut self.ready).unwrap();
        for &(key, events) in &self.ready {
            black_box((key, events));
        }
        self.ready.len()
    }
}

/// What descriptors a backend takes.
pub trait Limit {
    const BELOW: Option<RawFd> = None;
}

impl Limit for selkey::backend::Epoll {}
impl Limit for selkey::backend::Poll {}
impl Limit for selkey::backend::Select {
    const BELOW: Option<RawFd> = Some(libc::FD_SETSIZE as RawFd);
}

/// The `polling` crate. Level-triggered has to be asked for; by default an event is reported once and then disarmed.
pub struct Polling {
    poller: polling::Poller,
    events: polling::Events,
}

impl Watch for Polling {
    type Name = (Source, usize);

    fn new(room: usize) -> Polling {
        let room = NonZeroUsize::new(room).unwrap();
        Polling { poller: polling::Poller::new().unwrap(), events: polling::Events::with_capacity(room) }
    }

    fn register(&mut self, source: Source, number: usize) -> Self::Name {
        let interest = polling::Event::readable(number);
        // SAFETY: the sources live as long as the process.
        unsafe { self.poller.add_with_mode(source, interest, polling::PollMode::Level).unwrap() };
        (source, number)
    }

    fn unregister(&mut self, (source, _): Self::Name) {
        self.poller.delete(source).unwrap();
    }

    fn modify(&mut self, (source, number): Self::Name, write: bool) {
        let interest = polling::Event::new(number, true, write);
        self.poller.modify_with_mode(source, interest, polling::PollMode::Level).unwrap();
    }

    fn wait(&mut self, timeout: Option<Duration>) -> usize {
        self.events.clear();
        let count = self.poller.wait(&mut self.events, timeout).unwrap();
        for event in self.events.iter() {
            black_box((event.key, event.readable, event.writable));
        }
        count
    }
}

/// The `mio` crate: edge-triggered only.
pub struct Mio {
    poll: mio::Poll,
    events: mio::Events,
}

impl Watch for Mio {
    type Name = (RawFd, usize);

    const EDGE: bool = true;

    fn new(room: usize) -> Mio {
        Mio { poll: mio::Poll::new().unwrap(), events: mio::Events::with_capacity(room) }
    }

    fn register(&mut self, source: Source, number: usize) -> Self::Name {
        let fd = source.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), mio::Token(number), mio::Interest::READABLE).unwrap();
        (fd, number)
    }

    fn unregister(&mut self, (fd, _): Self::Name) {
        self.poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
    }

    fn modify(&mut self, (fd, number): Self::Name, write: bool) {
        let read = mio::Interest::READABLE;
        let interest = if write { read | mio::Interest::WRITABLE } else { read };
        self.poll.registry().reregister(&mut SourceFd(&fd), mio::Token(number), interest).unwrap();
    }

    fn wait(&mut self, timeout: Option<Duration>) -> usize {
        self.poll.poll(&mut self.events, timeout).unwrap();
        let mut count = 0;
        for event in &self.events {
            black_box((event.token(), event.is_readable(), event.is_writable()));
            count += 1;
        }
        count
    }
}
