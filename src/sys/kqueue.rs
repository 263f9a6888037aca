//! kqueue(2) on the BSDs and Apple's systems: `polling` as it is, with its two events for one descriptor merged.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use polling::{Event, Events as Reported, PollMode, Poller};

use super::{Backend, FdMap, RawSource, WAKER_TOKEN, Waker, not_in_set};
use crate::events::{EVENT_READ, EVENT_WRITE, Events};

/// Watches with kqueue(2): a wait costs what is ready, not what is registered.
#[derive(Debug)]
pub struct Kqueue {
    poller: Poller,
    /// What `polling` knows a registration by is its place here: its own keys are as wide as a pointer, tokens are 64 bits.
    registered: Vec<Option<Registered>>,
    free: Vec<u32>,
    places: FdMap,
    waker: Option<Waker>,
    reported: Option<Reported>,
}

#[derive(Debug)]
struct Registered {
    token: u64,
    /// Where in the list of ready ones its entry was last.
    entry: usize,
}

impl Kqueue {
    fn insert(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        let place = self.free.last().copied().unwrap_or(self.registered.len() as u32);
        // SAFETY: whoever called `Backend::add` keeps `fd` open until it is removed; the waker's is open as long as we are.
        unsafe { self.poller.add_with_mode(fd, interest(place as usize, events), PollMode::Level) }?;
        let registered = Some(Registered { token, entry: 0 });
        match self.free.pop() {
            Some(place) => self.registered[place as usize] = registered,
            None => self.registered.push(registered),
        }
        self.places.insert(fd, place);
        Ok(())
    }
}

impl Backend for Kqueue {
    fn new() -> io::Result<Kqueue> {
        Ok(Kqueue {
            poller: Poller::new()?,
            registered: Vec::new(),
            free: Vec::new(),
            places: FdMap::default(),
            waker: None,
            reported: None,
        })
    }

    unsafe fn add(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.insert(fd, token, events)
    }

    fn modify(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        let place = self.places.get(fd).ok_or_else(not_in_set)? as usize;
        // SAFETY: `fd` is in the set, so whoever put it there still keeps it open.
        let source = unsafe { BorrowedFd::borrow_raw(fd) };
        self.poller.modify_with_mode(source, interest(place, events), PollMode::Level)?;
        self.registered[place] = Some(Registered { token, entry: 0 });
        Ok(())
    }

    fn remove(&mut self, fd: RawSource) -> io::Result<()> {
        let place = self.places.remove(fd).ok_or_else(not_in_set)?;
        self.registered[place as usize] = None;
        self.free.push(place);
        // SAFETY: `fd` was in the set, so whoever put it there still keeps it open.
        self.poller.delete(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    fn wait(&mut self, timeout: Option<Duration>, max: usize, ready: &mut Vec<(u64, Events)>) -> io::Result<()> {
        // Two filters for each registration, and the waker.
        let room = NonZeroUsize::MIN.saturating_add(max.saturating_mul(2));
        let mut reported = match self.reported.take() {
            Some(mut reported) if reported.capacity() >= room => {
                reported.clear();
                reported
            }
            _ => Reported::with_capacity(room),
        };
        let outcome = self.poller.wait(&mut reported, timeout);
        for event in reported.iter() {
            let Some(Some(registered)) = self.registered.get_mut(event.key) else { continue };
            if registered.token == WAKER_TOKEN {
                self.waker.iter().for_each(Waker::drain);
            }
            registered.report(readiness(&event), ready);
        }
        self.reported = Some(reported);
        outcome.map(drop)
    }

    fn waker(&mut self) -> io::Result<Waker> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new()?;
        self.insert(waker.as_fd().as_raw_fd(), WAKER_TOKEN, EVENT_READ)?;
        Ok(self.waker.insert(waker).clone())
    }
}

/// The kqueue descriptor: readable when something in the set is ready. Python's `fileno()`.
impl AsFd for Kqueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

fn interest(place: usize, events: Events) -> Event {
    Event::new(place, events.contains(EVENT_READ), events.contains(EVENT_WRITE))
}

fn readiness(event: &Event) -> Events {
    let mut events = Events::default();
    if event.readable {
        events |= EVENT_READ;
    }
    if event.writable {
        events |= EVENT_WRITE;
    }
    events
}

impl Registered {
    /// kqueue reports the two directions of a descriptor as two events; here they become one entry.
    fn report(&mut self, events: Events, ready: &mut Vec<(u64, Events)>) {
        match ready.get_mut(self.entry) {
            Some((token, merged)) if *token == self.token => *merged |= events,
            _ => {
                self.entry = ready.len();
                ready.push((self.token, events));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn two_events_of_one_descriptor_become_one_entry() {
        let mut ready = Vec::new();
        let mut five = Registered { token: 50, entry: 0 };
        let mut three = Registered { token: 30, entry: 0 };
        five.report(EVENT_READ, &mut ready);
        three.report(EVENT_WRITE, &mut ready);
        five.report(EVENT_WRITE, &mut ready);
        assert_eq!(ready, [(50, EVENT_READ | EVENT_WRITE), (30, EVENT_WRITE)]);
    }

    #[test]
    fn the_portable_backend_watches_changes_and_wakes() {
        let (a, mut b) = UnixStream::pair().unwrap();
        let (fd, now) = (a.as_raw_fd(), Some(Duration::ZERO));
        let mut backend = Kqueue::new().unwrap();
        let mut ready = Vec::new();
        // SAFETY: `a` outlives `backend`'s use of it below.
        unsafe { backend.add(fd, 7, EVENT_READ) }.unwrap();
        backend.wait(now, 1, &mut ready).unwrap();
        assert!(ready.is_empty());

        b.write_all(b"x").unwrap();
        backend.modify(fd, 8, EVENT_READ | EVENT_WRITE).unwrap();
        backend.wait(now, 1, &mut ready).unwrap();
        assert_eq!(ready, [(8, EVENT_READ | EVENT_WRITE)]);

        ready.clear();
        backend.remove(fd).unwrap();
        assert!(backend.remove(fd).is_err());
        backend.waker().unwrap().wake().unwrap();
        backend.wait(None, 0, &mut ready).unwrap();
        assert_eq!(ready, [(WAKER_TOKEN, EVENT_READ)]);
    }
}
