//! Waiting where that is simpler: connect, accept, send all, receive, close, each with a deadline.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use socket2::Socket;

use super::{Accept, Address, Dial, Options, Transfer, Wait, accept, dial, name, pause, progress, receive, send};
use crate::error::about;

/// How long an accept waits for descriptors that are closed elsewhere.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// How much [`close`] discards.
const DISCARDED: usize = 1 << 20;

/// Connects, trying all addresses of a name in turn, within one deadline for all of them. The socket comes non-blocking.
///
/// Without a timeout each address takes as long as the system tries (over two minutes on Linux, tcp_syn_retries).
///
/// # Errors
/// The name is not known; every address failed, and the error says why the last one did; `TimedOut`. All name the address.
///
/// ```
/// use selkey::socket::{Address, connect, receive_exact, send_all};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # std::thread::spawn(move || { let (s, _) = listener.accept().unwrap(); std::io::copy(&mut &s, &mut &s) });
/// let second = Duration::from_secs(1);
/// let socket = connect(&Address::from(address), second)?;
/// send_all(&socket, b"Hello, world", second)?;
/// let mut echo = [0; 12];
/// receive_exact(&socket, &mut echo, second)?;
/// assert_eq!(&echo, b"Hello, world");
/// # Ok(())
/// # }
/// ```
pub fn connect<'a>(address: &Address, wait: impl Into<Wait<'a>>) -> io::Result<Socket> {
    connect_with(address, &Options::default(), wait)
}

/// As [`connect`], with these options.
///
/// # Errors
/// As [`connect`]; an option is refused, and the error names it.
pub fn connect_with<'a>(address: &Address, options: &Options, wait: impl Into<Wait<'a>>) -> io::Result<Socket> {
    let wait = wait.into();
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for candidate in address.resolve()? {
        let dialled = dial(&candidate, options).and_then(|(socket, state)| connected(socket, state, wait));
        outcome = dialled.map_err(|error| about(format_args!("cannot connect to {}", name(&candidate)), error));
        match &outcome {
            Err(error) if ![io::ErrorKind::TimedOut, io::ErrorKind::Interrupted].contains(&error.kind()) => {}
            _ => break,
        }
    }
    outcome
}

fn connected(socket: Socket, mut state: Dial, wait: Wait<'_>) -> io::Result<Socket> {
    loop {
        match state {
            Dial::Connected => return Ok(socket),
            Dial::Failed(errno) => return Err(io::Error::from_raw_os_error(errno)),
            Dial::Pending => wait.writable(&socket)?,
        }
        state = progress(&socket)?;
    }
}

/// Waits for a connection and takes it off the queue of a non-blocking listener; it comes non-blocking. While descriptors or memory are used
/// up it goes on trying: the connection waits in the queue.
///
/// # Errors
/// `TimedOut`, `Interrupted` (see [`Wait`]); descriptors or memory were used up all the time; or as [`accept`].
pub fn accept_next<'a>(listener: &Socket, wait: impl Into<Wait<'a>>) -> io::Result<Socket> {
    let wait = wait.into();
    loop {
        wait.readable(listener)?;
        match accept(listener)? {
            Accept::Connection(socket) => return Ok(socket),
            Accept::Pending | Accept::Skipped => {}
            Accept::Exhausted(error) if wait.is_over() => return Err(error),
            Accept::Exhausted(_) => pause(wait.at_most(EXHAUSTED_PAUSE))?,
        }
    }
}

/// Sends all of `bytes`, however often the kernel takes only a part. Python's `sendall`.
///
/// # Errors
/// `TimedOut` with how much was sent; or as [`send`].
pub fn send_all<'a>(socket: &Socket, bytes: &[u8], wait: impl Into<Wait<'a>>) -> io::Result<()> {
    let wait = wait.into();
    let mut sent = 0;
    while sent < bytes.len() {
        match send(socket, &bytes[sent..])? {
            Transfer::Moved(n) => sent += n,
            Transfer::Pending | Transfer::Closed => wait
                .writable(socket)
                .map_err(|error| about(format_args!("sent {sent} of {} bytes", bytes.len()), error))?,
        }
    }
    Ok(())
}

/// Waits for bytes and receives what is there, at most as many as fit; 0 where the peer sends no more. Python's `recv` with a timeout.
///
/// # Errors
/// `TimedOut`, `Interrupted` (see [`Wait`]); or as [`receive`].
pub fn receive_some<'a>(socket: &Socket, bytes: &mut [u8], wait: impl Into<Wait<'a>>) -> io::Result<usize> {
    let wait = wait.into();
    loop {
        // Looked at first, so that a peer that never pauses cannot keep `stop` from being seen.
        wait.readable(socket).map_err(|error| about("received nothing", error))?;
        match receive(socket, bytes)? {
            Transfer::Moved(n) => return Ok(n),
            Transfer::Closed => return Ok(0),
            Transfer::Pending => {}
        }
    }
}

/// Fills `bytes`, however often less than asked arrives.
///
/// # Errors
/// `UnexpectedEof` "closed after N of M bytes" where the peer ends before (also before the first byte: N is 0); `TimedOut` with how much
/// came; or as [`receive`].
pub fn receive_exact<'a>(socket: &Socket, bytes: &mut [u8], wait: impl Into<Wait<'a>>) -> io::Result<()> {
    let wait = wait.into();
    let (mut received, all) = (0, bytes.len());
    while received < all {
        match receive(socket, &mut bytes[received..])? {
            Transfer::Moved(n) => received += n,
            Transfer::Closed => {
                let what = format!("closed after {received} of {all} bytes");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
            Transfer::Pending => wait
                .readable(socket)
                .map_err(|error| about(format_args!("received {received} of {all} bytes"), error))?,
        }
    }
    Ok(())
}

/// Says that no more comes, and goes on receiving.
///
/// # Errors
/// `NotConnected` where the peer is gone.
pub fn half_close(socket: &Socket) -> io::Result<()> {
    socket.shutdown(Shutdown::Write)
}

/// Closes without destroying what was sent: says that no more comes, and discards what the peer still sends, until it has closed too, or 1 MiB
/// came, or the wait is over.
///
/// Closing at once, with bytes unread, is a reset, which takes from the peer what it has not read yet.
pub fn close<'a>(socket: Socket, wait: impl Into<Wait<'a>>) {
    let wait = wait.into();
    let (mut discarded, mut bytes) = (0, [0; 4096]);
    // Where anything fails the peer is gone, or has had its time.
    let mut more = half_close(&socket).is_ok();
    while more && discarded < DISCARDED {
        let n = receive_some(&socket, &mut bytes, wait).unwrap_or(0);
        discarded += n;
        more = n > 0;
    }
}
