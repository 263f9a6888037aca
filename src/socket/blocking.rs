//! Waiting where that is simpler: connect, send all, receive exactly, each with a deadline.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::{Address, Dial, Options, Transfer, dial, name, progress, receive, send};
use crate::error::about;
use crate::sys;

/// A moment after which waiting ends; `None` is never.
#[derive(Clone, Copy)]
struct Deadline(Option<Instant>);

impl Deadline {
    /// A timeout beyond what a clock can say is none.
    fn after(timeout: Option<Duration>) -> Deadline {
        Deadline(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    fn wait(self, socket: &Socket, until: fn(RawFd, Option<Duration>) -> io::Result<bool>) -> io::Result<()> {
        loop {
            let left = self.0.map(|end| end.saturating_duration_since(Instant::now()));
            if until(socket.as_raw_fd(), left)? {
                return Ok(());
            }
            // Not ready: the time is over, or a signal came and it may go on.
            if left == Some(Duration::ZERO) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

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
pub fn connect(address: &Address, timeout: impl Into<Option<Duration>>) -> io::Result<Socket> {
    connect_with(address, &Options::default(), timeout)
}

/// As [`connect`], with these options.
///
/// # Errors
/// As [`connect`]; an option is refused, and the error names it.
pub fn connect_with(address: &Address, options: &Options, timeout: impl Into<Option<Duration>>) -> io::Result<Socket> {
    let deadline = Deadline::after(timeout.into());
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for candidate in address.resolve()? {
        let connected = dial(&candidate, options).and_then(|(socket, state)| finish(socket, state, deadline));
        outcome = connected.map_err(|error| about(format_args!("cannot connect to {}", name(&candidate)), error));
        match &outcome {
            Err(error) if error.kind() != io::ErrorKind::TimedOut => {}
            _ => break,
        }
    }
    outcome
}

fn finish(socket: Socket, mut state: Dial, deadline: Deadline) -> io::Result<Socket> {
    loop {
        match state {
            Dial::Connected => return Ok(socket),
            Dial::Failed(errno) => return Err(io::Error::from_raw_os_error(errno)),
            Dial::Pending => deadline.wait(&socket, sys::wait_writable)?,
        }
        state = progress(&socket)?;
    }
}

/// Sends all of `bytes`, however often the kernel takes only a part. Python's `sendall`.
///
/// # Errors
/// `TimedOut` with how much was sent; or as [`send`].
pub fn send_all(socket: &Socket, bytes: &[u8], timeout: impl Into<Option<Duration>>) -> io::Result<()> {
    let deadline = Deadline::after(timeout.into());
    let mut sent = 0;
    while sent < bytes.len() {
        match send(socket, &bytes[sent..])? {
            Transfer::Moved(n) => sent += n,
            Transfer::Pending | Transfer::Closed => deadline
                .wait(socket, sys::wait_writable)
                .map_err(|error| about(format_args!("sent {sent} of {} bytes", bytes.len()), error))?,
        }
    }
    Ok(())
}

/// Fills `bytes`, however often less than asked arrives.
///
/// # Errors
/// `UnexpectedEof` "closed after N of M bytes" where the peer ends before (also before the first byte: N is 0); `TimedOut` with how much
/// came; or as [`receive`].
pub fn receive_exact(socket: &Socket, bytes: &mut [u8], timeout: impl Into<Option<Duration>>) -> io::Result<()> {
    let deadline = Deadline::after(timeout.into());
    let (mut received, all) = (0, bytes.len());
    while received < all {
        match receive(socket, &mut bytes[received..])? {
            Transfer::Moved(n) => received += n,
            Transfer::Closed => {
                let what = format!("closed after {received} of {all} bytes");
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
            Transfer::Pending => deadline
                .wait(socket, sys::wait_readable)
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
