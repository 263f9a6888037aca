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

/// Hands the name and the value of each member to `each`, as they are written, without the quotes of the name. Answers whether this got to the end: it
/// gives up on what is not spaced as Python or serde_json do, on escapes, and on values other than strings and short counts.
///
/// What it takes is valid JSON. This is the way of nearly all messages; the others are for [`check`] and [`members`].
pub(super) fn plain<'a>(text: &'a str, mut each: impl FnMut(&'a str, &'a str)) -> bool {
    fn quoted(text: &str) -> Option<(&str, &str)> {
        let end = text.bytes().position(needs_escape)?;
        let (inside, rest) = text.split_at(end);
        Some((inside, rest.strip_prefix('"')?))
    }
    fn count(text: &str) -> Option<usize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        (digits == 1 || (2..19).contains(&digits) && !text.starts_with('0')).then_some(digits)
    }
    fn member(text: &str) -> Option<(&str, &str, &str)> {
        let (name, rest) = quoted(text)?;
        let rest = rest.strip_prefix(':')?;
        let value = rest.strip_prefix(' ').unwrap_or(rest);
        let length = match value.strip_prefix('"') {
            Some(inside) => quoted(inside)?.0.len() + 2,
            None => count(value)?,
        };
        let (value, rest) = value.split_at(length);
        Some((name, value, rest))
    }
    let mut rest = text;
    let mut before = "{";
    loop {
        let Some(next) = rest.strip_prefix(before) else { return false };
        let Some((name, value, after)) = next.strip_prefix(' ').unwrap_or(next).strip_prefix('"').and_then(member)
        else {
            return false;
        };
        each(name, value);
        if after == "}" {
            return true;
        }
        (rest, before) = (after, ",");
    }
}

/// Whether this is one JSON value and nothing else.
pub(super) fn is_value(text: &str) -> bool {
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    // A plain string is checked without being made.
    inside.is_some_and(|inside| !inside.bytes().any(needs_escape)) || serde_json::from_str::<Value>(text).is_ok()
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
}

impl<'a> Object<'a> {
    pub(super) fn new(text: Cow<'a, str>) -> Result<Object<'a>, ContentError> {
        if !plain(&text, |_, _| ()) {
            check(&text).map_err(|fault| match fault {
                Fault::NotJson(why) => ContentError::NotJson(why),
                Fault::NotAnObject => ContentError::NotAnObject,
            })?;
        }
        Ok(Object { text })
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
        self.members().filter(|(found, _)| found == name).last().map(|(_, value)| value)
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
    while let Some(at) = rest.bytes().position(needs_escape) {
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

fn needs_escape(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < b' '
}

/// Hands what is written to a function that cannot fail.
pub(super) struct Put<F>(pub(super) F);

impl<F: FnMut(&[u8])> fmt::Write for Put<F> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        (self.0)(text.as_bytes());
        Ok(())
    }
}
