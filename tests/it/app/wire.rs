//! Messages put together and taken apart without the codec.

use std::fmt::Display;
use std::io::Read;

use serde_json::Value;

pub const ORDER: &str = if cfg!(target_endian = "big") { "big" } else { "little" };
pub const KEEP: &str = ", \"connection\": \"keep-alive\"";
pub const BINARY: &str = "binary/custom-client-binary-type";

/// Length, header, content.
pub fn frame(header: &[u8], content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap();
    [&length.to_be_bytes(), header, content].concat()
}

/// A message of `content`, with `more` members behind those that every header has.
pub fn message(content_type: &str, encoding: &str, content: &[u8], more: &str) -> Vec<u8> {
    frame(header(ORDER, content_type, encoding, content.len(), more).as_bytes(), content)
}

pub fn header(order: &str, content_type: &str, encoding: &str, length: impl Display, more: &str) -> String {
    let (first, second) = (format!("\"byteorder\": \"{order}\""), format!("\"content-type\": \"{content_type}\""));
    format!("{{{first}, {second}, \"content-encoding\": \"{encoding}\", \"content-length\": {length}{more}}}")
}

/// A JSON request; the connection ends with its reply.
pub fn json(content: &str) -> Vec<u8> {
    message("text/json", "utf-8", content.as_bytes(), "")
}

/// A JSON request after which the connection is to be kept.
pub fn kept(content: &str) -> Vec<u8> {
    message("text/json", "utf-8", content.as_bytes(), KEEP)
}

pub fn search(value: &str) -> String {
    format!("{{\"action\": \"search\", \"value\": \"{value}\"}}")
}

/// A reply.
#[derive(Debug)]
pub struct Reply {
    pub header: Value,
    pub content: Vec<u8>,
    /// All of its bytes.
    pub frame: Vec<u8>,
}

impl Reply {
    /// The next one.
    pub fn read(stream: &mut impl Read) -> Reply {
        let mut frame = vec![0; 2];
        stream.read_exact(&mut frame).unwrap();
        let length = usize::from(u16::from_be_bytes([frame[0], frame[1]]));
        frame.resize(2 + length, 0);
        stream.read_exact(&mut frame[2..]).unwrap();
        let header: Value = serde_json::from_slice(&frame[2..]).unwrap();
        let mut content = vec![0; header["content-length"].as_u64().unwrap() as usize];
        stream.read_exact(&mut content).unwrap();
        frame.extend_from_slice(&content);
        Reply { header, content, frame }
    }

    /// The last one: an orderly end must follow.
    pub fn last(stream: &mut impl Read) -> Reply {
        let reply = Reply::read(stream);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "more after {reply:?}");
        reply
    }

    pub fn is_kept(&self) -> bool {
        self.header["connection"] == "keep-alive"
    }

    /// What a JSON reply says, which is a result and nothing else.
    #[track_caller]
    pub fn result(&self) -> String {
        let header = &self.header;
        assert!(header["content-type"] == "text/json" && header["content-encoding"] == "utf-8", "{self:?}");
        let content: Value = serde_json::from_slice(&self.content).unwrap();
        assert_eq!(content.as_object().unwrap().len(), 1);
        content["result"].as_str().unwrap().to_owned()
    }
}
