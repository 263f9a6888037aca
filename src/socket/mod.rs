//! Sockets: listening, dialling, accepting, moving bytes. It knows nothing of selectors, so it serves blocking code too.
//!
//! What may be "not yet" is a value here, not an error: [`Dial`], [`Transfer`], [`Accept`], [`Datagram`]. Code that would rather wait uses
//! [`connect`], [`accept_next`], [`send_all`], [`receive_some`] and [`receive_exact`], each with a deadline ([`Wait`]).

mod accept;
mod address;
mod blocking;
mod datagram;
mod dial;
mod listen;
pub mod options;
mod state;
mod transfer;
mod wait;

pub use accept::{Accept, accept};
pub use address::{Address, local_name, name, peer_name};
pub use blocking::{accept_next, close, connect, connect_with, half_close, receive_exact, receive_some, send_all};
pub use datagram::{Datagram, bind_datagram, connect_datagram, receive_from, send_to};
pub use dial::{Dial, dial, progress};
pub(crate) use listen::SocketFile;
pub use listen::{Listener, listen};
pub use options::{Options, Role, Setting};
pub use socket2::{SockAddr, Socket};
pub(crate) use state::is_unacknowledged;
pub use state::{State, TcpState, state};
pub use transfer::{Flags, Transfer, receive, receive_with, send, send_slices, send_with};
pub use wait::{Wait, pause};

/// The limit on open descriptors of this process.
///
/// # Errors
/// What getrlimit(2) says.
pub fn descriptor_limit() -> std::io::Result<u64> {
    crate::sys::descriptor_limit()
}

/// Raises the limit on open descriptors to what the system allows this process, and says what it is now.
///
/// # Errors
/// What getrlimit(2) or setrlimit(2) says.
pub fn raise_descriptor_limit() -> std::io::Result<u64> {
    crate::sys::raise_descriptor_limit()
}

/// Makes this end of an IPv4 connection as good as gone: the kernel drops every packet that comes for the socket from now on, so that the peer hears
/// neither acknowledgements nor answers. For trying out what a program does when its peer's host is lost; it takes no privilege.
///
/// It asks for a TTL of 255 (IP_MINTTL, RFC 5082), which no peer sends unless it was told to; the default is 64. What the socket sends still goes
/// out. Close it with SO_LINGER 0, or its kernel tries for more than a minute to deliver the end.
///
/// # Errors
/// `Unsupported` but on Linux and Android; what setsockopt(2) says.
///
/// ```
/// use selkey::socket::{self, Socket};
/// use std::{net::{TcpListener, TcpStream}, time::Duration};
///
/// # fn main() -> std::io::Result<()> {
/// # if cfg!(not(target_os = "linux")) { return Ok(()) }
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = Socket::from(TcpStream::connect(listener.local_addr()?)?);
/// let peer = Socket::from(listener.accept()?.0);
/// socket::deafen(&peer)?;
/// socket::send(&client, b"nobody acknowledges this")?;
/// assert_eq!(socket::state(&peer)?.unread, Some(0));
/// # peer.set_linger(Some(Duration::ZERO))?;
/// # client.set_linger(Some(Duration::ZERO))?;
/// # Ok(())
/// # }
/// ```
pub fn deafen(socket: &Socket) -> std::io::Result<()> {
    crate::sys::socket::deafen(socket)
}

/// The processor time that the calling thread has used, in the kernel and outside. It stands still while the thread sleeps.
///
/// # Errors
/// What clock_gettime(2) says.
///
/// ```
/// use selkey::socket::{pause, thread_time};
/// use std::time::{Duration, Instant};
///
/// # fn main() -> std::io::Result<()> {
/// let (before, start) = (thread_time()?, Instant::now());
/// pause(Duration::from_millis(100))?;
/// println!("{:?} of {:?}", thread_time()? - before, start.elapsed()); // about 50 µs of 100 ms
/// # Ok(())
/// # }
/// ```
pub fn thread_time() -> std::io::Result<std::time::Duration> {
    crate::sys::thread_time()
}
