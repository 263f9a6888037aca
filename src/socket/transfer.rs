//! Moving bytes: as many as the kernel takes or has, and a value that says so.

use std::io::{self, IoSlice};
use std::ops::BitOr;

use socket2::Socket;

use crate::sys;
use crate::sys::socket::{MORE, NO_SIGNAL};

/// What a receive or a send came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// This many bytes were moved, at least one; fewer than asked is usual.
    Moved(usize),
    /// Nothing can be moved now; wait for readiness.
    Pending,
    /// The peer sends no more (a receive only).
    Closed,
}

/// What `recv` and `send` can be told and `read` and `write` cannot; combined with `|`.
///
/// A send on a broken connection is an error and never a SIGPIPE, without a flag (MSG_NOSIGNAL).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(libc::c_int);

impl Flags {
    /// Nothing special.
    pub const NONE: Flags = Flags(0);
    /// Receive: leave the bytes where they are (MSG_PEEK).
    pub const PEEK: Flags = Flags(libc::MSG_PEEK);
    /// The one urgent byte: send the last byte as such, or receive it (MSG_OOB).
    pub const OOB: Flags = Flags(libc::MSG_OOB);
    /// Receive: as many bytes as there is room for, unless the peer ends or a signal comes (MSG_WAITALL); on a blocking socket.
    pub const WAITALL: Flags = Flags(libc::MSG_WAITALL);
    /// Do not block, though the socket does (MSG_DONTWAIT).
    pub const DONTWAIT: Flags = Flags(libc::MSG_DONTWAIT);
    /// Send: more follows at once, so that no small segment need go out (MSG_MORE; nothing where the system has no such hint).
    pub const MORE: Flags = Flags(MORE);
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// Receives what is there into `bytes`, which must not be empty.
///
/// # Errors
/// The connection was reset, or what else recv(2) says; a signal counts as [`Transfer::Pending`].
#[inline(always)]
pub fn receive(socket: &Socket, bytes: &mut [u8]) -> io::Result<Transfer> {
    receive_with(socket, bytes, Flags::NONE)
}

/// As [`receive`], with flags.
///
/// # Errors
/// As [`receive`]; `EINVAL` for [`Flags::OOB`] where no urgent byte waits.
#[inline(always)]
pub fn receive_with(socket: &Socket, bytes: &mut [u8], flags: Flags) -> io::Result<Transfer> {
    match sys::socket::receive(socket, bytes, flags.0) {
        Ok(0) => Ok(Transfer::Closed),
        outcome => moved(outcome),
    }
}

/// Sends what the kernel takes of `bytes`. A broken connection is an error, never a SIGPIPE.
///
/// # Errors
/// The connection was reset or is shut down (EPIPE), or what else send(2) says; a signal counts as [`Transfer::Pending`].
#[inline(always)]
pub fn send(socket: &Socket, bytes: &[u8]) -> io::Result<Transfer> {
    send_with(socket, bytes, Flags::NONE)
}

/// As [`send`], with flags.
///
/// # Errors
/// As [`send`].
#[inline(always)]
pub fn send_with(socket: &Socket, bytes: &[u8], flags: Flags) -> io::Result<Transfer> {
    moved(sys::socket::send(socket, bytes, flags.0))
}

/// As [`send_with`], for bytes that lie in several places; in one system call.
///
/// # Errors
/// As [`send`]; more slices than the system takes at once (1024 on Linux) are `EMSGSIZE`.
pub fn send_slices(socket: &Socket, slices: &[IoSlice<'_>], flags: Flags) -> io::Result<Transfer> {
    moved(socket.send_vectored_with_flags(slices, flags.0 | NO_SIGNAL))
}

#[inline(always)]
fn moved(outcome: io::Result<usize>) -> io::Result<Transfer> {
    match outcome {
        Ok(n) => Ok(Transfer::Moved(n)),
        Err(error) => not_moved(error),
    }
}

#[cold]
fn not_moved(error: io::Error) -> io::Result<Transfer> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(Transfer::Pending),
        _ => Err(error),
    }
}
