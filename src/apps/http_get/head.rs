//! The header of a response: its status, its fields, and what they say about the end of the body.

use std::{fmt, io};

use super::invalid;

/// How the end of a body is known (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// After so many bytes; 0 where the status has no body.
    Length(u64),
    Chunked,
    Close,
}

/// The header of a response. It shows as it came, line by line; a byte that is not printable ASCII as `\xNN`, so that no peer writes to a terminal.
#[derive(Clone, Debug)]
pub struct Head {
    lines: Vec<Vec<u8>>,
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    pub(super) ending: Ending,
}

impl Head {
    /// From a whole header with the blank line behind it.
    pub(super) fn parse(text: &[u8]) -> io::Result<Head> {
        let lines: Vec<Vec<u8>> =
            text.split(|&byte| byte == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
        let mut fields = vec![httparse::EMPTY_HEADER; lines.len()];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(text).map_err(|error| invalid(format!("the header is malformed: {error}")))?;
        let status = match (parsed, response.code) {
            (httparse::Status::Complete(used), Some(status)) if used == text.len() && status >= 100 => status,
            _ => return Err(invalid("the header is malformed".to_owned())),
        };
        let fields: Vec<_> =
            response.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
        let mut head = Head { lines, status, fields, ending: Ending::Close };
        head.lines.retain(|line| !line.is_empty());
        head.ending = head.find_ending()?;
        Ok(head)
    }

    /// The status code, from 100 to 999.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status says that what was asked for is here.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// An answer before the answer. After 101 (unasked for) no HTTP follows.
    pub(super) fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    /// The first field of this name, however that is written.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// How many bytes the body has, where the header tells.
    pub fn length(&self) -> Option<u64> {
        match self.ending {
            Ending::Length(length) => Some(length),
            Ending::Chunked | Ending::Close => None,
        }
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter(move |(named, _)| named.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// The parts of all fields of this name, which are lists.
    fn parts(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.all(name).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
    }

    fn find_ending(&self) -> io::Result<Ending> {
        if self.status < 200 || [204, 304].contains(&self.status) {
            return Ok(Ending::Length(0));
        }
        let codings: Vec<&[u8]> = self.parts("Transfer-Encoding").collect();
        match codings[..] {
            [] => {}
            [coding] if coding.eq_ignore_ascii_case(b"chunked") => return Ok(Ending::Chunked),
            _ => {
                let codings = codings.join(&b", "[..]);
                return Err(invalid(format!("the transfer encoding '{}' is not understood", Plain(&codings))));
            }
        }
        let mut ending = Ending::Close;
        for text in self.parts("Content-Length") {
            let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let Some(length) = digits.and_then(|digits| digits.parse().ok()) else {
                return Err(invalid(format!("the Content-Length '{}' is not a length", Plain(text))));
            };
            match ending {
                Ending::Length(other) if other != length => {
                    return Err(invalid(format!("two Content-Lengths, {other} and {length}")));
                }
                _ => ending = Ending::Length(length),
            }
        }
        Ok(ending)
    }

    /// What a status other than success comes to.
    pub(super) fn failure(&self) -> io::Error {
        let line = self.lines.first().map_or(&b""[..], |line| line);
        let status = line.splitn(2, |&byte| byte == b' ').last().unwrap_or_default();
        let elsewhere = self.field("Location").filter(|_| (300..400).contains(&self.status));
        io::Error::other(match elsewhere {
            Some(location) => {
                format!("{}: redirects are not followed, this one is to {}", Plain(status), Plain(location))
            }
            None => Plain(status).to_string(),
        })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, line) in self.lines.iter().enumerate() {
            write!(f, "{}{}", if n > 0 { "\n" } else { "" }, Plain(line))?;
        }
        Ok(())
    }
}

/// Bytes as text that is safe to show.
struct Plain<'a>(&'a [u8]);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b' '..=b'~' => write!(f, "{}", byte as char),
            _ => write!(f, "\\x{byte:02x}"),
        })
    }
}
