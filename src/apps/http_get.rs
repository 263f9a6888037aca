//! Fetching over a plain socket: an HTTP/1.1 request by hand, and what comes back until the peer closes.
//!
//! It is what the tutorials do with `recv` in a loop, and safe to point at any server: a body that is cut short is an error, chunks are put together,
//! and everything that the peer decides has a limit. There is no TLS, and no redirect is followed.

mod head;
mod response;
mod url;

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

pub use head::Head;
use response::{Response, Step};
pub use url::Url;

use crate::error::about;
use crate::socket::{Options, Socket, Transfer, connect_with, receive, send_all};
use crate::sys;

/// What a peer may take of time and room. The header has a limit of its own, 64 KiB.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long to wait for the connection, then for the whole header, then for every 4 KiB of the body. Time spent elsewhere does not count.
    pub patience: Duration,
    /// The longest body, in bytes.
    pub body: u64,
}

/// Half a minute, 1 GiB.
impl Default for Limits {
    fn default() -> Limits {
        Limits { patience: Duration::from_secs(30), body: 1 << 30 }
    }
}

/// What [`get`] hands out, as it comes.
#[derive(Debug)]
pub enum Part<'a> {
    /// The header, once and first; of any status.
    Head(&'a Head),
    /// A piece of the body, chunks already undone.
    Body(&'a [u8]),
}

/// Fetches `url` and hands its parts to `take`, the body only of a success (2xx). Interim answers (1xx) are passed over.
///
/// Only `Ok` says that the body is whole: to its Content-Length, to its last chunk, or to the close of a body that has neither. It blocks, and
/// looking up a name takes as long as the system tries.
///
/// # Errors
/// As [`connect_with`]; the status where it is no success, with where a redirect leads to; `UnexpectedEof` where the peer closes too early;
/// `InvalidData` for what is not HTTP/1; `FileTooLarge`; `TimedOut`. All name the address or the URL. What `take` answers comes back as it is.
///
/// ```
/// use selkey::apps::http_get::{Limits, Part, get};
/// use selkey::socket::Options;
/// # use std::io::{Read, Write};
///
/// # fn main() -> std::io::Result<()> {
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # std::thread::spawn(move || {
/// #     let (mut s, _) = listener.accept().unwrap();
/// #     let mut request = Vec::new();
/// #     while !request.ends_with(b"\r\n\r\n") { let mut b = [0]; s.read_exact(&mut b).unwrap(); request.push(b[0]); }
/// #     s.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello, world").unwrap();
/// # });
/// let url = format!("http://{address}/greeting").parse()?;
/// let mut body = Vec::new();
/// get(&url, &Options::default(), &Limits::default(), |part| {
///     match part {
///         Part::Head(head) => assert_eq!(head.field("content-length"), Some(&b"12"[..])),
///         Part::Body(piece) => body.extend_from_slice(piece),
///     }
///     Ok(())
/// })?;
/// assert_eq!(body, b"Hello, world");
/// # Ok(())
/// # }
/// ```
pub fn get(
    url: &Url,
    options: &Options,
    limits: &Limits,
    mut take: impl FnMut(Part<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let socket = connect_with(&url.address(), options, limits.patience)?;
    let named = |error| about(url, error);
    send_all(&socket, url.request().as_bytes(), limits.patience).map_err(named)?;
    let mut response = Response::new(limits.body);
    let mut pace = Pace::new("no whole header", limits.patience);
    let mut buffer = vec![0; 64 << 10];
    while !response.is_done() {
        match receive(&socket, &mut buffer).map_err(|error| named(after(&response, error)))? {
            Transfer::Moved(n) => {
                let mut input = &buffer[..n];
                while let Some(step) = response.next(&mut input).map_err(named)? {
                    match step {
                        Step::Head(head) => {
                            pace = Pace::new("less than 4 KiB", limits.patience);
                            take(Part::Head(&head))?;
                            if !head.is_success() {
                                return Err(named(head.failure()));
                            }
                        }
                        Step::Body(piece) => {
                            pace.moved(piece.len());
                            take(Part::Body(piece))?;
                        }
                    }
                }
            }
            Transfer::Pending => pace.wait(&socket).map_err(|error| named(after(&response, error)))?,
            Transfer::Closed => return response.end().map_err(named),
        }
    }
    Ok(())
}

/// `error`, and how far it had come by then.
fn after(response: &Response, error: io::Error) -> io::Error {
    match response.received() {
        0 => error,
        n => about(format_args!("after {n} bytes"), error),
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// As many bytes of a body must come in the time, so that one that trickles ends too.
const ENOUGH: usize = 4 << 10;

/// The time that may be waited until enough has come.
struct Pace {
    /// What the peer managed when the time is over.
    poor: &'static str,
    patience: Duration,
    left: Duration,
    bytes: usize,
}

impl Pace {
    fn new(poor: &'static str, patience: Duration) -> Pace {
        Pace { poor, patience, left: patience, bytes: 0 }
    }

    fn moved(&mut self, n: usize) {
        self.bytes += n;
        if self.bytes >= ENOUGH {
            *self = Pace::new(self.poor, self.patience);
        }
    }

    fn wait(&mut self, socket: &Socket) -> io::Result<()> {
        let start = Instant::now();
        let over = self.left.is_zero();
        let woken = sys::wait_readable(Some(socket.as_raw_fd()), None, Some(self.left))?;
        if woken == sys::Woken::Neither && over {
            let what = format!("{} in {:?}", self.poor, self.patience);
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
        self.left = self.left.saturating_sub(start.elapsed());
        Ok(())
    }
}
