//! Codecs, without a socket.

mod cut;
mod encodings;
mod exchanges;
mod faults;
mod framing;
mod python;
mod reference;

use selkey::message::{Decoded, Decoder, Error, Header, Message, dumps};

/// A message as a little-endian machine sends it.
fn wire(content_type: &str, content_encoding: &str, content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    let header = Header::new(content_type, content_encoding, content.len());
    let header = header.with_byteorder(selkey::message::Endian::Little);
    header.encode(|bytes| wire.extend_from_slice(bytes)).unwrap();
    wire.extend_from_slice(content);
    wire
}

fn search(value: &str) -> Vec<u8> {
    wire("text/json", "utf-8", dumps(&[("action", "search"), ("value", value)]).to_string().as_bytes())
}

/// Any header, in front of any content.
fn raw(header: impl AsRef<[u8]>, content: &[u8]) -> Vec<u8> {
    let header = header.as_ref();
    [&u16::try_from(header.len()).unwrap().to_be_bytes(), header, content].concat()
}

/// The one message that these bytes are.
fn decode(wire: &[u8]) -> Result<Message<'_>, Error> {
    match Decoder::new().decode(wire)? {
        Decoded::Message { message, used } => {
            assert_eq!(used, wire.len());
            Ok(message)
        }
        Decoded::Need(needed) => panic!("{needed} bytes needed, {} there", wire.len()),
    }
}
