//! What is JSON, without making values of it.

use serde_json::Value;

use super::{ContentError, Error};

/// Why some text is no JSON object.
pub(super) enum Fault {
    NotJson(String),
    NotAnObject,
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            Fault::NotJson(why) => Error::NotJson(why),
            Fault::NotAnObject => Error::NotAnObject,
        }
    }
}

impl From<Fault> for ContentError {
    fn from(fault: Fault) -> ContentError {
        match fault {
            Fault::NotJson(why) => ContentError::NotJson(why),
            Fault::NotAnObject => ContentError::NotAnObject,
        }
    }
}

/// Reads JSON of the plainest kind, which nearly all messages are: no escapes in strings, no numbers but short counts. What it takes is valid.
pub(super) struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Scan<'a> {
        Scan { rest: text }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    #[inline]
    pub(super) fn take(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// What stands between two quotes.
    #[inline]
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.take("\"")?;
        let string = self.split(special(self.rest.as_bytes())?);
        self.take("\"")?;
        Some(string)
    }

    #[inline]
    pub(super) fn count(&mut self) -> Option<&'a str> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits == 1 || (2..19).contains(&digits) && !self.rest.starts_with('0')).then(|| self.split(digits))
    }

    #[inline]
    fn split(&mut self, at: usize) -> &'a str {
        let (head, rest) = self.rest.split_at(at);
        self.rest = rest;
        head
    }

    /// A member's name and the text of its value.
    #[inline]
    pub(super) fn member(&mut self) -> Option<(&'a str, &'a str)> {
        let name = self.string()?;
        self.take(":")?;
        let _ = self.take(" ");
        Some((name, self.value()?))
    }

    /// The text of a string or a count.
    #[inline]
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let value = self.rest;
        if value.starts_with('"') { self.string() } else { self.count() }?;
        Some(&value[..value.len() - self.rest.len()])
    }

    /// Any value, with the space in front of it; `depth` says how deep it may be nested.
    fn skip(&mut self, depth: usize) -> Result<(), &'static str> {
        self.space();
        match self.rest.as_bytes().first() {
            Some(b'"') => self.skip_string(),
            Some(b'{' | b'[') if depth == 0 => Err("recursion limit exceeded"),
            Some(b'{') => self.skip_list("{", "}", "`,` or `}` expected", |scan| {
                scan.space();
                scan.skip_string()?;
                scan.space();
                scan.take(":").ok_or("`:` expected")?;
                scan.skip(depth - 1)
            }),
            Some(b'[') => self.skip_list("[", "]", "`,` or `]` expected", |scan| scan.skip(depth - 1)),
            _ => {
                let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
                let word = &self.rest[..self.rest.bytes().take_while(in_word).count()];
                is_valid(word).ok_or("value expected")?;
                self.split(word.len());
                Ok(())
            }
        }
    }

    fn skip_list(
        &mut self,
        open: &str,
        close: &str,
        expected: &'static str,
        mut item: impl FnMut(&mut Scan<'a>) -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        let mut next = open;
        while self.take(next).is_some() {
            self.space();
            if next == open && self.take(close).is_some() {
                return Ok(());
            }
            item(self)?;
            self.space();
            if self.take(close).is_some() {
                return Ok(());
            }
            next = ",";
        }
        Err(expected)
    }

    fn skip_string(&mut self) -> Result<(), &'static str> {
        let before = self.rest;
        if self.string().is_none() {
            self.rest = before;
            let mut escaped = false;
            let end = before.bytes().skip(1).position(|byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            let (string, rest) = before.split_at(end.map_or(0, |end| end + 2));
            is_valid(string).ok_or("string expected")?;
            self.rest = rest;
        }
        Ok(())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}

/// A string, a number, or one of the three words: what is one, serde_json knows.
fn is_valid(scalar: &str) -> Option<()> {
    serde_json::from_str::<Value>(scalar).is_ok().then_some(())
}

/// Where the first byte is that cannot stand for itself in a JSON string: a quote, a backslash, or one below the space.
#[inline]
pub(super) fn special(bytes: &[u8]) -> Option<usize> {
    // Eight at a time. A byte's highest bit is left standing where the byte minus something borrows; above the first such byte there may be more than
    // there should, below it there is none.
    const ONES: u64 = u64::MAX / 0xff;
    let (chunks, rest) = bytes.as_chunks();
    for (number, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let is = |byte: u8| (word ^ (ONES * u64::from(byte))).wrapping_sub(ONES) & !(word ^ (ONES * u64::from(byte)));
        let found = (is(b'"') | is(b'\\') | word.wrapping_sub(ONES * 0x20) & !word) & (ONES << 7);
        if found != 0 {
            return Some(8 * number + found.trailing_zeros() as usize / 8);
        }
    }
    let at = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
    Some(bytes.len() - rest.len() + at)
}

/// How deep serde_json goes.
const DEEPEST: usize = 127;

/// Whether this is one JSON value and nothing else, as serde_json sees it. No value is made of it: that takes a hundred times the memory of the text.
pub(super) fn check_value(text: &str) -> Result<(), Fault> {
    let mut scan = Scan::new(text);
    let outcome = scan.skip(DEEPEST).and_then(|()| {
        scan.space();
        if scan.rest.is_empty() { Ok(()) } else { Err("end expected") }
    });
    outcome.map_err(|why| {
        let why = if scan.rest.is_empty() { "EOF while parsing" } else { why };
        Fault::NotJson(format!("{why} at byte {}", text.len() - scan.rest.len()))
    })
}

/// Whether this is one JSON value and nothing else.
pub(super) fn is_value(text: &str) -> bool {
    check_value(text).is_ok()
}

/// Whether this is one JSON object and nothing else.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    check_value(text)?;
    if text.trim_start().starts_with('{') { Ok(()) } else { Err(Fault::NotAnObject) }
}
