//! The header of a message, received or to be sent.

use std::borrow::Cow;
use std::{fmt, str};

use super::json::{self, Put};
use super::scan::{self, Scan};
use super::{Error, short};

/// The longest header, in bytes: its length is sent in two.
pub const MAX_HEADER: usize = u16::MAX as usize;

/// Which end of an integer a machine keeps first: the sender's own, for its information alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// The least significant byte.
    Little,
    /// The most significant byte.
    Big,
}

impl Endian {
    /// This machine's, `sys.byteorder` in Python.
    pub const NATIVE: Endian = if cfg!(target_endian = "big") { Endian::Big } else { Endian::Little };

    /// `little` or `big`.
    pub fn as_str(self) -> &'static str {
        match self {
            Endian::Little => "little",
            Endian::Big => "big",
        }
    }

    fn named(name: &str) -> Option<Endian> {
        [Endian::Little, Endian::Big].into_iter().find(|endian| endian.as_str() == name)
    }
}

/// What stands in front of the content and describes it.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    byteorder: Endian,
    content_type: Cow<'a, str>,
    content_encoding: Cow<'a, str>,
    content_length: usize,
    keep_alive: bool,
    extra: Extra<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Extra<'a> {
    /// Among the other members of the text that was received.
    Received(&'a str),
    /// Names and JSON texts.
    Given(&'a [(&'a str, &'a str)]),
}

const BYTEORDER: &str = "byteorder";
const CONTENT_TYPE: &str = "content-type";
const CONTENT_ENCODING: &str = "content-encoding";
const CONTENT_LENGTH: &str = "content-length";
const REQUIRED: [&str; 4] = [BYTEORDER, CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH];
const CONNECTION: &str = "connection";
const KEEP_ALIVE: &str = "keep-alive";

impl<'a> Header<'a> {
    /// For content of this type, encoding and length in bytes, sent by this machine.
    pub fn new(content_type: &'a str, content_encoding: &'a str, content_length: usize) -> Header<'a> {
        Header {
            byteorder: Endian::NATIVE,
            content_type: Cow::Borrowed(content_type),
            content_encoding: Cow::Borrowed(content_encoding),
            content_length,
            keep_alive: false,
            extra: Extra::Given(&[]),
        }
    }

    /// As another machine would send it.
    pub fn with_byteorder(self, byteorder: Endian) -> Header<'a> {
        Header { byteorder, ..self }
    }

    /// With further members behind the others, in this order: the name, and the value as JSON text, which is written as it is.
    pub fn with_extra(self, extra: &'a [(&'a str, &'a str)]) -> Header<'a> {
        let keep_alive = extra.iter().any(|(name, value)| *name == CONNECTION && says_keep_alive(value));
        Header { extra: Extra::Given(extra), keep_alive, ..self }
    }

    /// Asks for the connection to be kept, or says that it is: the member `"connection": "keep-alive"` is the only extra one then.
    pub fn with_keep_alive(self) -> Header<'a> {
        self.with_extra(&[(CONNECTION, "\"keep-alive\"")])
    }

    /// Which end of an integer the sender's machine keeps first. The lengths do not depend on it.
    pub fn byteorder(&self) -> Endian {
        self.byteorder
    }

    /// Such as `text/json`.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Such as `utf-8`, or `binary`.
    pub fn content_encoding(&self) -> &str {
        &self.content_encoding
    }

    /// In bytes.
    pub fn content_length(&self) -> usize {
        self.content_length
    }

    /// Whether the sender wants to go on with this connection: the member `"connection": "keep-alive"`.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// The members beside the four that every header has, in order: the name, and the value's JSON text as it was written, so that no number loses a digit.
    pub fn extra(&self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> + use<'a> {
        let (text, given) = match self.extra {
            Extra::Received(text) => (text, &[][..]),
            Extra::Given(given) => ("", given),
        };
        let received = json::members(text).filter(|(name, _)| !REQUIRED.contains(&&**name));
        received.chain(given.iter().map(|&(name, value)| (Cow::Borrowed(name), value)))
    }

    pub(super) fn parse(bytes: &'a [u8]) -> Result<Header<'a>, Error> {
        let text = str::from_utf8(bytes).map_err(|error| Error::NotUtf8 { at: error.valid_up_to() })?;
        if let Some(header) = usual(text) { Ok(header) } else { any(text) }
    }

    /// Hands what is sent in front of the content to `put`, piece by piece: two bytes of length, then the header.
    ///
    /// In a [`Protocol`](crate::Protocol): `header.encode(|bytes| out.write(bytes))?`, then `out.write` or `out.lend` of the content.
    ///
    /// # Errors
    /// The header is longer than [`MAX_HEADER`], has a member twice, or an extra one whose value is no JSON. Nothing was written.
    pub fn encode(&self, mut put: impl FnMut(&[u8])) -> Result<(), Error> {
        if let Extra::Given(extra) = self.extra {
            for (at, (name, value)) in extra.iter().enumerate() {
                if REQUIRED.contains(name) || extra[..at].iter().any(|(before, _)| before == name) {
                    return Err(Error::Twice(short(name)));
                }
                if !scan::is_value(value) {
                    return Err(Error::BadMember(short(name)));
                }
            }
        }
        let mut length = 0;
        let _ = self.write(&mut Put(|bytes: &[u8]| length += bytes.len()));
        let prefix = u16::try_from(length).map_err(|_| Error::HeaderTooLong { length })?;
        put(&prefix.to_be_bytes());
        let _ = self.write(&mut Put(put));
        Ok(())
    }

    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_str(match self.byteorder {
            Endian::Little => "{\"byteorder\": \"little\", \"content-type\": ",
            Endian::Big => "{\"byteorder\": \"big\", \"content-type\": ",
        })?;
        json::write_string(&self.content_type, out)?;
        out.write_str(", \"content-encoding\": ")?;
        json::write_string(&self.content_encoding, out)?;
        write!(out, ", \"content-length\": {}", self.content_length)?;
        for (name, value) in self.extra() {
            out.write_str(", ")?;
            json::write_string(&name, out)?;
            out.write_str(": ")?;
            out.write_str(value)?;
        }
        out.write_str("}")
    }
}

/// The header's text.
impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// A header as this program and Python's write it: the members in their order, spaced alike, and no escapes.
fn usual(text: &str) -> Option<Header<'_>> {
    let mut scan = Scan::new(text);
    scan.take("{\"byteorder\": ")?;
    let byteorder = Endian::named(scan.string()?)?;
    scan.take(", \"content-type\": ")?;
    let content_type = Cow::Borrowed(scan.string()?);
    scan.take(", \"content-encoding\": ")?;
    let content_encoding = Cow::Borrowed(scan.string()?);
    scan.take(", \"content-length\": ")?;
    let content_length = scan.count()?.parse().ok()?;
    let keep_alive = scan.take(", \"connection\": ").is_some();
    if keep_alive && scan.string()? != KEEP_ALIVE {
        return None;
    }
    let extra = Extra::Received(text);
    (scan.rest() == "}").then_some(Header {
        byteorder,
        content_type,
        content_encoding,
        content_length,
        keep_alive,
        extra,
    })
}

/// Any header.
fn any(text: &str) -> Result<Header<'_>, Error> {
    scan::check(text)?;
    let mut members: Vec<_> = json::members(text).collect();
    members.sort_unstable();
    if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::Twice(short(&pair[0].0)));
    }
    let get = |wanted| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let required = |name| get(name).ok_or(Error::Missing(name));
    let string = |name| {
        let value = required(name)?;
        json::string(value).ok_or_else(|| Error::NotAString { name, value: short(value) })
    };
    let byteorder = string(BYTEORDER)?;
    let (content_type, content_encoding) = (string(CONTENT_TYPE)?, string(CONTENT_ENCODING)?);
    let length = required(CONTENT_LENGTH)?;
    // Of what JSON takes for a number this takes digits alone. What does not fit into a `usize` is over every limit.
    let bytes: u64 = length.parse().map_err(|_| Error::BadLength(short(length)))?;
    Ok(Header {
        byteorder: Endian::named(&byteorder).ok_or_else(|| Error::BadByteorder(short(&byteorder)))?,
        content_type,
        content_encoding,
        content_length: usize::try_from(bytes).unwrap_or(usize::MAX),
        keep_alive: get(CONNECTION).is_some_and(says_keep_alive),
        extra: Extra::Received(text),
    })
}

fn says_keep_alive(value: &str) -> bool {
    json::string(value).is_some_and(|value| value == KEEP_ALIVE)
}
