//! Messages in a stream of bytes: codecs without I/O, clock or role, so that both ends share every line.
//!
//! [`framing`] has the plain ways to know where a message ends. What stands here is the protocol of the application server and client, whose
//! messages say what they carry:
//!
//! | bytes | |
//! |---|---|
//! | 2 | N, the length of the header: unsigned, in network byte order (big-endian), 1 to 65,535 |
//! | N | the header: a JSON object in UTF-8 |
//! | M | the content |
//!
//! | member of the header | |
//! |---|---|
//! | `byteorder` | `"little"` or `"big"`: the sender's own, for information; no length depends on it |
//! | `content-type` | a string: `text/json`, or whatever the two ends agree on |
//! | `content-encoding` | a string: how text became bytes, by [Python's name](https://docs.python.org/3/library/codecs.html#standard-encodings), or `binary` |
//! | `content-length` | M, a non-negative integer written in digits; a [`Decoder`] has a limit for it |
//! | `connection` | may be missing; `"keep-alive"` asks for further messages on the connection |
//! | others | kept as they were written, and ignored |
//!
//! They may come in any order, each once, and are sent in this order, spaced as Python's `json.dumps(header, ensure_ascii=False)` does it, so that the bytes
//! equal those of a Python program. A header is taken where serde_json takes it ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259), nested up to
//! 127 levels).
//!
//! [`Error`] is for a stream that cannot be read on, [`ContentError`] for a whole message whose content does not say what was asked for: the sender
//! of that can be answered.
//!
//! ```
//! use selkey::message::{Decoded, Decoder, Header, dumps, encode};
//!
//! # fn main() -> std::io::Result<()> {
//! let request = dumps(&[("action", "search"), ("value", "morpheus")]).to_string();
//! let mut wire = Vec::new();
//! encode("text/json", "utf-8", request.as_bytes(), &mut wire)?;
//! assert_eq!(wire.len(), 2 + 103 + 41);
//!
//! let mut decoder = Decoder::new();
//! let Decoded::Need(105) = decoder.decode(&wire[..60])? else { panic!("not the whole header is there") };
//! let Decoded::Need(146) = decoder.decode(&wire[..120])? else { panic!("not the whole content is there") };
//! let Decoded::Message { message, used: 146 } = decoder.decode(&wire)? else { panic!("it is all there") };
//! assert_eq!(message.header().content_type(), "text/json");
//! assert_eq!(message.object()?.string("value")?, "morpheus");
//!
//! // Where the content is at hand only the header needs to be made.
//! Header::new("text/json", "utf-8", request.len()).with_keep_alive().encode(|bytes| wire.extend_from_slice(bytes))?;
//! # Ok(())
//! # }
//! ```

mod decoder;
mod encoding;
mod error;
pub mod framing;
mod header;
mod json;
mod scan;

pub use decoder::{Decoded, Decoder, Message};
pub use encoding::Encoding;
pub use error::{ContentError, Error};
pub use header::{Endian, Header, MAX_HEADER};
pub use json::{Dumps, Object, dumps};

/// Appends a whole message of this machine to `out`.
///
/// # Errors
/// The header would be longer than [`MAX_HEADER`].
pub fn encode(content_type: &str, content_encoding: &str, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    Header::new(content_type, content_encoding, content.len()).encode(|bytes| out.extend_from_slice(bytes))?;
    out.extend_from_slice(content);
    Ok(())
}

/// Something of the peer's for an error that names it: on one line, and not too long.
fn short(text: &str) -> String {
    const SHOWN: usize = 64;
    let cut = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).chain(cut.chars()).collect()
}
