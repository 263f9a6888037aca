//! Why a message cannot be read: its header, after which nothing in the stream can be trusted, or only its content.

use std::{error, fmt, io};

/// The stream cannot be read on: the bytes are no header that can be trusted, or too few. Where the next message begins is not known, so that a server
/// names the reason in its answer and ends the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The header's length is 0.
    EmptyHeader,
    /// The header is not UTF-8 from this byte on.
    NotUtf8 {
        /// Counted from the header's first.
        at: usize,
    },
    /// The header is not JSON, or nested deeper than 127 levels: what is wrong, and at which byte.
    NotJson(String),
    /// The header is JSON, but no object.
    NotAnObject,
    /// A member that must be there is not.
    Missing(&'static str),
    /// A member comes twice.
    Twice(String),
    /// A member that must be a string is none.
    NotAString {
        /// The member.
        name: &'static str,
        /// Its JSON text; a long one is cut.
        value: String,
    },
    /// `byteorder` is neither `little` nor `big`.
    BadByteorder(String),
    /// `content-length` is no non-negative integer of 64 bits; its JSON text.
    BadLength(String),
    /// `content-length` is over the limit.
    ContentTooLong {
        /// In bytes.
        length: u64,
        /// In bytes.
        limit: usize,
    },
    /// A header to be sent is longer than its two length bytes can say.
    HeaderTooLong {
        /// In bytes.
        length: usize,
    },
    /// The value of an extra member to be sent is no JSON.
    BadMember(String),
    /// The peer ended inside a message.
    Closed {
        /// How many bytes of the message came.
        received: usize,
        /// How many are needed, as far as that is known.
        needed: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::EmptyHeader => f.write_str("the header is empty: its length is 0"),
            Error::NotUtf8 { at } => write!(f, "the header is not UTF-8 from its byte {at} on"),
            Error::NotJson(why) => write!(f, "the header is not JSON: {why}"),
            Error::NotAnObject => f.write_str("the header is JSON, but no object"),
            Error::Missing(name) => write!(f, "the header has no \"{name}\""),
            Error::Twice(name) => write!(f, "the header has {name:?} twice"),
            Error::NotAString { name, value } => write!(f, "the header's \"{name}\" is {value}, not a string"),
            Error::BadByteorder(value) => {
                write!(f, "the header's \"byteorder\" is {value:?}, neither \"little\" nor \"big\"")
            }
            Error::BadLength(value) => {
                write!(f, "the header's \"content-length\" is {value}, not a count of bytes")
            }
            Error::ContentTooLong { length, limit } => {
                write!(f, "a content of {length} bytes is over the limit of {limit}")
            }
            Error::HeaderTooLong { length } => {
                write!(f, "a header of {length} bytes is over the limit of {}", super::MAX_HEADER)
            }
            Error::BadMember(name) => write!(f, "the value of the header's {name:?} is not JSON"),
            Error::Closed { received, needed } => write!(f, "closed after {received} of {needed} bytes"),
        }
    }
}

impl error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error {
            Error::Closed { .. } => io::ErrorKind::UnexpectedEof,
            Error::HeaderTooLong { .. } | Error::BadMember(_) => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

/// The message is whole, but its content does not say what was asked for. The stream goes on behind it, so that a server answers with an error result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentError {
    /// No text encoding of this name is known.
    UnknownEncoding(String),
    /// The content is not in its encoding from this byte on.
    Undecodable {
        /// Python's name of the encoding.
        encoding: &'static str,
        /// Counted from the content's first.
        at: usize,
    },
    /// Some of a text to be sent is not in the encoding.
    Unencodable {
        /// Python's name of the encoding.
        encoding: &'static str,
        /// The first character that is not in it.
        character: char,
    },
    /// The content is not JSON, or nested deeper than 127 levels: what is wrong, and at which byte.
    NotJson(String),
    /// The content is JSON, but no object.
    NotAnObject,
    /// A member that must be there is not.
    Missing(&'static str),
    /// A member that must be a string is none.
    NotAString {
        /// The member.
        name: &'static str,
        /// Its JSON text; a long one is cut.
        value: String,
    },
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContentError::UnknownEncoding(name) => write!(f, "unknown content-encoding {name:?}"),
            ContentError::Undecodable { encoding, at } => {
                write!(f, "the content is not {encoding} from its byte {at} on")
            }
            ContentError::Unencodable { encoding, character } => write!(f, "{character:?} is not in {encoding}"),
            ContentError::NotJson(why) => write!(f, "the content is not JSON: {why}"),
            ContentError::NotAnObject => f.write_str("the content is JSON, but no object"),
            ContentError::Missing(name) => write!(f, "the content has no \"{name}\""),
            ContentError::NotAString { name, value } => write!(f, "the content's \"{name}\" is {value}, not a string"),
        }
    }
}

impl error::Error for ContentError {}

impl From<ContentError> for io::Error {
    fn from(error: ContentError) -> io::Error {
        let kind = match error {
            ContentError::Unencodable { .. } => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}
