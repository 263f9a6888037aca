//! A backend from outside the crate: wraps another, writes down the calls and refuses them on demand.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use selkey::Events;
use selkey::backend::{Backend, RawSource, Waker};

use super::{Closed, Kind};

#[derive(Debug)]
pub struct Counting<B> {
    inner: B,
    pub log: Arc<Log>,
}

/// Outlives the backend that writes it.
#[derive(Debug, Default)]
pub struct Log {
    calls: Mutex<Vec<&'static str>>,
    errno: AtomicI32,
}

impl Log {
    /// The calls since the last time; waits are not calls that change anything and are left out.
    pub fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// From now on every change is refused with this errno; 0 ends that.
    pub fn refuse(&self, errno: i32) {
        self.errno.store(errno, Ordering::Relaxed);
    }

    fn called(&self, name: &'static str) -> io::Result<()> {
        self.calls.lock().unwrap().push(name);
        match self.errno.load(Ordering::Relaxed) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl<B: Backend> Backend for Counting<B> {
    fn new() -> io::Result<Counting<B>> {
        Ok(Counting { inner: B::new()?, log: Arc::default() })
    }

    unsafe fn add(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.log.called("add")?;
        // SAFETY: the caller promises what `inner` asks for.
        unsafe { self.inner.add(fd, token, events) }
    }

    fn modify(&mut self, fd: RawSource, token: u64, events: Events) -> io::Result<()> {
        self.log.called("modify")?;
        self.inner.modify(fd, token, events)
    }

    fn remove(&mut self, fd: RawSource) -> io::Result<()> {
        // Taken out all the same: a kernel that refuses has no such entry.
        let outcome = self.log.called("remove");
        self.inner.remove(fd).and(outcome)
    }

    fn wait(&mut self, timeout: Option<Duration>, max: usize, ready: &mut Vec<(u64, Events)>) -> io::Result<()> {
        self.inner.wait(timeout, max, ready)
    }

    fn waker(&mut self) -> io::Result<Waker> {
        self.inner.waker()
    }
}

impl<B: Kind> Kind for Counting<B> {
    const HANG_UP: Events = B::HANG_UP;
    const LIMIT: usize = B::LIMIT;
    const TAKES_FILES: bool = B::TAKES_FILES;
    const CLOSED: Closed = B::CLOSED;
    const CALLS: &[&str] = B::CALLS;
}
