//! Text encodings by the names that Python knows them by.

use std::borrow::Cow;
use std::str;

use super::header::Endian;
use super::{ContentError, short};

/// How text becomes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8; a byte order mark is a character like others.
    Utf8,
    /// UTF-16 with a byte order mark in front; without one it is read in this machine's order.
    Utf16,
    /// UTF-16, little-endian; a byte order mark is a character like others.
    Utf16Le,
    /// UTF-16, big-endian; a byte order mark is a character like others.
    Utf16Be,
    /// ISO 8859-1: every byte is the character of that number.
    Latin1,
    /// The first 128 characters.
    Ascii,
}

/// Python's name, and its other names in the form in which [`Encoding::named`] compares them.
const NAMES: [(Encoding, &str, &[&str]); 6] = [
    (Encoding::Utf8, "utf-8", &["utf8", "u8", "utf", "utf8_ucs2", "utf8_ucs4", "cp65001"]),
    (Encoding::Utf16, "utf-16", &["utf16", "u16"]),
    (Encoding::Utf16Le, "utf-16-le", &["utf_16le", "unicodelittleunmarked"]),
    (Encoding::Utf16Be, "utf-16-be", &["utf_16be", "unicodebigunmarked"]),
    (
        Encoding::Latin1,
        "latin-1",
        &[
            "latin1",
            "latin",
            "l1",
            "iso_8859_1",
            "iso8859_1",
            "iso8859",
            "8859",
            "cp819",
            "ibm819",
            "csisolatin1",
            "iso_8859_1_1987",
            "iso_ir_100",
        ],
    ),
    (
        Encoding::Ascii,
        "ascii",
        &[
            "us_ascii",
            "us",
            "646",
            "iso646_us",
            "iso_646.irv_1991",
            "iso_ir_6",
            "ansi_x3.4_1968",
            "ansi_x3_4_1968",
            "ansi_x3.4_1986",
            "cp367",
            "csascii",
            "ibm367",
        ],
    ),
];

impl Encoding {
    /// By any of Python's names: case does not count, nor which signs stand between letters and digits (`UTF-8`, `utf_8`, `U8`, `iso 8859-1`).
    ///
    /// # Errors
    /// No encoding of this name is known here. `binary` is none: such content is no text.
    pub fn named(name: &str) -> Result<Encoding, ContentError> {
        if name == "utf-8" {
            return Ok(Encoding::Utf8);
        }
        let words = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').filter(|word| !word.is_empty());
        let words = words.collect::<Vec<_>>().join("_").to_ascii_lowercase();
        let without_points = words.replace('.', "_");
        let known = NAMES.iter().find(|(_, name, others)| {
            words == name.replace('-', "_") || others.iter().any(|other| words == *other || without_points == *other)
        });
        known.map(|(encoding, ..)| *encoding).ok_or_else(|| ContentError::UnknownEncoding(short(name)))
    }

    /// Python's name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(encoding, ..)| *encoding == self).map_or("", |(_, name, _)| name)
    }

    /// The text that these bytes are.
    ///
    /// # Errors
    /// They are none, from some byte on.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, ContentError> {
        let undecodable = |at| ContentError::Undecodable { encoding: self.name(), at };
        match self {
            Encoding::Utf8 => {
                str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| undecodable(error.valid_up_to()))
            }
            Encoding::Latin1 => Ok(bytes.iter().map(|&byte| char::from(byte)).collect()),
            Encoding::Ascii => match bytes.iter().position(|byte| !byte.is_ascii()) {
                Some(at) => Err(undecodable(at)),
                None => Ok(String::from_utf8_lossy(bytes)),
            },
            Encoding::Utf16Le => utf16(bytes, Endian::Little).map_err(undecodable),
            Encoding::Utf16Be => utf16(bytes, Endian::Big).map_err(undecodable),
            Encoding::Utf16 => match bytes {
                [0xff, 0xfe, rest @ ..] => utf16(rest, Endian::Little).map_err(|at| undecodable(at + 2)),
                [0xfe, 0xff, rest @ ..] => utf16(rest, Endian::Big).map_err(|at| undecodable(at + 2)),
                _ => utf16(bytes, Endian::NATIVE).map_err(undecodable),
            },
        }
    }

    /// The bytes of this text.
    ///
    /// # Errors
    /// A character is not in the encoding.
    pub fn encode(self, text: &str) -> Result<Cow<'_, [u8]>, ContentError> {
        let within = |last: char| match text.chars().find(|&character| character > last) {
            Some(character) => Err(ContentError::Unencodable { encoding: self.name(), character }),
            None => Ok(()),
        };
        let little = || text.encode_utf16().flat_map(u16::to_le_bytes);
        let big = || text.encode_utf16().flat_map(u16::to_be_bytes);
        Ok(match self {
            Encoding::Utf8 => Cow::Borrowed(text.as_bytes()),
            Encoding::Ascii => within('\x7f').map(|()| Cow::Borrowed(text.as_bytes()))?,
            Encoding::Latin1 => within('\u{ff}').map(|()| text.chars().map(|character| character as u8).collect())?,
            Encoding::Utf16Le => little().collect(),
            Encoding::Utf16Be => big().collect(),
            Encoding::Utf16 => match Endian::NATIVE {
                Endian::Little => [0xff, 0xfe].into_iter().chain(little()).collect(),
                Endian::Big => [0xfe, 0xff].into_iter().chain(big()).collect(),
            },
        })
    }
}

/// The text, or the byte from which on there is none.
fn utf16(bytes: &[u8], endian: Endian) -> Result<Cow<'_, str>, usize> {
    let unit = |pair: &[u8]| match endian {
        Endian::Little => u16::from_le_bytes([pair[0], pair[1]]),
        Endian::Big => u16::from_be_bytes([pair[0], pair[1]]),
    };
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut at = 0;
    for character in char::decode_utf16(bytes.chunks_exact(2).map(unit)) {
        let character = character.map_err(|_| at)?;
        at += 2 * character.len_utf16();
        text.push(character);
    }
    if at == bytes.len() { Ok(Cow::Owned(text)) } else { Err(at) }
}
