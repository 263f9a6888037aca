//! JSON objects as they come in and as Python writes them.

use std::borrow::Cow;
use std::fmt;

use super::ContentError;
use super::scan::{Scan, check, special};

/// Hands each member's name and the text of its value to `each`, and answers whether this got to the end of a plain object.
#[inline]
fn plain<'a>(text: &'a str, mut each: impl FnMut(&'a str, &'a str)) -> bool {
    let mut scan = Scan::new(text);
    let mut before = "{";
    while scan.take(before).is_some() {
        let _ = scan.take(" ");
        let Some((name, value)) = scan.member() else { return false };
        each(name, value);
        if scan.rest() == "}" {
            return true;
        }
        before = ",";
    }
    false
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

/// What a search has.
const FEW: usize = 2;

impl<'a> Object<'a> {
    #[inline]
    pub(super) fn new(text: Cow<'a, str>) -> Result<Object<'a>, ContentError> {
        let (mut few, mut count) = ([("", ""); FEW], 0);
        let keep = |name, value| {
            if let Some(place) = few.get_mut(count) {
                *place = (name, value);
            }
            count += 1;
        };
        if !matches!(text, Cow::Borrowed(text) if plain(text, keep)) {
            check(&text)?;
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
