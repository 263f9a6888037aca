//! Socket options: the table, every entry of it set and read back, and the documented effects.

mod bind;
mod buffers;
#[cfg(feature = "cli")]
mod command_line;
mod declared;
mod streams;
mod table;
#[cfg(target_os = "linux")]
mod user_timeout;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use selkey::socket::{Accept, Dial, Listener, Options, Socket, accept, dial, listen, progress};
use socket2::{Domain, Type};

use crate::harness::{PATIENCE, poll_fd};

/// Long enough for what loopback does at once, short enough to wait for what must not come.
const MOMENT: Duration = Duration::from_millis(100);

fn tcp_socket() -> Socket {
    Socket::new(Domain::IPV4, Type::STREAM, None).unwrap()
}

fn address_of(socket: &Socket) -> SocketAddr {
    socket.local_addr().unwrap().as_socket().unwrap()
}

fn listener(options: &Options) -> Listener {
    listen(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(), options).unwrap()
}

/// A connection that was dialled and made.
fn dialled(address: SocketAddr, options: &Options) -> Socket {
    let (socket, mut state) = dial(&address.into(), options).unwrap();
    while state == Dial::Pending {
        poll_fd(socket.as_raw_fd(), libc::POLLOUT, PATIENCE);
        state = progress(&socket).unwrap();
    }
    assert_eq!(state, Dial::Connected);
    socket
}

/// What comes next out of a listener's queue.
fn accepted(listener: &Socket) -> Socket {
    loop {
        match accept(listener).unwrap() {
            Accept::Connection(socket) => return socket,
            Accept::Pending => assert_ne!(poll_fd(listener.as_raw_fd(), libc::POLLIN, PATIENCE), 0, "nobody came"),
            other => panic!("{other:?}"),
        }
    }
}

/// Both ends, non-blocking: the accepted one, whose listener had `server`, and the dialled one.
fn pair(server: &Options, client: &Options) -> (Socket, Socket) {
    let listener = listener(server);
    let theirs = dialled(address_of(&listener), client);
    (accepted(&listener), theirs)
}

fn readable(socket: &Socket, timeout: Duration) -> bool {
    poll_fd(socket.as_raw_fd(), libc::POLLIN, timeout) & libc::POLLIN != 0
}

fn writable(socket: &Socket) -> bool {
    poll_fd(socket.as_raw_fd(), libc::POLLOUT, Duration::ZERO) & libc::POLLOUT != 0
}
