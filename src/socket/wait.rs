//! How long blocking code waits, and what ends a wait before.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::sys::{AsSource, RawSource, Woken, wait_readable, wait_writable};

/// How long to wait: a time, or without limit (`None`); and perhaps something that ends the wait before.
///
/// The time runs from where the `Wait` is made: one that is used for several calls is a limit on all of them together. A time beyond what
/// a clock can say is no limit.
///
/// ```
/// use selkey::Waker;
/// use selkey::socket::{Wait, pause};
/// use std::{io::ErrorKind, thread, time::Duration};
///
/// # fn main() -> std::io::Result<()> {
/// pause(Duration::from_millis(1))?;
///
/// let stop = Waker::new()?;
/// thread::scope(|scope| {
///     let waiting = scope.spawn(|| pause(Wait::from(None).or_until(&stop)));
///     stop.wake().unwrap();
///     assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Wait<'a> {
    end: Option<Instant>,
    stop: Option<BorrowedFd<'a>>,
}

impl From<Duration> for Wait<'_> {
    fn from(time: Duration) -> Self {
        Wait { end: Instant::now().checked_add(time), stop: None }
    }
}

impl From<Option<Duration>> for Wait<'_> {
    fn from(time: Option<Duration>) -> Self {
        time.map_or(Wait { end: None, stop: None }, Wait::from)
    }
}

impl<'a> Wait<'a> {
    /// Ends the wait also when `stop` becomes readable, with the error `Interrupted`. Nothing is read from it, so that it ends every wait
    /// after that too, and those of other threads: a [`Waker`](crate::Waker) that was woken, a socket or pipe with a byte in it.
    pub fn or_until(self, stop: &'a impl AsSource) -> Wait<'a> {
        Wait { stop: Some(stop.as_fd()), ..self }
    }

    /// The same, but no longer than this from now on.
    pub(super) fn at_most(self, time: Duration) -> Wait<'a> {
        let end = Wait::from(time).end;
        Wait { end: self.end.into_iter().chain(end).min(), ..self }
    }

    pub(super) fn is_over(self) -> bool {
        self.end.is_some_and(|end| end <= Instant::now())
    }

    pub(super) fn readable(self, socket: &Socket) -> io::Result<()> {
        self.wait(|stop, left| wait_readable(Some(socket.as_raw_fd()), stop, left))
    }

    pub(super) fn writable(self, socket: &Socket) -> io::Result<()> {
        self.wait(|stop, left| wait_writable(Some(socket.as_raw_fd()), stop, left))
    }

    fn wait(self, until: impl Fn(Option<RawSource>, Option<Duration>) -> io::Result<Woken>) -> io::Result<()> {
        loop {
            let left = self.end.map(|end| end.saturating_duration_since(Instant::now()));
            match until(self.stop.map(|stop| stop.as_raw_fd()), left)? {
                Woken::Ready => return Ok(()),
                Woken::Stopped => return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped")),
                Woken::Neither if left == Some(Duration::ZERO) => return Err(io::ErrorKind::TimedOut.into()),
                Woken::Neither => {}
            }
        }
    }
}

/// Waits the time out: a sleep that can be ended.
///
/// # Errors
/// `Interrupted` where something ended it before.
pub fn pause<'a>(wait: impl Into<Wait<'a>>) -> io::Result<()> {
    match wait.into().wait(|stop, left| wait_readable(None, stop, left)) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
        outcome => outcome,
    }
}
