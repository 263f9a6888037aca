//! Bytes that wait, and bytes as Python shows them.

use std::fmt;

/// Bytes that are appended at one end and used up at the other.
///
/// What is used up costs no move until it is half of what lies there, so taking a large backlog in small steps is linear.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    used: usize,
}

impl Buffer {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.used
    }

    /// Memory taken.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if self.used > self.len() {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.used = (self.used + n).min(self.bytes.len());
    }
}

/// How many bytes [`python`] shows before it names the length instead.
const SHOWN: usize = 256;

/// Bytes as Python writes them, `b'...'` with `\xNN` escapes; long ones are cut and their full length named.
///
/// ```
/// assert_eq!(selkey::python(b"it's\n\xff").to_string(), r#"b"it's\n\xff""#);
/// assert!(selkey::python(&[b'x'; 1000]).to_string().ends_with("x'... (1000 bytes)"));
/// ```
pub fn python(bytes: &[u8]) -> impl fmt::Display {
    Python(bytes)
}

/// How much [`text`] shows before it names the length instead.
const SHOWN_TEXT: usize = 4096;

/// Text as it may go to a terminal: on one line, control characters as Python escapes them; a long one is cut and its full length named.
///
/// ```
/// assert_eq!(selkey::text("white rabbit 🐰\n\u{1b}[31m").to_string(), r"white rabbit 🐰\n\x1b[31m");
/// ```
pub fn text(text: &str) -> impl fmt::Display {
    Text(text)
}

struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.char_indices().nth(SHOWN_TEXT).map_or(self.0, |(end, _)| &self.0[..end]);
        for c in shown.chars() {
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\x{:02x}", c as u32)?,
                c => write!(f, "{c}")?,
            }
        }
        if shown.len() < self.0.len() { write!(f, "... ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

struct Python<'a>(&'a [u8]);

impl fmt::Display for Python<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(SHOWN)];
        // Python takes double quotes where that saves an escape.
        let quote = if shown.contains(&b'\'') && !shown.contains(&b'"') { '"' } else { '\'' };
        write!(f, "b{quote}")?;
        for &byte in shown {
            match byte {
                b'\\' => f.write_str("\\\\")?,
                b'\n' => f.write_str("\\n")?,
                b'\r' => f.write_str("\\r")?,
                b'\t' => f.write_str("\\t")?,
                b'\'' if quote == '\'' => f.write_str("\\'")?,
                b' '..=b'~' => write!(f, "{}", byte as char)?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        write!(f, "{quote}")?;
        if shown.len() < self.0.len() { write!(f, "... ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_through_appends_and_consumes() {
        let mut buffer = Buffer::default();
        let (mut put, mut taken) = (0u8, 0u8);
        for step in 0..500 {
            let more: Vec<u8> = (0..step % 7).map(|_| (put, put = put.wrapping_add(1)).0).collect();
            buffer.append(&more);
            let n = buffer.len().min(step % 5);
            for &byte in &buffer.as_slice()[..n] {
                assert_eq!(byte, taken);
                taken = taken.wrapping_add(1);
            }
            buffer.consume(n);
        }
        assert_eq!(usize::from(put.wrapping_sub(taken)), buffer.len() % 256);
    }

    #[test]
    fn shows_bytes_as_python_does() {
        for (bytes, shown) in [
            (&b""[..], "b''"),
            (b"Hello, world", "b'Hello, world'"),
            (b"\x00g{\"a\"}", r#"b'\x00g{"a"}'"#),
            (b"it's", r#"b"it's""#),
            (b"it's \"so\"", r#"b'it\'s "so"'"#),
            (b"\\\t\r\n\x7f\xf0", r"b'\\\t\r\n\x7f\xf0'"),
        ] {
            assert_eq!(python(bytes).to_string(), shown);
        }
    }
}
