//! What experiments stand on: listeners and connections on loopback, with a limit on every wait.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Obstacle, Seen, Trial, environment};
use crate::events::{EVENT_WRITE, Events};
use crate::selector::{AsSource, Backend, Poll, Selector};
use crate::socket::{Flags, Transfer, pause, receive, receive_with, send_with};

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

/// The address by which this machine speaks to others. The connect of a datagram socket sends nothing: it looks up the way, and with it the address.
pub(super) fn outward() -> io::Result<IpAddr> {
    let socket = udp()?;
    socket.connect(&SocketAddr::from(([192, 0, 2, 1], 9)).into())?;
    Some(bound(&socket)?.ip()).filter(|ip| !ip.is_loopback()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
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
        Some(libc::EPIPE) => "EPIPE",
        Some(libc::ETIMEDOUT) => "ETIMEDOUT",
        _ => return error.to_string(),
    };
    name.into()
}

/// The numbers of a kernel parameter, like `net.core.rmem_max`; lacking where there is none of this name.
pub(super) fn sysctl(name: &str) -> Result<Vec<usize>, Obstacle> {
    let text =
        environment::sysctl(name).ok_or_else(|| Obstacle::Lacking(format!("there is no {name} to be read here")))?;
    Ok(text.split(' ').filter_map(|number| number.parse().ok()).collect())
}

/// All that comes from a blocking socket, and what ended it: the peer (`None`), an errno, or `EAGAIN` where nothing came any more.
pub(super) fn rest(socket: &Socket) -> (Vec<u8>, Option<i32>) {
    let (mut all, mut bytes) = (Vec::new(), [0; 65_536]);
    loop {
        match receive(socket, &mut bytes) {
            Ok(Transfer::Moved(n)) => all.extend(&bytes[..n]),
            Ok(Transfer::Closed) => return (all, None),
            Ok(Transfer::Pending) => return (all, Some(libc::EAGAIN)),
            Err(error) => return (all, error.raw_os_error()),
        }
    }
}

/// What ended a connection, as [`rest`] tells it, in a word.
pub(super) fn ending(errno: Option<i32>) -> String {
    match errno {
        None => "the end".into(),
        Some(libc::EAGAIN) => "nothing".into(),
        Some(errno) => errno_name(&io::Error::from_raw_os_error(errno)),
    }
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
    reports::<Poll, _>(socket, EVENT_WRITE, within)
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

/// A connection whose sender the kernel refuses more, because its reader has not read a byte: the sender, the reader, and how much was sent. The
/// sender's buffer is so much larger than the reader's that most of the bytes stay in it.
pub(super) fn stuffed(trial: &mut Trial) -> Result<(Socket, Socket, usize), Obstacle> {
    let (listener, reader) = (tcp()?, tcp()?);
    trial.set("the sender", &listener, "SO_SNDBUF", 128 << 10)?;
    trial.set("the reader", &reader, "SO_RCVBUF", 8 << 10)?;
    listener.bind(&any_port().into())?;
    listener.listen(1)?;
    reader.connect(&bound(&listener)?.into())?;
    let (sender, _) = listener.accept()?;
    let sender = patient(sender)?;
    let (mut sent, bytes) = (0, [b'x'; 4096]);
    while let Transfer::Moved(n) = send_with(&sender, &bytes, Flags::DONTWAIT)? {
        sent += n;
    }
    Ok((sender, reader, sent))
}

/// How long nothing happens before that is believed, where whatever might happen has its cause behind it.
pub(super) const QUIET: Duration = Duration::from_millis(100);

/// Whether a selector over this backend reports the source for this interest, now or within [`QUIET`].
pub(super) fn wakes<B: Backend, F: AsSource>(source: &F, events: Events) -> io::Result<bool> {
    reports::<B, F>(source, events, QUIET)
}

fn reports<B: Backend, F: AsSource>(source: &F, events: Events, within: Duration) -> io::Result<bool> {
    let mut selector = Selector::<&F, (), B>::with_backend(B::new()?);
    selector.register(source, events, ())?;
    Ok(!selector.select(within)?.is_empty())
}
