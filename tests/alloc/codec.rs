//! The application protocol's codec, counted.

use std::io::Write;

use selkey::message::{Decoded, Decoder, Header, MAX_HEADER, dumps};

use super::{ALLOCATIONS, HELD, MESSAGES};

/// A request is read and its reply written, ten thousand times, on a connection that is kept.
#[test]
fn ten_thousand_searches_allocate_nothing() {
    fn encode(members: &[(&str, &str)], out: &mut Vec<u8>) {
        let content = dumps(members);
        let header = Header::new("text/json", "utf-8", content.len()).with_keep_alive();
        header.encode(|bytes| out.extend_from_slice(bytes)).unwrap();
        write!(out, "{content}").unwrap();
    }
    let (mut request, mut reply) = (Vec::new(), Vec::with_capacity(1000));
    encode(&[("action", "search"), ("value", "morpheus")], &mut request);
    let mut decoder = Decoder::new();
    let before = ALLOCATIONS.get();
    for _ in 0..MESSAGES {
        assert!(matches!(decoder.decode(&request[..1]), Ok(Decoded::Need(2))));
        let Ok(Decoded::Need(needed)) = decoder.decode(&request[..request.len() - 1]) else { panic!() };
        assert_eq!(needed, request.len());
        let Ok(Decoded::Message { message, .. }) = decoder.decode(&request) else { panic!() };
        let content = message.object().unwrap();
        assert_eq!((&*content.string("action").unwrap(), message.header().keep_alive()), ("search", true));
        reply.clear();
        let value = content.string("value").unwrap();
        encode(&[("result", "Follow the white rabbit. 🐰"), ("value", &value)], &mut reply);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}

/// What a header says of lengths, counts and depth allocates nothing; only the bytes that came do, in measure.
#[test]
fn no_header_allocates_more_than_some_times_its_own_length() {
    const MOST: isize = 32 * MAX_HEADER as isize;
    let header = |length: &str, extra: &str| {
        format!(
            r#"{{"byteorder": "big", "content-type": "", "content-encoding": "", "content-length": {length}{extra}}}"#
        )
    };
    let extra = |open: &str, member: &str, close: &str| {
        format!(r#", "x": {open}{}{close}"#, vec![member; 65_000 / (member.len() + 1)].join(","))
    };
    let members: String = (0..7_000).map(|n| format!(r#","{n:x}":1"#)).collect();
    for header in [
        header("16777216", ""),
        header("1000000000000", ""),
        header("5", &extra("[", "1", "]")),
        header("5", &extra("[", "[]", "]")),
        header("5", &extra("[", r#"{"":1}"#, "]")),
        header("5", &members),
        "[".repeat(65_535),
        " ".repeat(65_535),
        header(&"9".repeat(65_000), ""),
        header("5", &format!(r#", "x": "{}""#, r"\u0041".repeat(10_000))),
    ] {
        let wire = [&u16::try_from(header.len()).unwrap().to_be_bytes(), header.as_bytes()].concat();
        HELD.set((0, 0));
        let whole = matches!(Decoder::new().decode(&wire), Ok(Decoded::Message { .. }));
        let most = HELD.get().1;
        assert!(!whole && most <= MOST, "{most} bytes for {}", &header[..header.len().min(150)]);
    }
}

#[test]
fn no_content_is_made_into_values_to_be_an_object() {
    let content = format!(r#"{{"x": [{}], "action": "search"}}"#, vec![r#"{"": [1.5, null]}"#; 10_000].join(","));
    let mut wire = Vec::new();
    selkey::message::encode("text/json", "utf-8", content.as_bytes(), &mut wire).unwrap();
    let Ok(Decoded::Message { message, .. }) = Decoder::new().decode(&wire) else { panic!() };
    let before = ALLOCATIONS.get();
    assert_eq!(message.object().unwrap().string("action").unwrap(), "search");
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
