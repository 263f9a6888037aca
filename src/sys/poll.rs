//! poll(2): an array of descriptors, handed to the kernel at every wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use libc::{POLLIN, POLLOUT, c_short, pollfd};

use super::{Backend, FdMap, RawSource, Report, WAKER_TOKEN, Waker, not_in_set, platform, ready_count, timeout};
use crate::events::{EVENT_READ, EVENT_WRITE, Events};

/// Watches with poll(2): any descriptor, on every Unix; a wait costs what is registered.
///
/// Registering makes no system call, so a descriptor that cannot be watched shows as ready for everything.
#[derive(Debug)]
pub struct Poll {
    watched: Vec<pollfd>,
    /// The token of `watched[i]` at the same place.
    tokens: Vec<u64>,
    places: FdMap,
    waker: Option<Waker>,
}

impl Poll {
    fn place(&self, fd: RawSource) -> io::Result<usize> {
        self.places.get(fd).map(|place| place as usize).ok_or_else(not_in_set)
    }

    fn insert(&mut self, fd: RawSource, token: u64, events: Events) {
        self.places.insert(fd, self.watched.len() as u32);
        self.watched.push(pollfd { fd, events: interest(events), revents: 0 });
        self.tokens.push(token);
    }
}

impl Backend for Poll {
    fn new() -> io::Result<Poll> {
        Ok(Poll { watched: Vec::new(), tokens: Vec::new(), places: FdMap::default(), waker: None })
    }

    unsafe fn add(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.insert(fd, token, events);
        Ok(())
    }

    fn modify(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        let place = self.place(fd)?;
        self.watched[place].events = interest(events);
        self.tokens[place] = token;
        Ok(())
    }

    fn remove(&mut self, fd: RawSource) -> io::Result<()> {
        let place = self.place(fd)?;
        self.places.remove(fd);
        self.watched.swap_remove(place);
        self.tokens.swap_remove(place);
        if let Some(moved) = self.watched.get(place) {
            self.places.insert(moved.fd, place as u32);
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, max: usize, ready: &mut Vec<(u64, Events)>) -> io::Result<()> {
        let count = ready_count(poll(&mut self.watched, timeout))?;
        if count == 0 {
            return Ok(());
        }
        let reported = self.watched.iter().zip(&self.tokens).filter(|(polled, _)| polled.revents != 0).take(count);
        let mut report = Report { ready, left: max };
        for (polled, &token) in reported {
            if token == WAKER_TOKEN {
                self.waker.iter().for_each(Waker::drain);
            }
            report.push(token, readiness(polled.revents));
        }
        Ok(())
    }

    fn waker(&mut self) -> io::Result<Waker> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new()?;
        self.insert(waker.as_fd().as_raw_fd(), WAKER_TOKEN, EVENT_READ);
        Ok(self.waker.insert(waker).clone())
    }
}

platform::on_epoll! {
    /// poll(2), or ppoll(2) where a part of a millisecond is asked for.
    fn poll(watched: &mut [pollfd], timeout: Option<Duration>) -> libc::c_int {
        let (list, length) = (watched.as_mut_ptr(), watched.len() as libc::nfds_t);
        // SAFETY: pointer and length describe `watched`, which nobody else touches during the call; a null pointer changes no signal mask.
        unsafe {
            match timeout::fine(timeout) {
                Some(time) => {
                    let time = libc::timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos() as _ };
                    libc::ppoll(list, length, &time, std::ptr::null())
                }
                None => libc::poll(list, length, timeout::millis(timeout)),
            }
        }
    }
}

platform::on_kqueue! {
    fn poll(watched: &mut [pollfd], timeout: Option<Duration>) -> libc::c_int {
        let (list, length) = (watched.as_mut_ptr(), watched.len() as libc::nfds_t);
        // SAFETY: pointer and length describe `watched`, which nobody else touches during the call.
        unsafe { libc::poll(list, length, timeout::millis(timeout)) }
    }
}

fn interest(events: Events) -> c_short {
    let mut flags = 0;
    if events.contains(EVENT_READ) {
        flags |= POLLIN;
    }
    if events.contains(EVENT_WRITE) {
        flags |= POLLOUT;
    }
    flags
}

/// Python's rule, see epoll's; POLLNVAL (a closed descriptor) counts as both.
fn readiness(flags: c_short) -> Events {
    let mut events = Events::default();
    if flags & !POLLOUT != 0 {
        events |= EVENT_READ;
    }
    if flags & !POLLIN != 0 {
        events |= EVENT_WRITE;
    }
    events
}
