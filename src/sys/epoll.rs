//! epoll(7) on Linux: the instance is `polling`'s, the waits and interest flags are our own.
//!
//! `polling` 3.11 makes five system calls for a wait, retries after a signal, asks for urgent data and takes its notifier out of the
//! shared set when a forked child drops its copy. Its instance is a plain epoll descriptor, so this file talks to that directly.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, ptr};

use libc::{EPOLLIN, EPOLLOUT, c_int, epoll_event};

use super::{Backend, RawSource, Report, WAKER_TOKEN, Waker, check, ready_count, timeout};
use crate::events::{EVENT_READ, EVENT_WRITE, Events};

/// Entries there is ever place for: more than a process can have descriptors unless `fs.nr_open` is raised sixteenfold.
const MOST: usize = 1 << 24;

/// Watches with epoll(7): a wait costs what is ready, not what is registered.
#[derive(Debug)]
pub struct Epoll {
    poller: polling::Poller,
    waker: Option<Waker>,
    /// What the last wait reported. Its spare capacity is address space only, until that many are ready at once.
    events: Vec<epoll_event>,
    /// How many the kernel may write there.
    room: c_int,
}

impl Epoll {
    fn control(&self, operation: c_int, fd: RawSource, token: u64, flags: c_int) -> io::Result<()> {
        let mut event = epoll_event { events: flags as u32, u64: token };
        // SAFETY: `event` lives through the call, which copies it; the kernel answers a bad descriptor with an error.
        check(unsafe { libc::epoll_ctl(self.poller.as_raw_fd(), operation, fd, &mut event) }).map(drop)
    }

    /// The one wait: into `events`, of which the kernel may use what is there for `max` registrations and the waker, but no more than `most`.
    #[inline(always)]
    fn fill(&mut self, timeout: Option<Duration>, max: usize, most: c_int) -> io::Result<usize> {
        if max >= self.room as usize {
            self.grow(max);
        }
        self.events.clear();
        let (list, room) = (self.events.as_mut_ptr(), self.room.min(most));
        let fine = timeout::fine(timeout).and_then(|time| wait_finely(self.poller.as_raw_fd(), list, room, time));
        let count = match fine {
            Some(count) => count,
            // SAFETY: the kernel writes at most `room` entries, and `grow` made place for them.
            None => unsafe { libc::epoll_wait(self.poller.as_raw_fd(), list, room, timeout::millis(timeout)) },
        };
        let count = ready_count(count)?;
        // SAFETY: the kernel has filled in that many entries, at most `room`.
        unsafe { self.events.set_len(count) };
        Ok(count)
    }

    /// Makes place for every registration and the waker.
    #[cold]
    fn grow(&mut self, max: usize) {
        let needed = max.saturating_add(1).clamp(16, MOST).next_power_of_two();
        self.events.clear();
        self.events.reserve(needed);
        self.room = needed as c_int;
    }
}

/// epoll_pwait2(2), which counts in nanoseconds: by its number, since a C library may be older than the kernel. `None` where the kernel has no such call
/// (before Linux 5.11) or a sandbox forbids it; that is found out once. The list has place for `room` entries.
#[cfg(target_os = "linux")]
#[inline(never)]
fn wait_finely(set: c_int, list: *mut epoll_event, room: c_int, time: Duration) -> Option<c_int> {
    static ABSENT: AtomicBool = AtomicBool::new(false);
    /// As the kernel has it on every processor.
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanos: i64,
    }
    if ABSENT.load(Ordering::Relaxed) {
        return None;
    }
    let time = Time { seconds: time.as_secs() as i64, nanos: time.subsec_nanos().into() };
    let no_mask = ptr::null::<libc::sigset_t>();
    // SAFETY: the caller has made place for `room` entries; `time` lives through the call.
    let count = unsafe { libc::syscall(libc::SYS_epoll_pwait2, set, list, room, &raw const time, no_mask, 0usize) };
    if count < 0 && matches!(io::Error::last_os_error().raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
        ABSENT.store(true, Ordering::Relaxed);
        return None;
    }
    Some(count as c_int)
}

/// Android ends a program that makes a call it does not know.
#[cfg(not(target_os = "linux"))]
fn wait_finely(_set: c_int, _list: *mut epoll_event, _room: c_int, _time: Duration) -> Option<c_int> {
    None
}

impl Backend for Epoll {
    fn new() -> io::Result<Epoll> {
        Ok(Epoll { poller: polling::Poller::new()?, waker: None, events: Vec::new(), room: 0 })
    }

    unsafe fn add(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest(events))
    }

    fn modify(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest(events))
    }

    fn remove(&mut self, fd: RawSource) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn wait(&mut self, timeout: Option<Duration>, max: usize, ready: &mut Vec<(u64, Events)>) -> io::Result<()> {
        let asked = max.saturating_add(usize::from(self.waker.is_some()));
        self.fill(timeout, asked, asked.clamp(1, c_int::MAX as usize) as c_int)?;
        let mut report = Report { ready, left: max };
        self.events.iter().for_each(|event| report.push(event.u64, readiness(event.events)));
        Ok(())
    }

    #[inline]
    fn wait_in_place(
        &mut self,
        timeout: Option<Duration>,
        max: usize,
        _list: &mut Vec<(u64, Events)>,
    ) -> io::Result<usize> {
        self.fill(timeout, max, c_int::MAX)
    }

    #[inline]
    fn reported(&self, at: usize, _list: &[(u64, Events)]) -> Option<(u64, Events)> {
        let event = self.events.get(at)?;
        Some((event.u64, readiness(event.events)))
    }

    fn waker(&mut self) -> io::Result<Waker> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new()?;
        // Edge-triggered: each wake is reported once, and nobody has to drain it.
        self.control(libc::EPOLL_CTL_ADD, waker.as_fd().as_raw_fd(), WAKER_TOKEN, EPOLLIN | libc::EPOLLET)?;
        Ok(self.waker.insert(waker).clone())
    }
}

/// The epoll descriptor: readable when something in the set is ready. Python's `fileno()`.
impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

fn interest(events: Events) -> c_int {
    let mut flags = 0;
    if events.contains(EVENT_READ) {
        flags |= EPOLLIN;
    }
    if events.contains(EVENT_WRITE) {
        flags |= EPOLLOUT;
    }
    flags
}

/// Python's rule: whatever is not plain readability wakes the writer, whatever is not plain writability wakes the reader.
fn readiness(flags: u32) -> Events {
    let read = u8::from(flags & !(EPOLLOUT as u32) != 0) * EVENT_READ.bits();
    let write = u8::from(flags & !(EPOLLIN as u32) != 0) * EVENT_WRITE.bits();
    Events::from_bits(read | write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_may_be_asked_for_more_than_there_can_be() {
        let mut ready = Vec::new();
        Epoll::new().unwrap().wait(Some(Duration::ZERO), usize::MAX, &mut ready).unwrap();
        assert!(ready.is_empty());
    }
}
