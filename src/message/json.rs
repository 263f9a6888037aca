//! JSON objects as they come in and as Python writes them.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::ContentError;

/// Why some text is no JSON object.
pub(super) enum Fault {
    NotJson(String),
    NotAnObject,
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
    fn member(&mut self) -> Option<(&'a str, &'a str)> {
        let name = self.string()?;
        self.take(":")?;
        let _ = self.take(" ");
        let value = self.rest;
        if value.starts_with('"') { self.string() } else { self.count() }?;
        Some((name, &value[..value.len() - self.rest.len()]))
    }
}

/// Hands each member's name and the text of its value to `each`, and answers whether this got to the end of a plain object.
#[inline]
fn plain<'a>(text: &'a str, mut each: impl FnMut(&'a str, &'a str)) -> bool {
    let mut scan = Scan::new(text);
    let mut before = "{";
    while scan.take(before).is_some() {
        let _ = scan.take(" ");
        let Some((name, value)) = scan.member() else { return false };
        each(name, value);
        if scan.rest == "}" {
            return true;
        }
        before = ",";
    }
    false
}

/// Where the first byte is that cannot stand for itself in a JSON string: a quote, a backslash, or one below the space.
#[inline]
fn special(bytes: &[u8]) -> Option<usize> {
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

/// Whether this is one JSON value and nothing else.
pub(super) fn is_value(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}

/// Whether this is one JSON object and nothing else.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    match serde_json::from_str(text) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => Err(Fault::NotAnObject),
        Err(error) => Err(Fault::NotJson(error.to_string())),
    }
}

/// The members of an object in text that was checked: the name and the text of the value.
pub(super) fn members(text: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> + use<'_> {
    let mut pieces = Pieces(text.trim_start().get(1..).unwrap_or_default());
    std::iter::from_fn(move || Some((string(pieces.next()?)?, pieces.next()?)))
}

/// Names and values in turn.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (mut depth, mut quoted, mut escaped) = (0, false, false);
        let end = self.0.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b':' | b',' | b'}' if depth == 0 => return true,
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            false
        })?;
        let piece = self.0[..end].trim();
        self.0 = &self.0[end + 1..];
        (!piece.is_empty()).then_some(piece)
    }
}

/// What a JSON string says, if this is the text of one. It was checked.
pub(super) fn string(text: &str) -> Option<Cow<'_, str>> {
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') { serde_json::from_str(text).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inside)) }
}

/// A JSON object that came as the content of a message.
///
/// Where a member comes twice the last one counts, as in Python.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    text: Cow<'a, str>,
    /// The members, where they are few and plain, so that looking one up reads nothing again; none otherwise.
    few: [(&'a str, &'a str); FEW],
    count: usize,
}

const FEW: usize = 4;

impl<'a> Object<'a> {
    pub(super) fn new(text: Cow<'a, str>) -> Result<Object<'a>, ContentError> {
        let (mut few, mut count) = ([("", ""); FEW], 0);
        let keep = |name, value| {
            if let Some(place) = few.get_mut(count) {
                *place = (name, value);
            }
            count += 1;
        };
        if !matches!(text, Cow::Borrowed(text) if plain(text, keep)) {
            check(&text).map_err(|fault| match fault {
                Fault::NotJson(why) => ContentError::NotJson(why),
                Fault::NotAnObject => ContentError::NotAnObject,
            })?;
            count = 0;
        }
        Ok(Object { text, few, count: if count > FEW { 0 } else { count } })
    }

    /// The object's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The members in order: the name, and the value's JSON text as it was written.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        members(&self.text)
    }

    /// The JSON text of a member's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        match &self.few[..self.count] {
            [] => self.members().filter(|(found, _)| found == name).last().map(|(_, value)| value),
            few => few.iter().rfind(|(found, _)| *found == name).map(|(_, value)| *value),
        }
    }

    /// A member that is a string.
    ///
    /// # Errors
    /// There is no such member, or it is no string.
    pub fn string(&self, name: &'static str) -> Result<Cow<'_, str>, ContentError> {
        let value = self.get(name).ok_or(ContentError::Missing(name))?;
        string(value).ok_or_else(|| ContentError::NotAString { name, value: super::short(value) })
    }
}

/// A JSON object of strings, written as Python's `json.dumps(..., ensure_ascii=False)` writes it: `", "` and `": "` between, and no escapes but for
/// `"`, `\` and the characters below the space.
///
/// ```
/// let result = selkey::message::dumps(&[("result", "\"Follow\"\nthe white rabbit. 🐰")]);
/// assert_eq!(result.to_string(), r#"{"result": "\"Follow\"\nthe white rabbit. 🐰"}"#);
/// assert_eq!(result.len(), 48);
/// ```
pub fn dumps<'a>(members: &'a [(&'a str, &'a str)]) -> Dumps<'a> {
    Dumps(members)
}

/// What [`dumps`] writes.
#[derive(Clone, Copy, Debug)]
pub struct Dumps<'a>(&'a [(&'a str, &'a str)]);

impl Dumps<'_> {
    /// In bytes.
    #[allow(clippy::len_without_is_empty)] // two brackets are always there
    pub fn len(&self) -> usize {
        let mut length = 0;
        let _ = self.write(&mut Put(|bytes: &[u8]| length += bytes.len()));
        length
    }

    fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_str("{")?;
        let mut between = "";
        for (name, value) in self.0 {
            out.write_str(between)?;
            write_string(name, out)?;
            out.write_str(": ")?;
            write_string(value, out)?;
            between = ", ";
        }
        out.write_str("}")
    }
}

impl fmt::Display for Dumps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// A string with its quotes and escapes.
pub(super) fn write_string(text: &str, out: &mut impl fmt::Write) -> fmt::Result {
    out.write_str("\"")?;
    let mut rest = text;
    while let Some(at) = special(rest.as_bytes()) {
        out.write_str(&rest[..at])?;
        match rest.as_bytes()[at] {
            b'"' => out.write_str("\\\""),
            b'\\' => out.write_str("\\\\"),
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\t' => out.write_str("\\t"),
            0x08 => out.write_str("\\b"),
            0x0c => out.write_str("\\f"),
            byte => write!(out, "\\u{byte:04x}"),
        }?;
        rest = &rest[at + 1..];
    }
    out.write_str(rest)?;
    out.write_str("\"")
}

/// Hands what is written to a function that cannot fail.
pub(super) struct Put<F>(pub(super) F);

impl<F: FnMut(&[u8])> fmt::Write for Put<F> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        (self.0)(text.as_bytes());
        Ok(())
    }
}
