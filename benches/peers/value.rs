//! The application protocol as one writes it with `serde_json::Value`: parse everything, look up, build, print.

use serde_json::{Value, json};

/// A message and how many bytes it takes, if it is all there.
pub fn decode(input: &[u8]) -> Option<(Value, &[u8], usize)> {
    let length = usize::from(u16::from_be_bytes([*input.first()?, *input.get(1)?]));
    let header: Value = serde_json::from_slice(input.get(2..2 + length)?).unwrap();
    for name in ["byteorder", "content-type", "content-encoding"] {
        assert!(header[name].is_string(), "no {name}");
    }
    let content_length = header["content-length"].as_u64().unwrap() as usize;
    let used = 2 + length + content_length;
    let content = input.get(2 + length..used)?;
    Some((header, content, used))
}

pub fn encode(content: &Value, keep_alive: bool, out: &mut Vec<u8>) {
    let content = content.to_string();
    let mut header = json!({
        "byteorder": "little",
        "content-type": "text/json",
        "content-encoding": "utf-8",
        "content-length": content.len(),
    });
    if keep_alive {
        header["connection"] = "keep-alive".into();
    }
    let header = header.to_string();
    out.extend_from_slice(&(header.len() as u16).to_be_bytes());
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(content.as_bytes());
}

/// The action and the value of a request.
pub fn request(content: &[u8]) -> (String, String) {
    let content: Value = serde_json::from_slice(content).unwrap();
    (content["action"].as_str().unwrap().into(), content["value"].as_str().unwrap().into())
}
