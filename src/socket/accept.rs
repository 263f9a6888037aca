//! Taking connections off a listener's queue.

use std::io;

use socket2::Socket;

use crate::sys;

/// What an [`accept`] came to.
#[derive(Debug)]
pub enum Accept {
    /// A connection, non-blocking and close-on-exec.
    Connection(Socket),
    /// The queue is empty.
    Pending,
    /// The one at the head of the queue was gone, or its network was; the next one may be there.
    Skipped,
    /// Descriptors or memory are used up (EMFILE, ENFILE, ENOBUFS, ENOMEM). The connection stays in the queue: stop looking until something was closed.
    Exhausted(io::Error),
}

/// Takes one connection off the queue of a non-blocking listener, in one system call where the system has one.
///
/// Errors of the one connection, which Linux passes on here (accept(2), "Error handling"), are [`Accept::Skipped`].
///
/// # Errors
/// The listener cannot be used (any more): not a socket, not listening, shut down.
pub fn accept(listener: &Socket) -> io::Result<Accept> {
    let error = match sys::socket::accept(listener) {
        Ok(socket) => return Ok(Accept::Connection(socket)),
        Err(error) => error,
    };
    match error.raw_os_error().unwrap_or(0) {
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => Ok(Accept::Exhausted(error)),
        libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EOPNOTSUPP | libc::EFAULT => Err(error),
        _ if error.kind() == io::ErrorKind::WouldBlock => Ok(Accept::Pending),
        _ => Ok(Accept::Skipped),
    }
}
