//! An echo over datagrams: a server for any number of clients on one selector, and a client that sends again where nothing comes back.
//!
//! UDP loses datagrams, doubles them and changes their order, and nobody is told. The server keeps no state of a client; the client waits for
//! each echo with a deadline.
//!
//! ```
//! use selkey::apps::{Transcript, udp};
//! use selkey::socket::{Address, Options, bind_datagram};
//! use std::thread;
//!
//! # fn main() -> std::io::Result<()> {
//! let socket = bind_datagram(&Address::from("127.0.0.1:0"), &Options::default())?;
//! let address = Address::from(socket.local_addr()?.as_socket().unwrap());
//! let server = thread::spawn(move || {
//!     let mut server = udp::Server::new(socket, &Transcript::silent())?;
//!     server.stop_after(2);
//!     server.run()?;
//!     Ok::<_, std::io::Error>(server.tally())
//! });
//!
//! let shown = Transcript::new(|line| println!("{line}"));
//! udp::exchange(&address, &Options::default(), &["Hello, world", ""], udp::Patience::default(), &shown)?;
//! assert_eq!(server.join().unwrap()?.echoed, 2);
//! # Ok(())
//! # }
//! ```

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::transcript::Transcript;
use crate::buffer::python;
use crate::error::about;
use crate::events::{EVENT_READ, EVENT_WRITE, Events};
use crate::selector::{Backend, DefaultBackend, DefaultSelector, Key, Selector};
use crate::socket::{
    Address, Datagram, Options, SockAddr, Socket, Transfer, connect_datagram, name, peer_name, receive_from, send,
    send_to,
};

/// No datagram is longer: its length is a 16-bit field (RFC 768). At most 65,507 of these bytes are data over IPv4 and 65,527 over IPv6;
/// jumbograms (RFC 2675) are not for this echo.
pub const LONGEST: usize = u16::MAX as usize;

/// How many datagrams one wake takes before the selector is asked again for what else is ready.
const BATCH: usize = 64;

/// What became of the datagrams that have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sent back.
    pub echoed: u64,
    /// Longer than the buffer, and not answered.
    pub too_long: u64,
    /// The system refused to send the echo.
    pub failed: u64,
}

/// A server that sends each datagram back to where it says it is from.
///
/// It has one buffer and allocates nothing per datagram unless a transcript is told. A datagram longer than the buffer is told with both
/// lengths and not answered; systems other than Linux tell one byte more than fits for its length.
///
/// Where the kernel takes no more to send, the server holds that one echo and receives nothing until it is gone: what comes meanwhile waits in
/// the socket's receive buffer (SO_RCVBUF), and beyond that the kernel drops it. An echo that the system refuses, and the word that an earlier
/// one found nobody (ICMP), are told and end nothing.
///
/// A sender's address can be forged, and two echoes that are made to answer each other never stop: keep it off open networks. On a socket
/// bound to every interface the system chooses the address that an echo is from, by its route; a client that is connected to another address
/// of the machine does not hear it.
#[derive(Debug)]
pub struct Server<B = DefaultBackend> {
    selector: Selector<Socket, (), B>,
    socket: Key,
    echo: Echo,
    ready: Vec<(Key, Events)>,
}

impl Server {
    /// A server on this UDP socket that takes datagrams of any length.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    pub fn new(socket: Socket, transcript: &Transcript) -> io::Result<Server> {
        Server::with_backend(DefaultBackend::new()?, socket, LONGEST, transcript)
    }
}

impl<B: Backend> Server<B> {
    /// A server over this backend that takes datagrams of up to `longest` bytes; more than [`LONGEST`] is that.
    ///
    /// # Errors
    /// As [`new`](Server::new).
    pub fn with_backend(backend: B, socket: Socket, longest: usize, transcript: &Transcript) -> io::Result<Server<B>> {
        socket.set_nonblocking(true)?;
        let mut selector = Selector::with_backend(backend);
        let socket = selector.register(socket, EVENT_READ, ())?;
        // One byte more, so that a datagram that was cut is known as such also where the system does not say so.
        let buffer = vec![0; longest.min(LONGEST) + 1].into_boxed_slice();
        let echo = Echo { buffer, held: None, left: u64::MAX, tally: Tally::default(), transcript: transcript.clone() };
        Ok(Server { selector, socket, echo, ready: Vec::new() })
    }

    /// Ends [`run`](Server::run) after so many more datagrams, of whatever fate.
    pub fn stop_after(&mut self, datagrams: u64) {
        self.echo.left = datagrams;
    }

    /// What became of the datagrams so far.
    pub fn tally(&self) -> Tally {
        self.echo.tally
    }

    /// Watches something else as well, the end of a pair for signals perhaps: [`turn`](Server::turn) and [`run`](Server::run) answer this key when
    /// it is ready to read.
    ///
    /// # Errors
    /// It cannot be watched: it is a regular file, or the selector is out of memory.
    pub fn watch(&mut self, source: impl Into<OwnedFd>) -> io::Result<Key> {
        Ok(self.selector.register(Socket::from(source.into()), EVENT_READ, ())?)
    }

    /// Waits until something is ready or the time is over (`None` is never), and serves some datagrams, at most 64. The key is that of
    /// something else that is [watched](Server::watch) and ready; it goes first.
    ///
    /// # Errors
    /// The socket is no datagram socket, or what the selector says.
    pub fn turn(&mut self, timeout: impl Into<Option<Duration>>) -> io::Result<Option<Key>> {
        self.selector.select_into(timeout, &mut self.ready)?;
        if let Some((other, _)) = self.ready.iter().find(|(key, _)| *key != self.socket) {
            return Ok(Some(*other));
        }
        if let (false, Some((socket, ()))) = (self.ready.is_empty(), self.selector.get_mut(self.socket)) {
            let interest = self.echo.advance(socket)?;
            self.selector.modify(self.socket, interest)?;
        }
        Ok(None)
    }

    /// Serves until something else that is [watched](Server::watch) is ready, which is answered, or the last datagram of
    /// [`stop_after`](Server::stop_after) is done.
    ///
    /// # Errors
    /// As [`turn`](Server::turn).
    pub fn run(&mut self) -> io::Result<Option<Key>> {
        while self.echo.left > 0 {
            let other = self.turn(None)?;
            if other.is_some() {
                return Ok(other);
            }
        }
        Ok(None)
    }
}

/// The server without its selector: it answers what to wait for.
#[derive(Debug)]
struct Echo {
    buffer: Box<[u8]>,
    /// How long the echo in the buffer is and where it goes, while the kernel takes no more.
    held: Option<(usize, SockAddr)>,
    left: u64,
    tally: Tally,
    transcript: Transcript,
}

impl Echo {
    fn advance(&mut self, socket: &Socket) -> io::Result<Events> {
        for _ in 0..BATCH {
            if self.left == 0 {
                break;
            }
            let (length, to) = match self.held.take() {
                Some(held) => held,
                None => match receive_from(socket, &mut self.buffer) {
                    Ok(Datagram::Received { length, from, .. }) if length >= self.buffer.len() => {
                        self.refuse(length, &from);
                        continue;
                    }
                    Ok(Datagram::Received { length, from, .. }) => {
                        self.tell("Echoing", length, &from);
                        (length, from)
                    }
                    Ok(Datagram::Pending) => break,
                    Err(error) if is_passing(&error) => {
                        self.transcript.say(format_args!("An earlier echo was not delivered: {error}"));
                        continue;
                    }
                    Err(error) => return Err(about("cannot receive datagrams", error)),
                },
            };
            match send_to(socket, &self.buffer[..length], &to) {
                Ok(Transfer::Pending) => {
                    self.held = Some((length, to));
                    return Ok(EVENT_WRITE);
                }
                Ok(_) => self.tally.echoed += 1,
                Err(error) => {
                    self.transcript.say(format_args!("Echo lost: {error}"));
                    self.tally.failed += 1;
                }
            }
            self.left -= 1;
        }
        Ok(EVENT_READ)
    }

    fn tell(&self, what: &str, length: usize, peer: &SockAddr) {
        // The name of an address is a string of its own.
        if !self.transcript.is_silent() {
            self.transcript.say(format_args!("{what} {} to {}", python(&self.buffer[..length]), name(peer)));
        }
    }

    fn refuse(&mut self, length: usize, from: &SockAddr) {
        self.tally.too_long += 1;
        self.left -= 1;
        if !self.transcript.is_silent() {
            let fits = self.buffer.len() - 1;
            self.transcript.say(format_args!(
                "Not echoing a datagram of {length} bytes from {}: the buffer holds {fits}",
                name(from)
            ));
        }
    }
}

/// Whether it is about what was sent before (udp(7), "Error handling") and not about the socket.
fn is_passing(error: &io::Error) -> bool {
    !matches!(error.raw_os_error(), Some(libc::EBADF | libc::EFAULT | libc::EINVAL | libc::ENOTSOCK))
}

/// How long a client waits for an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first sending of a message until it is given up.
    pub timeout: Duration,
    /// How often a message is sent again within that time, in equal intervals.
    pub retries: u32,
}

/// 5 seconds and 3 retries: sent at the latest at 0, 1.25, 2.5 and 3.75 s.
impl Default for Patience {
    fn default() -> Patience {
        Patience { timeout: Duration::from_secs(5), retries: 3 }
    }
}

/// Sends each message as one datagram and waits for its echo before the next.
///
/// Each message goes out from a port of its own, so that a late echo of one is not taken for that of another, however equal they are. Where the
/// first message is refused at one address of a name or cannot be sent there, the next address is tried.
///
/// # Errors
/// `ConnectionRefused`: nobody is there. `TimedOut`: no echo came. `InvalidData`: the echo differs. EMSGSIZE: the message is longer than a
/// datagram can be. All name the address; also as [`connect_datagram`].
pub fn exchange<M: AsRef<[u8]>>(
    address: &Address,
    options: &Options,
    messages: &[M],
    patience: Patience,
    transcript: &Transcript,
) -> io::Result<()> {
    let found = address.resolve()?;
    let mut addresses = found.iter().map(|found| found.as_socket().map_or_else(|| address.clone(), Address::from));
    let mut address = addresses.next().unwrap_or_else(|| address.clone());
    let mut buffer = vec![0; LONGEST];
    // Kept until the next one has its port, which is another one then.
    let mut before = None;
    for (at, message) in messages.iter().enumerate() {
        let mut attempt = |address: &Address| {
            let socket = connect_datagram(address, options)?;
            let outcome = ask(&socket, message.as_ref(), &messages[..at], patience, &mut buffer, transcript);
            before = Some(socket);
            outcome
        };
        let mut outcome = attempt(&address);
        while let (0, Err(error)) = (at, &outcome)
            && !matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::InvalidData)
            && let Some(next) = addresses.next()
        {
            address = next;
            outcome = attempt(&address);
        }
        outcome?;
    }
    drop(before);
    Ok(())
}

fn ask<M: AsRef<[u8]>>(
    socket: &Socket,
    message: &[u8],
    earlier: &[M],
    patience: Patience,
    buffer: &mut [u8],
    transcript: &Transcript,
) -> io::Result<()> {
    let peer = peer_name(socket);
    let mut selector = DefaultSelector::new()?;
    selector.register(socket, EVENT_READ, ())?;
    let tries = patience.retries.saturating_add(1);
    for n in 1..=tries {
        let again = if n == 1 { String::new() } else { format!(" again, {n} of {tries}") };
        transcript.say(format_args!("Sending {} to {peer}{again}", python(message)));
        // A full buffer is a loss like any other.
        send(socket, message)
            .map_err(|error| about(format_args!("cannot send {} bytes to {peer}", message.len()), error))?;
        let sent = Instant::now();
        loop {
            let left = (patience.timeout / tries).saturating_sub(sent.elapsed());
            match receive_from(socket, buffer).map_err(|error| about(format_args!("no echo from {peer}"), error))? {
                Datagram::Received { stored, length, .. } => {
                    let came = &buffer[..stored];
                    let is_echo = length == stored && came == message;
                    // The port may have been that of an earlier message.
                    if is_echo || !earlier.iter().any(|earlier| earlier.as_ref() == came) {
                        transcript.say(format_args!("Received {} from {peer}", python(came)));
                        let differs = format!("what came back from {peer} differs from what was sent");
                        return if is_echo { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, differs)) };
                    }
                }
                Datagram::Pending if left.is_zero() => break,
                Datagram::Pending => drop(selector.select(left)?),
            }
            if left.is_zero() {
                break;
            }
        }
    }
    let what = format!("no echo from {peer} within {:?} (tries: {tries})", patience.timeout);
    Err(io::Error::new(io::ErrorKind::TimedOut, what))
}
