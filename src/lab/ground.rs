//! What experiments stand on: listeners and connections on loopback, with a limit on every wait.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Obstacle, Seen, Trial};
use crate::events::EVENT_WRITE;
use crate::selector::PollSelector;
use crate::socket::{Flags, Transfer, pause, receive_with, send_with};

/// Longer than anything here takes where nothing is wrong. Every socket made here gives up after it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A blocking TCP socket on IPv4 that is not bound or connected yet.
pub(super) fn tcp() -> io::Result<Socket> {
    patient(Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?)
}

/// A blocking UDP socket on IPv4 that is not bound yet.
pub(super) fn udp() -> io::Result<Socket> {
    patient(Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?)
}

/// Any port of 127.0.0.1.
pub(super) fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Where a socket is bound.
pub(super) fn bound(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// A blocking listener on a free port of 127.0.0.1, and where it is.
pub(super) fn listener(backlog: i32) -> io::Result<(Socket, SocketAddr)> {
    let socket = tcp()?;
    socket.bind(&any_port().into())?;
    socket.listen(backlog)?;
    let address = bound(&socket)?;
    Ok((socket, address))
}

/// Two blocking ends of a connection, the dialled one first. `prepare` sees both sockets while options still shape the connection: the
/// client's before its connect, the listener before it listens.
pub(super) fn pair(prepare: impl FnOnce(&Socket, &Socket) -> io::Result<()>) -> io::Result<(Socket, Socket)> {
    let (client, listener) = (tcp()?, tcp()?);
    prepare(&client, &listener)?;
    listener.bind(&any_port().into())?;
    listener.listen(1)?;
    client.connect(&bound(&listener)?.into())?;
    let (server, _) = listener.accept()?;
    Ok((client, patient(server)?))
}

/// Gives up after [`PATIENCE`].
pub(super) fn patient(socket: Socket) -> io::Result<Socket> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// What a call came to: `done` where it did not fail, else the errno. It holds where that is the errno expected, or none as expected.
pub(super) fn answer(outcome: io::Result<()>, expected: Option<i32>, done: &str) -> Seen {
    match outcome {
        Ok(()) => Seen { found: done.into(), holds: expected.is_none() },
        Err(error) => Seen { found: errno_name(&error), holds: expected.is_some() && error.raw_os_error() == expected },
    }
}

/// The name that manual pages give to an errno, as far as experiments meet it; else what the system says.
pub(super) fn errno_name(error: &io::Error) -> String {
    let name = match error.raw_os_error() {
        Some(libc::EACCES) => "EACCES",
        Some(libc::EADDRINUSE) => "EADDRINUSE",
        Some(libc::EADDRNOTAVAIL) => "EADDRNOTAVAIL",
        Some(libc::ECONNREFUSED) => "ECONNREFUSED",
        Some(libc::ECONNRESET) => "ECONNRESET",
        Some(libc::EISCONN) => "EISCONN",
        _ => return error.to_string(),
    };
    name.into()
}

/// The numbers of a kernel parameter, like `net.core.rmem_max`; lacking where there is none of this name.
pub(super) fn sysctl(name: &str) -> Result<Vec<usize>, Obstacle> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    let text =
        fs::read_to_string(path).map_err(|_| Obstacle::Lacking(format!("there is no {name} to be read here")))?;
    Ok(text.split_whitespace().filter_map(|number| number.parse().ok()).collect())
}

/// Looks every millisecond, and answers whether it came to be so within [`PATIENCE`].
pub(super) fn comes_true(mut looks: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let end = Instant::now() + PATIENCE;
    while !looks()? {
        if Instant::now() >= end {
            return Ok(false);
        }
        pause(Duration::from_millis(1))?;
    }
    Ok(true)
}

/// Longer than a delayed acknowledgement, for which the sender on loopback may have to wait before its buffer has room again.
pub(super) const SETTLED: Duration = Duration::from_millis(60);

/// Whether a socket is writable, or becomes so within this time.
pub(super) fn is_writable(socket: &Socket, within: Duration) -> io::Result<bool> {
    let mut selector = PollSelector::new()?;
    selector.register(socket, EVENT_WRITE, ())?;
    Ok(!selector.select(within)?.is_empty())
}

/// Sends until the kernel has taken no more for this long, or `most` bytes were taken. Answers how many.
pub(super) fn fill(socket: &Socket, most: usize, quiet: Duration) -> io::Result<usize> {
    let (start, mut taken) = (Instant::now(), 0);
    while taken < most && start.elapsed() < PATIENCE {
        match send_with(socket, &[0; 4096], Flags::DONTWAIT)? {
            Transfer::Moved(n) => taken += n,
            _ if is_writable(socket, quiet)? => {}
            _ => break,
        }
    }
    Ok(taken)
}

/// Two blocking ends of a connection, the dialled one first, of which the client's SO_SNDBUF and the server's SO_RCVBUF were set to this.
pub(super) fn sized_pair(trial: &mut Trial, bytes: usize) -> Result<(Socket, Socket), Obstacle> {
    let ((listener, address), client) = (listener(1)?, tcp()?);
    trial.set("client", &client, "SO_SNDBUF", bytes)?;
    trial.set("listener", &listener, "SO_RCVBUF", bytes)?;
    client.connect(&address.into())?;
    let (server, _) = listener.accept()?;
    Ok((client, patient(server)?))
}

/// Receives what is there, and answers how many bytes that were.
pub(super) fn drain(socket: &Socket) -> io::Result<usize> {
    let (mut received, mut bytes) = (0, [0; 65_536]);
    while let Transfer::Moved(n) = receive_with(socket, &mut bytes, Flags::DONTWAIT)? {
        received += n;
    }
    Ok(received)
}
