//! Where bytes go: a socket, a list, or something that injects faults.

use std::io::{self, IoSlice};

use crate::socket::{self, Flags, Socket, Transfer};

/// Takes bytes as a socket does: some, none, or an error.
pub trait Sink {
    /// Takes what it can of `bytes` and says how many; 0 is "none now". `more` says that more follows at once.
    ///
    /// # Errors
    /// The connection is of no more use.
    fn send(&mut self, bytes: &[u8], more: bool) -> io::Result<usize>;

    /// As [`send`](Sink::send), for bytes that lie in several places. Unless it is overridden, it sends them one by one.
    ///
    /// # Errors
    /// As `send`.
    fn send_slices(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        let mut sent = 0;
        for (at, slice) in slices.iter().enumerate() {
            let taken = self.send(slice, more || at + 1 < slices.len())?;
            sent += taken;
            if taken < slice.len() {
                break;
            }
        }
        Ok(sent)
    }
}

impl Sink for &Socket {
    #[inline(always)]
    fn send(&mut self, bytes: &[u8], more: bool) -> io::Result<usize> {
        socket::send_with(self, bytes, flags(more)).map(count)
    }
    fn send_slices(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        socket::send_slices(self, slices, flags(more)).map(count)
    }
}

/// Takes everything.
impl Sink for Vec<u8> {
    fn send(&mut self, bytes: &[u8], _more: bool) -> io::Result<usize> {
        self.extend_from_slice(bytes);
        Ok(bytes.len())
    }
}

#[inline(always)]
fn flags(more: bool) -> Flags {
    if more { Flags::MORE } else { Flags::NONE }
}

#[inline]
fn count(transfer: Transfer) -> usize {
    match transfer {
        Transfer::Moved(n) => n,
        Transfer::Pending | Transfer::Closed => 0,
    }
}
