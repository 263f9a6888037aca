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
