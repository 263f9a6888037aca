//! Connecting without waiting: Python's `connect_ex` as a value.

use std::io;

use socket2::{Protocol, SockAddr, Socket, Type};

use super::{Options, Role};
use crate::sys;

/// Where a connect stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// Under way. It has ended when the socket is writable; ask [`progress`] then.
    Pending,
    /// Connected.
    Connected,
    /// Refused, unreachable or timed out; the errno says which. The socket is of no more use.
    Failed(i32),
}

/// Starts to connect a new non-blocking stream socket with these options. "In progress" is an answer, not an error.
///
/// A Unix-domain connect to a full queue is `Failed(EAGAIN)`: the system does not go on trying.
///
/// # Errors
/// No socket could be made: out of descriptors, or the address's family is not there. An option is refused; the error names it.
pub fn dial(address: &SockAddr, options: &Options) -> io::Result<(Socket, Dial)> {
    let socket = stream(address)?;
    options.apply(&socket, Role::Dialled)?;
    let state = match socket.connect(address) {
        Ok(()) => progress(&socket)?,
        Err(error) => match error.raw_os_error() {
            Some(libc::EINPROGRESS | libc::EINTR) => Dial::Pending,
            Some(errno) => Dial::Failed(errno),
            None => return Err(error),
        },
    };
    Ok((socket, state))
}

/// Where the connect of this socket stands; worth asking when it became writable.
///
/// A connect has succeeded when no error is pending and the peer has an address. A loopback connect to a free port of the ephemeral range can
/// meet itself (simultaneous open); nobody is there, so that counts as refused.
///
/// # Errors
/// The socket cannot be asked.
pub fn progress(socket: &Socket) -> io::Result<Dial> {
    if let Some(error) = socket.take_error()? {
        return Ok(Dial::Failed(error.raw_os_error().unwrap_or(libc::EIO)));
    }
    match socket.peer_addr() {
        Ok(peer) if !peer.is_unix() && peer == socket.local_addr()? => Ok(Dial::Failed(libc::ECONNREFUSED)),
        Ok(_) => Ok(Dial::Connected),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(Dial::Pending),
        Err(error) => Err(error),
    }
}

/// A stream socket of the address's family, non-blocking and close-on-exec from the start.
pub(super) fn stream(address: &SockAddr) -> io::Result<Socket> {
    let protocol = if address.is_unix() { None } else { Some(Protocol::TCP) };
    sys::socket::new(address.domain(), Type::STREAM, protocol)
}
