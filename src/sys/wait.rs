//! Waiting for one descriptor, without a set: for blocking code over non-blocking sockets.

use std::io;
use std::time::Duration;

use super::{RawSource, ready_count, timeout};

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Ready,
    /// `stop` became readable.
    Stopped,
    /// The time is over, or a signal came.
    Neither,
}

/// Waits with poll(2) until a receive from `fd` would not block. `None` is nobody: then only `stop` and the time end the wait.
pub(crate) fn wait_readable(
    fd: Option<RawSource>,
    stop: Option<RawSource>,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    wait_for(fd, libc::POLLIN, stop, timeout)
}

/// As `wait_readable`, for a send.
pub(crate) fn wait_writable(
    fd: Option<RawSource>,
    stop: Option<RawSource>,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    wait_for(fd, libc::POLLOUT, stop, timeout)
}

fn wait_for(
    fd: Option<RawSource>,
    events: libc::c_short,
    stop: Option<RawSource>,
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    // A negative number is passed over.
    let polled = |fd: Option<RawSource>, events| libc::pollfd { fd: fd.unwrap_or(-1), events, revents: 0 };
    let mut polled = [polled(fd, events), polled(stop, libc::POLLIN)];
    // SAFETY: two entries, which live through the call.
    let ready = ready_count(unsafe { libc::poll(polled.as_mut_ptr(), 2, timeout::millis(timeout)) })?;
    Ok(match polled {
        _ if ready == 0 => Woken::Neither,
        [_, stop] if stop.revents != 0 => Woken::Stopped,
        _ => Woken::Ready,
    })
}
