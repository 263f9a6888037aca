//! The ways to know where a message ends, one after the other.

use super::{Error, Framing, Parsed};

/// A message whose frame of `head` bytes announces a content of `length`.
fn framed(input: &[u8], head: usize, length: usize) -> Parsed<'_> {
    match input.get(head..head + length) {
        Some(content) => Parsed::Message { content, used: head + length },
        None => Parsed::Need(head + length),
    }
}

fn within(length: u64, limit: usize) -> Result<usize, Error> {
    match usize::try_from(length) {
        Ok(fits) if fits <= limit => Ok(fits),
        _ => Err(Error::TooLong { length, limit }),
    }
}

/// Every message has this many bytes. Of none there would be no end, so that counts as one.
#[derive(Clone, Copy, Debug)]
pub struct Fixed(
    /// Bytes of a message.
    pub usize,
);

impl Framing for Fixed {
    fn parse<'i>(&mut self, input: &'i [u8]) -> Result<Parsed<'i>, Error> {
        Ok(framed(input, 0, self.0.max(1)))
    }

    fn encode(&self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        exactly(content, self.0.max(1))?;
        out.extend_from_slice(content);
        Ok(())
    }
}

fn exactly(content: &[u8], expected: usize) -> Result<(), Error> {
    if content.len() == expected { Ok(()) } else { Err(Error::WrongLength { length: content.len(), expected }) }
}

/// A delimiter stands behind each message, such as a newline, and never inside one.
#[derive(Clone, Debug)]
pub struct Delimited {
    delimiter: Vec<u8>,
    limit: usize,
    /// How much of the input has no delimiter, so that a message that comes byte by byte is searched once.
    searched: usize,
}

impl Delimited {
    /// Messages of at most `limit` bytes, the delimiter not counted. An empty delimiter is a newline.
    pub fn by(delimiter: &[u8], limit: usize) -> Delimited {
        let delimiter = if delimiter.is_empty() { b"\n" } else { delimiter };
        Delimited { delimiter: delimiter.to_vec(), limit, searched: 0 }
    }

    fn find(&self, bytes: &[u8]) -> Option<usize> {
        bytes.windows(self.delimiter.len()).position(|window| window == self.delimiter)
    }
}

impl Framing for Delimited {
    fn parse<'i>(&mut self, input: &'i [u8]) -> Result<Parsed<'i>, Error> {
        let found = self.find(&input[self.searched.min(input.len())..]).map(|at| self.searched + at);
        let length = found.unwrap_or_else(|| (input.len() + 1).saturating_sub(self.delimiter.len()));
        within(length as u64, self.limit)?;
        match found {
            Some(at) => {
                self.searched = 0;
                Ok(Parsed::Message { content: &input[..at], used: at + self.delimiter.len() })
            }
            None => {
                self.searched = length;
                Ok(Parsed::Need(input.len() + 1))
            }
        }
    }

    fn encode(&self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        within(content.len() as u64, self.limit)?;
        // Also one that begins in the content and ends in the delimiter itself would cut the message short.
        let start = out.len();
        out.extend_from_slice(content);
        out.extend_from_slice(&self.delimiter);
        if self.find(&out[start..]) == Some(content.len()) {
            return Ok(());
        }
        out.truncate(start);
        Err(Error::HasDelimiter)
    }

    fn end<'i>(&mut self, rest: &'i [u8]) -> Result<Option<&'i [u8]>, Error> {
        if rest.is_empty() { Ok(None) } else { Err(Error::Closed { received: rest.len(), needed: None }) }
    }
}

/// The length stands in front of each message, as an unsigned integer in network byte order.
#[derive(Clone, Copy, Debug)]
pub struct Prefixed {
    width: usize,
    limit: usize,
}

impl Prefixed {
    /// One byte in front: messages of at most 255 bytes, and at most `limit`.
    pub fn u8(limit: usize) -> Prefixed {
        Prefixed { width: 1, limit: limit.min(u8::MAX.into()) }
    }

    /// Two bytes in front: messages of at most 65,535 bytes, and at most `limit`.
    pub fn u16(limit: usize) -> Prefixed {
        Prefixed { width: 2, limit: limit.min(u16::MAX.into()) }
    }

    /// Four bytes in front: messages of at most `limit` bytes.
    pub fn u32(limit: usize) -> Prefixed {
        Prefixed { width: 4, limit: limit.min(u32::MAX as usize) }
    }
}

impl Framing for Prefixed {
    fn parse<'i>(&mut self, input: &'i [u8]) -> Result<Parsed<'i>, Error> {
        let Some(head) = input.get(..self.width) else { return Ok(Parsed::Need(self.width)) };
        let length = head.iter().fold(0, |length, &byte| length << 8 | u64::from(byte));
        Ok(framed(input, self.width, within(length, self.limit)?))
    }

    fn encode(&self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let length = within(content.len() as u64, self.limit)? as u32;
        out.extend_from_slice(&length.to_be_bytes()[4 - self.width..]);
        out.extend_from_slice(content);
        Ok(())
    }
}

/// The length stands in front of each message in so many ASCII digits, with zeros or blanks before the first.
#[derive(Clone, Copy, Debug)]
pub struct Digits {
    width: usize,
    limit: usize,
}

impl Digits {
    /// This many digits (1 to 19) in front: messages of at most `limit` bytes.
    pub fn new(width: usize, limit: usize) -> Digits {
        let width = width.clamp(1, 19);
        let most = 10u64.pow(width as u32) - 1;
        Digits { width, limit: limit.min(usize::try_from(most).unwrap_or(usize::MAX)) }
    }
}

impl Framing for Digits {
    fn parse<'i>(&mut self, input: &'i [u8]) -> Result<Parsed<'i>, Error> {
        let Some(head) = input.get(..self.width) else { return Ok(Parsed::Need(self.width)) };
        let digits = &head[head.iter().take_while(|&&byte| byte == b' ').count()..];
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Err(Error::BadDigits(head.to_vec()));
        }
        let length = digits.iter().fold(0, |length, &digit| length * 10 + u64::from(digit - b'0'));
        Ok(framed(input, self.width, within(length, self.limit)?))
    }

    fn encode(&self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let length = within(content.len() as u64, self.limit)?;
        out.extend_from_slice(format!("{length:0width$}", width = self.width).as_bytes());
        out.extend_from_slice(content);
        Ok(())
    }
}

/// The first byte of a message decides how many follow; it is part of the content.
#[derive(Clone, Copy, Debug)]
pub struct Typed<L> {
    length_of: L,
}

impl<L: Fn(u8) -> Option<usize>> Typed<L> {
    /// `length_of` says how many bytes follow a first byte, or that there is no such type.
    pub fn new(length_of: L) -> Typed<L> {
        Typed { length_of }
    }

    fn length(&self, kind: u8) -> Result<usize, Error> {
        (self.length_of)(kind).map(|length| length.saturating_add(1)).ok_or(Error::UnknownType(kind))
    }
}

impl<L: Fn(u8) -> Option<usize>> Framing for Typed<L> {
    fn parse<'i>(&mut self, input: &'i [u8]) -> Result<Parsed<'i>, Error> {
        let Some(&kind) = input.first() else { return Ok(Parsed::Need(1)) };
        Ok(framed(input, 0, self.length(kind)?))
    }

    fn encode(&self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let Some(&kind) = content.first() else { return Err(Error::WrongLength { length: 0, expected: 1 }) };
        exactly(content, self.length(kind)?)?;
        out.extend_from_slice(content);
        Ok(())
    }
}

/// Everything until the peer shuts down is one message.
#[derive(Clone, Copy, Debug)]
pub struct UntilClose {
    /// The longest message, in bytes.
    pub limit: usize,
}

impl Framing for UntilClose {
    fn parse<'i>(&mut self, input: &'i [u8]) -> Result<Parsed<'i>, Error> {
        within(input.len() as u64, self.limit)?;
        Ok(Parsed::Need(input.len() + 1))
    }

    fn encode(&self, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        within(content.len() as u64, self.limit)?;
        out.extend_from_slice(content);
        Ok(())
    }

    fn end<'i>(&mut self, rest: &'i [u8]) -> Result<Option<&'i [u8]>, Error> {
        within(rest.len() as u64, self.limit)?;
        Ok(Some(rest))
    }
}
