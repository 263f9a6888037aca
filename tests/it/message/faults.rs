//! What has brought down servers of this kind: each is refused, or read, with words of its own.

use std::io;

use selkey::message::{ContentError, Decoded, Decoder, Error, MAX_HEADER};

use super::{decode, raw, search, wire};

/// A header with these members, where None leaves one out.
fn header(byteorder: Option<&str>, kind: Option<&str>, encoding: Option<&str>, length: Option<&str>) -> String {
    let members =
        [("byteorder", byteorder), ("content-type", kind), ("content-encoding", encoding), ("content-length", length)];
    let members = members.iter().filter_map(|(name, value)| Some(format!("\"{name}\": {}", (*value)?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

fn with_length(length: &str) -> String {
    header(Some(r#""big""#), Some(r#""text/json""#), Some(r#""utf-8""#), Some(length))
}

/// Why nothing that begins with this header is read on.
#[track_caller]
fn refused(header: impl AsRef<[u8]>) -> String {
    // The content is not waited for.
    Decoder::new().decode(&raw(header, b"")).expect_err("it was taken").to_string()
}

#[test]
fn json_content_that_is_no_object_or_empty_is_named() {
    for content in ["[]", "0", "\"\"", "null", "[{}]"] {
        let wire = wire("text/json", "utf-8", content.as_bytes());
        let error = decode(&wire).unwrap().object().unwrap_err();
        assert_eq!(error.to_string(), "the content is JSON, but no object");
    }
    for (content, why) in [
        ("{}", r#"the content has no "action""#),
        (r#"{"value": "ring"}"#, r#"the content has no "action""#),
        (r#"{"action": 5}"#, r#"the content's "action" is 5, not a string"#),
        (r#"{"action": {"a": [1,  2]}}"#, r#"the content's "action" is {"a": [1,  2]}, not a string"#),
    ] {
        let wire = wire("text/json", "utf-8", content.as_bytes());
        let message = decode(&wire).unwrap();
        assert_eq!(message.object().unwrap().string("action").unwrap_err().to_string(), why);
    }
}

#[test]
fn content_of_length_0_is_a_message() {
    let wire = wire("binary/custom-client-binary-type", "binary", b"");
    assert_eq!(decode(&wire).unwrap().content(), b"");
    let wire = super::wire("text/json", "utf-8", b"");
    assert!(matches!(decode(&wire).unwrap().object(), Err(ContentError::NotJson(_))));
}

#[test]
fn content_over_the_limit_is_refused_at_the_header() {
    assert_eq!(refused(with_length("1000000000000")), "a content of 1000000000000 bytes is over the limit of 16777216");
    assert_eq!(refused(with_length("16777217")), "a content of 16777217 bytes is over the limit of 16777216");
    let largest = raw(with_length("16777216"), b"");
    assert!(matches!(Decoder::new().decode(&largest), Ok(Decoded::Need(_))));
    let error = Decoder::max_content(4).decode(&raw(with_length("5"), b"12345")).unwrap_err();
    assert_eq!(error, Error::ContentTooLong { length: 5, limit: 4 });
    assert!(Decoder::max_content(4).decode(&raw(with_length("4"), b"1234")).is_ok());
    // No limit is no sum that overflows.
    let endless = raw(with_length(&usize::MAX.to_string()), b"");
    assert!(matches!(Decoder::max_content(usize::MAX).decode(&endless), Ok(Decoded::Need(usize::MAX))));
}

#[test]
fn a_content_length_that_is_no_count_is_refused_each_with_its_message() {
    for length in
        ["-5", "-0", "1.5", "1.0", "1e3", "\"12\"", "true", "null", "[1]", "18446744073709551616", "{\"a\": 1}"]
    {
        let why = format!("the header's \"content-length\" is {length}, not a count of bytes");
        assert_eq!(refused(with_length(length)), why);
    }
    for length in ["01", "+1", "0x1", "1_000", "NaN", "Infinity", ".5", ""] {
        let why = refused(with_length(length));
        assert!(why.starts_with("the header is not JSON: "), "{length}: {why}");
    }
    let missing = header(Some(r#""big""#), Some(r#""text/json""#), Some(r#""utf-8""#), None);
    assert_eq!(refused(missing), "the header has no \"content-length\"");
    let twice = with_length("5, \"content-length\": 5");
    assert_eq!(refused(twice), "the header has \"content-length\" twice");
    let spelled = with_length("5, \"content\\u002dlength\": 6");
    assert_eq!(refused(spelled), "the header has \"content-length\" twice");
    let long = with_length(&format!("[{}]", "1,".repeat(1000) + "1"));
    assert!(refused(long).len() < 200, "a long one is cut");
}

#[test]
fn each_member_of_the_header_must_be_there_once_and_a_string() {
    let (order, kind, encoding, length) = (r#""big""#, r#""text/json""#, r#""utf-8""#, "5");
    for (header, why) in [
        (header(None, Some(kind), Some(encoding), Some(length)), r#"the header has no "byteorder""#),
        (header(Some(order), None, Some(encoding), Some(length)), r#"the header has no "content-type""#),
        (header(Some(order), Some(kind), None, Some(length)), r#"the header has no "content-encoding""#),
        (header(Some("1"), Some(kind), Some(encoding), Some(length)), r#"the header's "byteorder" is 1, not a string"#),
        (
            header(Some(order), Some("null"), Some(encoding), Some(length)),
            r#"the header's "content-type" is null, not a string"#,
        ),
        (
            header(Some(order), Some(kind), Some("[]"), Some(length)),
            r#"the header's "content-encoding" is [], not a string"#,
        ),
        (
            header(Some(r#""Big""#), Some(kind), Some(encoding), Some(length)),
            r#"the header's "byteorder" is "Big", neither "little" nor "big""#,
        ),
        (with_length(r#"5, "byteorder": "big""#), r#"the header has "byteorder" twice"#),
        (with_length(r#"5, "connection": 1, "connection": 1"#), r#"the header has "connection" twice"#),
        (with_length(r#"5, "x\n": 1, "y": 1, "x\u000a": 2"#), r#"the header has "x " twice"#),
        ("{}".into(), r#"the header has no "byteorder""#),
    ] {
        assert_eq!(refused(header), why);
    }
}

#[test]
fn a_header_that_is_no_object_in_json_in_utf_8_is_refused() {
    assert_eq!(Decoder::new().decode(&[0, 0]).unwrap_err().to_string(), "the header is empty: its length is 0");
    assert_eq!(refused(b"{\"a\": \"\xff\"}"), "the header is not UTF-8 from its byte 7 on");
    for text in ["[]", "5", "null", "\"byteorder\"", "true"] {
        assert_eq!(refused(text), "the header is JSON, but no object");
    }
    for (text, why) in [
        ("garbage", "value expected at byte 0"),
        (" ", "EOF while parsing at byte 1"),
        ("\u{feff}{}", "value expected at byte 0"),
        ("{} {}", "end expected at byte 3"),
        ("{'a': 1}", "string expected at byte 1"),
        ("{\"a\": 1,}", "string expected at byte 8"),
        ("{\"a\" 1}", "`:` expected at byte 5"),
        ("{\"a\": 1 \"b\": 2}", "`,` or `}` expected at byte 8"),
        ("{\"a\": [1 2]}", "`,` or `]` expected at byte 9"),
        ("{\"a\": 01}", "value expected at byte 6"),
        ("{\"a\": \"\\ud800\"}", "string expected at byte 6"),
        ("{\"a\": \"\\udc00\"}", "string expected at byte 6"),
        ("{\"a\": 1e400}", "value expected at byte 6"),
        ("{\"a\": \"\t\"}", "string expected at byte 6"),
    ] {
        assert_eq!(refused(text), format!("the header is not JSON: {why}"));
    }
}

#[test]
fn a_header_of_65535_bytes_or_nested_10_000_deep_is_refused() {
    assert!(refused([b'x'; MAX_HEADER]).starts_with("the header is not JSON: value expected"));
    assert!(refused([b' '; MAX_HEADER]).starts_with("the header is not JSON: EOF while parsing at byte 65535"));
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let extra = |depth| with_length(&format!("5, \"x\": {}", nested(depth)));
        let why = format!("the header is not JSON: recursion limit exceeded at byte {}", 127 * open.len());
        assert_eq!(refused(nested(10_000)), why);
        assert!(refused(extra(10_000)).contains("recursion limit exceeded"));
        assert!(refused(extra(127)).contains("recursion limit exceeded"));
        assert!(matches!(Decoder::new().decode(&raw(extra(126), b"")), Ok(Decoded::Need(_))));
    }
}

#[test]
fn content_that_does_not_decode_is_an_error_of_the_content() {
    for (encoding, content, why) in [
        ("rot13", &b"{}"[..], "unknown content-encoding \"rot13\""),
        ("binary", b"{}", "unknown content-encoding \"binary\""),
        ("a\nb", b"{}", "unknown content-encoding \"a b\""),
        ("utf-8", b"{\"a\": \xf0\x9f}", "the content is not utf-8 from its byte 6 on"),
        ("us-ascii", b"{\"\xc3\"}", "the content is not ascii from its byte 2 on"),
        ("utf-16-le", b"{\0}", "the content is not utf-16-le from its byte 2 on"),
        ("utf-8", b"{", "the content is not JSON: EOF while parsing at byte 1"),
        ("utf-8", b"{} x", "the content is not JSON: end expected at byte 3"),
    ] {
        let wire = wire("text/json", encoding, content);
        let error = decode(&wire).unwrap().object().unwrap_err();
        assert_eq!(error.to_string(), why);
        assert_eq!(decode(&wire).unwrap().json().unwrap_err().to_string(), why);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
    }
    let deep = wire("text/json", "utf-8", "[".repeat(10_000).as_bytes());
    assert!(decode(&deep).unwrap().object().unwrap_err().to_string().contains("recursion limit exceeded"));
    let long = wire("text/json", &"x".repeat(1000), b"{}");
    assert!(decode(&long).unwrap().text().unwrap_err().to_string().len() < 200, "a long one is cut");
}

#[test]
fn where_a_member_of_the_content_comes_twice_the_last_one_counts() {
    for spelled in
        [r#"{"a": "1", "a": "2"}"#, r#"{"a": "1", "\u0061": "2"}"#, r#"{"b": 1, "c": 2, "d": 3, "a": "1", "a": "2"}"#]
    {
        let wire = wire("text/json", "utf-8", spelled.as_bytes());
        let message = decode(&wire).unwrap();
        let object = message.object().unwrap();
        assert_eq!((object.string("a").unwrap(), object.as_str()), ("2".into(), spelled));
        assert_eq!(message.json().unwrap()["a"], "2");
        assert!(object.members().count() >= 2 && object.get("x").is_none());
    }
}

#[test]
fn two_requests_in_one_segment_are_two_messages() {
    let (first, second) = (search("morpheus"), search("🐶"));
    let both = [&first[..], &second].concat();
    let mut decoder = Decoder::new();
    let Ok(Decoded::Message { message, used }) = decoder.decode(&both) else { panic!() };
    assert_eq!(message.object().unwrap().string("value").unwrap(), "morpheus");
    assert_eq!(used, first.len());
    let Ok(Decoded::Message { message, used }) = decoder.decode(&both[used..]) else { panic!() };
    assert_eq!(message.object().unwrap().string("value").unwrap(), "🐶");
    assert_eq!(used, second.len());
}

#[test]
fn an_end_between_messages_is_clean_and_inside_one_says_how_far_it_came() {
    let wire = search("morpheus");
    assert_eq!(Decoder::new().end(b""), Ok(()));
    for (received, needed) in [(1, 2), (2, 105), (104, 105), (105, 146), (145, 146)] {
        let error = Decoder::new().end(&wire[..received]).unwrap_err();
        assert_eq!(error, Error::Closed { received, needed });
        assert_eq!(error.to_string(), format!("closed after {received} of {needed} bytes"));
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn content_that_trickles_in_does_not_have_its_header_read_again() {
    // Nearly 64 KiB of header that takes long to read, and 16 MiB that come in small pieces.
    let header = with_length(&format!("16777216, \"x\": [{}1]", "1,".repeat(32_000)));
    let wire = raw(&header, &vec![b'x'; 16 << 20]);
    let mut decoder = Decoder::new();
    // With the header read each time, this would take an hour.
    for there in (2 + header.len()..wire.len()).step_by(16) {
        let Ok(Decoded::Need(needed)) = decoder.decode(&wire[..there]) else { panic!("at {there}") };
        assert_eq!(needed, wire.len());
    }
    assert!(matches!(decoder.decode(&wire), Ok(Decoded::Message { used, .. }) if used == wire.len()));
}
