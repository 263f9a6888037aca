//! A clock that the kernel counts: a descriptor that is readable when a tick has passed, so that a loop need not read the time.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::platform;

platform::on_epoll! {
    use std::os::fd::{AsRawFd, FromRawFd};
    use std::ptr;

    use super::check;

    /// A timer that is off: non-blocking and close-on-exec.
    pub(crate) fn open() -> io::Result<OwnedFd> {
        // SAFETY: the call takes no pointers.
        let fd = check(unsafe {
            libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC)
        })?;
        // SAFETY: the kernel has just made `fd` and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Lets it tick at this interval from now on; zero turns it off.
    pub(crate) fn set(ticker: &impl AsFd, every: Duration) -> io::Result<()> {
        let every = libc::timespec { tv_sec: every.as_secs() as _, tv_nsec: every.subsec_nanos() as _ };
        let times = libc::itimerspec { it_interval: every, it_value: every };
        // SAFETY: the call only reads `times`; a null pointer says that nobody asks what was set before.
        check(unsafe { libc::timerfd_settime(ticker.as_fd().as_raw_fd(), 0, &times, ptr::null_mut()) }).map(drop)
    }

    /// How many ticks have passed since it was last asked.
    pub(crate) fn passed(ticker: &impl AsFd) -> u64 {
        let mut ticks = 0u64;
        // SAFETY: eight bytes of `ticks`, which lives through the call.
        let n = unsafe { libc::read(ticker.as_fd().as_raw_fd(), (&raw mut ticks).cast(), size_of::<u64>()) };
        // "None yet" is an error to the kernel.
        if n < 0 { 0 } else { ticks }
    }
}

platform::on_kqueue! {
    pub(crate) fn open() -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn set(_ticker: &impl AsFd, _every: Duration) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn passed(_ticker: &impl AsFd) -> u64 {
        0
    }
}
