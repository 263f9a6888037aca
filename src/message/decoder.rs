//! Messages in the bytes that lie there.

use std::borrow::Cow;

use serde_json::Value;

use super::encoding::Encoding;
use super::header::Header;
use super::json::Object;
use super::{ContentError, Error, scan};

/// A whole message; header and content lie where they were received.
#[derive(Clone, Debug)]
pub struct Message<'i> {
    header: Header<'i>,
    content: &'i [u8],
}

impl<'i> Message<'i> {
    /// What describes the content.
    pub fn header(&self) -> &Header<'i> {
        &self.header
    }

    /// The content as it was received.
    pub fn content(&self) -> &'i [u8] {
        self.content
    }

    /// The content as text, by the encoding that the header names. UTF-8 is borrowed.
    ///
    /// # Errors
    /// The encoding is not known, or the content is not in it.
    pub fn text(&self) -> Result<Cow<'i, str>, ContentError> {
        Encoding::named(self.header.content_encoding())?.decode(self.content)
    }

    /// The content as any JSON value. That can take a hundred times the memory of the content; [`object`](Message::object) takes none.
    ///
    /// # Errors
    /// It is no text or no JSON.
    pub fn json(&self) -> Result<Value, ContentError> {
        let text = self.text()?;
        scan::check_value(&text)?;
        serde_json::from_str(&text).map_err(|error| ContentError::NotJson(error.to_string()))
    }

    /// The content as a JSON object, which requests and results are.
    ///
    /// # Errors
    /// It is no text, no JSON, or no object.
    #[inline]
    pub fn object(&self) -> Result<Object<'i>, ContentError> {
        Object::new(self.text()?)
    }
}

/// What lies at the head of some bytes.
#[derive(Clone, Debug)]
pub enum Decoded<'i> {
    /// A whole message, which takes `used` bytes.
    Message {
        /// The message.
        message: Message<'i>,
        /// How many bytes of the input are dealt with.
        used: usize,
    },
    /// Only a part; at least this many bytes must lie there before asking again makes sense.
    Need(usize),
}

/// Finds the messages of one stream.
///
/// It copies nothing: whoever calls keeps the bytes. What it remembers is that the header of a part was read, so that content that trickles in is not
/// paid for with a header read each time.
#[derive(Clone, Debug)]
pub struct Decoder {
    max_content: usize,
    /// Bytes of the message at the head, once its header was read; 0 before.
    needed: usize,
}

/// How many bytes say how long the header is.
const PREFIX: usize = 2;

impl Decoder {
    /// The limit on content, in bytes, where none is set: 16 MiB.
    pub const MAX_CONTENT: usize = 16 << 20;

    /// How many bytes must lie there at least for [`decode`](Decoder::decode) to say something new.
    pub const LEAST: usize = PREFIX;

    /// Takes content of at most [`MAX_CONTENT`](Decoder::MAX_CONTENT).
    pub fn new() -> Decoder {
        Decoder::max_content(Decoder::MAX_CONTENT)
    }

    /// Takes content of at most this many bytes.
    pub fn max_content(bytes: usize) -> Decoder {
        Decoder { max_content: bytes, needed: 0 }
    }

    /// What lies at the head of `input`: all bytes of the stream that were not used yet, in one piece. Each call is handed the same bytes again and those
    /// that came since, until they are a message; then the bytes behind it.
    ///
    /// # Errors
    /// The bytes are no header that can be trusted, or it announces more than the limit; nothing that follows can be understood. That is found out as
    /// soon as the header is there.
    pub fn decode<'i>(&mut self, input: &'i [u8]) -> Result<Decoded<'i>, Error> {
        if input.len() < self.needed {
            return Ok(Decoded::Need(self.needed));
        }
        self.needed = 0;
        let Some((prefix, rest)) = input.split_first_chunk() else { return Ok(Decoded::Need(PREFIX)) };
        let length = usize::from(u16::from_be_bytes(*prefix));
        if length == 0 {
            return Err(Error::EmptyHeader);
        }
        let Some((header, rest)) = rest.split_at_checked(length) else { return Ok(Decoded::Need(PREFIX + length)) };
        let header = Header::parse(header)?;
        let length = header.content_length();
        if length > self.max_content {
            return Err(Error::ContentTooLong { length: length as u64, limit: self.max_content });
        }
        let used = (input.len() - rest.len()).saturating_add(length);
        match rest.get(..length) {
            Some(content) => Ok(Decoded::Message { message: Message { header, content }, used }),
            None => {
                self.needed = used;
                Ok(Decoded::Need(used))
            }
        }
    }

    /// Whether the header of the message at the head was read and content is missing.
    pub fn knows_length(&self) -> bool {
        self.needed > 0
    }

    /// What the end of the stream makes of the bytes that were not used: nothing between messages, an error inside one.
    ///
    /// # Errors
    /// [`Error::Closed`], or as [`decode`](Decoder::decode).
    pub fn end(&mut self, rest: &[u8]) -> Result<(), Error> {
        match self.decode(rest)? {
            Decoded::Need(needed) if !rest.is_empty() => Err(Error::Closed { received: rest.len(), needed }),
            _ => Ok(()),
        }
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}
