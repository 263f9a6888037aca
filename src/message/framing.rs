//! Where a message ends: the ways of Python's Socket HOWTO.
//!
//! A stream has no message boundaries, so a protocol brings its own: messages of a [`Fixed`] length, with a delimiter behind ([`Delimited`]), with their
//! length in front in network byte order ([`Prefixed`]) or in digits ([`Digits`]), with a first byte that decides the length ([`Typed`]), or one message
//! until the peer shuts down ([`UntilClose`]). Each has a longest message, so that a peer cannot make its receiver hold more.
//!
//! On the loop, ask a framing in [`receive`](crate::Protocol::receive) what lies in the input; in blocking code, put what was received into a
//! [`Decoder`]:
//!
//! ```
//! use selkey::message::framing::{Decoder, Framing, Prefixed};
//!
//! # fn main() -> Result<(), selkey::message::framing::Error> {
//! let mut wire = Vec::new();
//! Prefixed::u16(1024).encode(b"Hello", &mut wire)?;
//! Prefixed::u16(1024).encode(b"world", &mut wire)?;
//! assert_eq!(wire, b"\x00\x05Hello\x00\x05world");
//!
//! let mut decoder = Decoder::new(Prefixed::u16(1024));
//! decoder.feed(&wire[..9]); // however the bytes arrive
//! assert_eq!(decoder.next()?, Some(&b"Hello"[..]));
//! assert_eq!(decoder.next()?, None);
//! assert_eq!(decoder.end().unwrap_err().to_string(), "closed after 2 of 7 bytes");
//! # Ok(())
//! # }
//! ```

mod ways;

use std::{error, fmt, io};

use crate::buffer::Buffer;
pub use ways::{Delimited, Digits, Fixed, Prefixed, Typed, UntilClose};

/// What lies at the head of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'i> {
    /// A whole message; it and its frame take `used` bytes.
    Message {
        /// The message without its frame.
        content: &'i [u8],
        /// How many bytes of the input are dealt with.
        used: usize,
    },
    /// Only a part; at least this many bytes must lie there before asking again makes sense.
    Need(usize),
}

/// Why bytes are no message, or content is none that this framing can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Longer than the limit. `length` is what was announced, or what is there already.
    TooLong {
        /// In bytes.
        length: u64,
        /// In bytes.
        limit: usize,
    },
    /// The digits in front are none.
    BadDigits(Vec<u8>),
    /// No length is known for this first byte.
    UnknownType(u8),
    /// The content to be encoded has not the length that its frame asks for.
    WrongLength {
        /// In bytes.
        length: usize,
        /// In bytes.
        expected: usize,
    },
    /// The content to be encoded has the delimiter in it.
    HasDelimiter,
    /// The peer ended inside a message.
    Closed {
        /// How many bytes of the message and its frame came.
        received: usize,
        /// How many were needed, as far as that is known.
        needed: Option<usize>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TooLong { length, limit } => write!(f, "a message of {length} bytes is over the limit of {limit}"),
            Error::BadDigits(digits) => {
                write!(f, "the length {} is not a number in digits", crate::buffer::python(digits))
            }
            Error::UnknownType(kind) => write!(f, "no message begins with the byte {kind:#04x}"),
            Error::WrongLength { length, expected } => {
                write!(f, "content of {length} bytes where {expected} are asked for")
            }
            Error::HasDelimiter => f.write_str("the content has the delimiter in it"),
            Error::Closed { received, needed: Some(needed) } => write!(f, "closed after {received} of {needed} bytes"),
            Error::Closed { received, needed: None } => write!(f, "closed after {received} bytes of a message"),
        }
    }
}

impl error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error {
            Error::Closed { .. } => io::ErrorKind::UnexpectedEof,
            Error::WrongLength { .. } | Error::HasDelimiter => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

/// A way to know where a message ends.
pub trait Framing {
    /// What lies at the head of `input`. Between two messages every call is handed the same bytes again and those that came since.
    ///
    /// # Errors
    /// The bytes are no message, or one over the limit; nothing that follows can be understood.
    fn parse<'i>(&mut self, input: &'i [u8]) -> Result<Parsed<'i>, Error>;

    /// Appends `content` in its frame.
    ///
    /// # Errors
    /// This framing cannot carry it.
    fn encode(&self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error>;

    /// What the end of the stream makes of the bytes that were not used: nothing, a last message, or an error.
    ///
    /// # Errors
    /// [`Error::Closed`] where the end came inside a message.
    fn end<'i>(&mut self, rest: &'i [u8]) -> Result<Option<&'i [u8]>, Error> {
        if rest.is_empty() {
            return Ok(None);
        }
        let needed = match self.parse(rest)? {
            Parsed::Message { content, .. } => return Ok(Some(content)),
            Parsed::Need(needed) => Some(needed),
        };
        Err(Error::Closed { received: rest.len(), needed })
    }
}

/// A framing and the bytes that wait for it: for code that receives where it pleases.
#[derive(Debug)]
pub struct Decoder<F> {
    framing: F,
    buffer: Buffer,
    /// Of the message that was handed out last; used up when the next one is asked for.
    used: usize,
}

impl<F: Framing> Decoder<F> {
    /// Nothing received yet.
    pub fn new(framing: F) -> Decoder<F> {
        Decoder { framing, buffer: Buffer::default(), used: 0 }
    }

    /// Adds what was received.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.consume();
        self.buffer.append(bytes);
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// As [`Framing::parse`].
    #[allow(clippy::should_implement_trait)] // it lends from itself, which an iterator cannot
    pub fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        self.consume();
        match self.framing.parse(self.buffer.as_slice())? {
            Parsed::Message { content, used } => {
                self.used = used;
                Ok(Some(content))
            }
            Parsed::Need(_) => Ok(None),
        }
    }

    /// The stream has ended: nothing, a last message, or an error.
    ///
    /// # Errors
    /// As [`Framing::end`].
    pub fn end(&mut self) -> Result<Option<&[u8]>, Error> {
        self.consume();
        self.framing.end(self.buffer.as_slice())
    }

    fn consume(&mut self) {
        self.buffer.consume(std::mem::take(&mut self.used));
    }
}
