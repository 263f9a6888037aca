//! select(2): three bit sets of FD_SETSIZE descriptors.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::fdset::{Sets, place, select_once};
use super::{Backend, RawSource, Report, WAKER_TOKEN, Waker, not_in_set};
use crate::events::{EVENT_READ, EVENT_WRITE, Events};

/// Watches with select(2): descriptors below `FD_SETSIZE` (1024) only, on every Unix; a wait costs the highest of them.
///
/// A hang-up is readability alone, and one closed descriptor makes every wait fail with `EBADF`.
#[derive(Debug)]
pub struct Select {
    sets: Sets,
    /// By descriptor; as long as the highest descriptor in a set.
    tokens: Vec<Option<u64>>,
    waker: Option<Waker>,
}

impl Select {
    fn watch(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        let at = place(fd)?;
        if at >= self.tokens.len() {
            self.tokens.resize(at + 1, None);
        }
        self.tokens[at] = Some(token);
        self.sets.readers.put(at, events.contains(EVENT_READ));
        self.sets.writers.put(at, events.contains(EVENT_WRITE));
        Ok(())
    }

    fn holds(&self, fd: RawSource) -> io::Result<usize> {
        let at = place(fd)?;
        self.tokens.get(at).copied().flatten().map(|_| at).ok_or_else(not_in_set)
    }
}

impl Backend for Select {
    fn new() -> io::Result<Select> {
        Ok(Select { sets: Sets::new(), tokens: Vec::new(), waker: None })
    }

    unsafe fn add(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.watch(fd, token, events)
    }

    fn modify(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.holds(fd)?;
        self.watch(fd, token, events)
    }

    fn remove(&mut self, fd: RawSource) -> io::Result<()> {
        let at = self.holds(fd)?;
        self.sets.readers.put(at, false);
        self.sets.writers.put(at, false);
        self.tokens[at] = None;
        let used = self.tokens.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.tokens.truncate(used);
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, max: usize, ready: &mut Vec<(u64, Events)>) -> io::Result<()> {
        let mut found = self.sets.clone();
        let mut count = select_once(&mut found, self.tokens.len(), timeout)?;
        let mut report = Report { ready, left: max };
        for (at, token) in self.tokens.iter().enumerate() {
            if count == 0 {
                break;
            }
            let Some(token) = *token else { continue };
            let mut events = Events::default();
            if found.readers.has(at) {
                events |= EVENT_READ;
            }
            if found.writers.has(at) {
                events |= EVENT_WRITE;
            }
            if events.is_empty() {
                continue;
            }
            count -= events.bits().count_ones() as usize;
            if token == WAKER_TOKEN {
                self.waker.iter().for_each(Waker::drain);
            }
            report.push(token, events);
        }
        Ok(())
    }

    fn waker(&mut self) -> io::Result<Waker> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new()?;
        self.watch(waker.as_fd().as_raw_fd(), WAKER_TOKEN, EVENT_READ)?;
        Ok(self.waker.insert(waker).clone())
    }
}
