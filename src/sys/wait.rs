//! Waiting for one descriptor, without a set: for blocking code over non-blocking sockets.

use std::io;
use std::time::Duration;

use super::{RawSource, ready_count, timeout};

/// Waits with poll(2) until a receive from `fd` would not block, or the time is over, or a signal came; false for the last two.
pub(crate) fn wait_readable(fd: RawSource, timeout: Option<Duration>) -> io::Result<bool> {
    wait_for(fd, libc::POLLIN, timeout)
}

/// As `wait_readable`, for a send.
pub(crate) fn wait_writable(fd: RawSource, timeout: Option<Duration>) -> io::Result<bool> {
    wait_for(fd, libc::POLLOUT, timeout)
}

fn wait_for(fd: RawSource, events: libc::c_short, timeout: Option<Duration>) -> io::Result<bool> {
    let mut polled = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one entry, which lives through the call.
    ready_count(unsafe { libc::poll(&mut polled, 1, timeout::millis(timeout)) }).map(|count| count > 0)
}
