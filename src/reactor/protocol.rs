//! What a program says about one connection, without I/O and without a clock.

use std::{fmt, io};

use super::out::Out;

/// One side of one connection: what to answer to what arrived. Servers and clients are written alike.
///
/// The loop receives, sends, waits and closes; a protocol only computes. It holds no socket and no selector, so it can be tested with bytes alone.
/// A value of this type lives as long as its connection and is dropped with it.
pub trait Protocol {
    /// The connection is there, accepted or dialled. Speak first here, if at all.
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        let _ = out;
        Flow::MORE
    }

    /// All bytes that were not used yet, in one piece; called again when at least as many are there as the last [`Flow`] asked for. There may be none
    /// after a [`Flow::Later`] of the protocol's own, and only then.
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow;

    /// The peer sends no more; `rest` is what was never used. The other direction is still open until this answers `Close`.
    fn end(&mut self, rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
        let _ = (rest, out);
        Flow::Close
    }

    /// The server has as many connections as it may, and this one is one too many: instead of [`open`](Protocol::open), a last word is possible. Whatever
    /// is answered, the connection closes.
    fn refuse(&mut self, out: &mut Out<'_, '_>) -> Flow {
        let _ = out;
        Flow::Close
    }

    /// A deadline passed; a last word is possible. `More` gives the peer the same time once more, but not at [`Deadline::Drain`].
    /// A peer that stalls takes no last word: there, and at the end of draining, `Close` is a reset.
    fn expired(&mut self, what: Deadline, out: &mut Out<'_, '_>) -> Flow {
        let _ = (what, out);
        Flow::Close
    }

    /// The kernel has taken all of the output that had to wait: [`Out::queued`] is 0 again. For a protocol that holds its own output back meanwhile and is
    /// [poked](super::Reactor::poke) to go on; others are read again without a word.
    fn drained(&mut self) {}

    /// Asked while the loop [drains](super::Handle::drain) and the peer is silent between messages: whether the protocol has something under way
    /// nevertheless, so that the connection is not hung up on yet.
    fn is_busy(&self) -> bool {
        false
    }

    /// The connection is lost: a dial failed for every address (the error names the last one), the peer reset, the system refused. Called once, last.
    fn failed(&mut self, error: io::Error) {
        let _ = error;
    }
}

/// What a protocol wants next.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    More {
        /// How many bytes of the input are dealt with.
        used: usize,
        /// Call again when this many bytes lie there, counted after `used`. With nothing used, at least one more than there are now.
        need: usize,
    },
    /// The output is full: once the socket takes more, the same rest again, whether or not more has arrived, and also where nothing is left of it.
    /// After [`end`](Protocol::end) that is called again instead. With nothing used and nothing queued there is nothing to wait for but more input.
    Later {
        /// How many bytes of the input are dealt with.
        used: usize,
    },
    /// All of the input is used; read no more, and have no deadline for reading, until the protocol answers something else when it is
    /// [poked](super::Reactor::poke). Meanwhile neither the peer's end nor its reset is noticed, unless something is sent.
    Wait,
    /// All of the input is used; send what is queued and then say that no more comes (a half-close), but go on reading; nothing may be sent
    /// after it. Where the peer sends no more either, it is `Close`.
    Finish,
    /// Send what is queued, say that no more comes, discard a little of what the peer still sends, close.
    Close,
    /// Forget what is queued and reset the connection.
    Abort,
}

impl Flow {
    /// Nothing used, waiting for more.
    pub const MORE: Flow = Flow::More { used: 0, need: 1 };

    /// This many bytes used, and any more are welcome.
    pub const fn used(used: usize) -> Flow {
        Flow::More { used, need: 1 }
    }
}

/// Which deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deadline {
    /// A dial, or the first byte from a peer.
    Open,
    /// A message, from its first byte to the end of its header, from there to its last byte.
    Message,
    /// Silence between messages.
    Idle,
    /// The peer takes what is sent too slowly.
    Stall,
    /// The server is shutting down and has waited long enough.
    Drain,
}

impl Deadline {
    /// All of them, in the order in which a connection can meet them.
    pub const ALL: [Deadline; 5] =
        [Deadline::Open, Deadline::Message, Deadline::Idle, Deadline::Stall, Deadline::Drain];
}

/// What the peer did not do in time.
impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Deadline::Open => "nothing came in time",
            Deadline::Message => "a message was not whole in time",
            Deadline::Idle => "silent for too long",
            Deadline::Stall => "it takes what is sent too slowly",
            Deadline::Drain => "still there when draining ended",
        })
    }
}

impl<P: Protocol + ?Sized> Protocol for Box<P> {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        (**self).open(out)
    }
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        (**self).receive(input, out)
    }
    fn end(&mut self, rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
        (**self).end(rest, out)
    }
    fn refuse(&mut self, out: &mut Out<'_, '_>) -> Flow {
        (**self).refuse(out)
    }
    fn expired(&mut self, what: Deadline, out: &mut Out<'_, '_>) -> Flow {
        (**self).expired(what, out)
    }
    fn drained(&mut self) {
        (**self).drained();
    }
    fn is_busy(&self) -> bool {
        (**self).is_busy()
    }
    fn failed(&mut self, error: io::Error) {
        (**self).failed(error);
    }
}

/// A protocol that is only its [`receive`](Protocol::receive).
///
/// A whole echo server:
///
/// ```
/// use selkey::{Flow, Reactor, from_fn};
///
/// # fn main() -> std::io::Result<()> {
/// let mut reactor = Reactor::new()?;
/// let address = reactor.listen("127.0.0.1:0", |_| {
///     from_fn(|input, out| {
///         out.lend(input);
///         Flow::used(input.len())
///     })
/// })?;
/// # let handle = reactor.handle();
/// # let client = std::thread::spawn(move || {
/// #     use std::io::{Read, Write};
/// #     let mut stream = std::net::TcpStream::connect(address).unwrap();
/// #     stream.write_all(b"Hello, world").unwrap();
/// #     stream.shutdown(std::net::Shutdown::Write).unwrap();
/// #     let mut echo = String::new();
/// #     stream.read_to_string(&mut echo).unwrap();
/// #     handle.stop();
/// #     echo
/// # });
/// reactor.run()?;
/// # assert_eq!(client.join().unwrap(), "Hello, world");
/// # Ok(())
/// # }
/// ```
pub fn from_fn<F>(f: F) -> FromFn<F>
where
    F: for<'i> FnMut(&'i [u8], &mut Out<'i, '_>) -> Flow,
{
    FromFn(f)
}

/// The protocol that [`from_fn`] makes.
#[derive(Clone, Copy, Debug)]
pub struct FromFn<F>(F);

impl<F> Protocol for FromFn<F>
where
    F: for<'i> FnMut(&'i [u8], &mut Out<'i, '_>) -> Flow,
{
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        (self.0)(input, out)
    }
}
