//! The exchanges of the application server and client, byte for byte as Python's.

use std::fmt::Write;

use selkey::message::{Encoding, Endian, Error, Header, Message, dumps, encode};
use serde_json::{Value, json};

use super::python::{Python, hex};
use super::{decode, raw, search, wire};

const CUSTOM: &str = "binary/custom-client-binary-type";
const CUSTOM_REPLY: &str = "binary/custom-server-binary-type";

#[test]
fn the_search_is_144_bytes_behind_its_length() {
    let wire = search("morpheus");
    let header =
        r#"{"byteorder": "little", "content-type": "text/json", "content-encoding": "utf-8", "content-length": 41}"#;
    assert_eq!(wire, raw(header, br#"{"action": "search", "value": "morpheus"}"#));
    assert_eq!((&wire[..2], wire.len()), (&b"\x00\x67"[..], 2 + 103 + 41));

    let message = decode(&wire).unwrap();
    let content = message.object().unwrap();
    assert_eq!(content.string("action").unwrap(), "search");
    assert_eq!(content.string("value").unwrap(), "morpheus");
    assert_eq!(message.text().unwrap(), r#"{"action": "search", "value": "morpheus"}"#);
    assert_eq!(message.json().unwrap(), json!({"action": "search", "value": "morpheus"}));
}

#[test]
fn the_reply_carries_43_bytes() {
    let content = dumps(&[("result", "Follow the white rabbit. 🐰")]);
    assert_eq!((content.len(), content.to_string().len()), (43, 43));
    let wire = wire("text/json", "utf-8", content.to_string().as_bytes());
    let message = decode(&wire).unwrap();
    assert_eq!(message.header().content_length(), 43);
    assert_eq!(message.object().unwrap().string("result").unwrap(), "Follow the white rabbit. 🐰");
}

#[test]
fn another_action_is_15_bytes_behind_a_header_of_127_and_its_reply_37() {
    let request = wire(CUSTOM, "binary", b"testqwertyuiopa");
    assert_eq!((&request[..2], request.len()), (&b"\x00\x7f"[..], 2 + 127 + 15));
    let message = decode(&request).unwrap();
    assert_eq!(message.header().content_type(), CUSTOM);
    assert_eq!(message.content(), b"testqwertyuiopa");

    let reply = [b"First 10 bytes of request: ", &message.content()[..10]].concat();
    let wire = wire(CUSTOM_REPLY, "binary", &reply);
    let message = decode(&wire).unwrap();
    assert_eq!(
        (message.content(), message.header().content_length()),
        (&b"First 10 bytes of request: testqwerty"[..], 37)
    );
}

#[test]
fn a_big_endian_senders_header_is_100_bytes_and_read_alike() {
    let mut wire = Vec::new();
    let header = Header::new("text/json", "utf-8", 41).with_byteorder(Endian::Big);
    header.encode(|bytes| wire.extend_from_slice(bytes)).unwrap();
    assert_eq!((&wire[..2], wire.len()), (&b"\x00\x64"[..], 2 + 100));
    wire.extend_from_slice(br#"{"action": "search", "value": "morpheus"}"#);
    let message = decode(&wire).unwrap();
    assert_eq!((message.header().byteorder(), message.header().content_length()), (Endian::Big, 41));
}

#[test]
fn an_own_message_names_the_machines_byteorder() {
    let mut wire = Vec::new();
    encode("text/json", "utf-8", b"{}", &mut wire).unwrap();
    assert_eq!(decode(&wire).unwrap().header().byteorder(), Endian::NATIVE);
    assert_eq!(Endian::NATIVE.as_str(), if 1u16.to_ne_bytes()[0] == 1 { "little" } else { "big" });
}

/// What the three exchanges say, and what else needs care: escapes, long and empty texts, characters of every length.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "morpheus",
        "ring",
        "🐶",
        "",
        "it's \"so\"",
        "\\",
        "a/b",
        "naïve",
        "日本語",
        "\u{7f}\u{80}\u{2028}\u{feff}\u{ffff}\u{10ffff}",
        "Follow the white rabbit. 🐰",
        "In the caves beneath the Misty Mountains. 💍",
        "🐾 Playing ball! 🏐",
        "No match for 'neo'.",
        "Error: invalid action 'sing'.",
    ]
    .map(String::from)
    .to_vec();
    texts.push((0..0x30).map(|n| char::from_u32(n).unwrap()).collect());
    texts.push("long \n".repeat(20_000));
    texts
}

#[test]
fn json_content_is_python_s() {
    let Some(mut python) = Python::start() else { return };
    for text in texts() {
        for members in
            [vec![("action", "search"), ("value", &text)], vec![("result", &text)], vec![(&text, &text)], vec![]]
        {
            let ours = dumps(&members);
            assert_eq!(hex(ours.to_string().as_bytes()), python.ask(&json!(["dumps", members])));
            assert_eq!(ours.len(), ours.to_string().len());
        }
    }
}

#[test]
fn frames_are_python_s_in_both_directions() {
    let Some(mut python) = Python::start() else { return };
    let keep: &[_] = &[("connection", "\"keep-alive\"")];
    let more: &[_] = &[
        ("id", "123456789012345678901234567890"),
        ("é \"x\"\n", "[1, -2.5, null, true, {\"a\": \"b\"}]"),
        ("connection", "\"keep-alive\""),
    ];
    for text in texts() {
        let content = dumps(&[("action", "search"), ("value", &text)]).to_string();
        for (byteorder, endian) in [("little", Endian::Little), ("big", Endian::Big), ("", Endian::NATIVE)] {
            for (kind, encoding, extra) in
                [("text/json", "utf-8", &[][..]), (CUSTOM, "utf-8", keep), ("té\"\\\t🐶", "utf-16-be", more)]
            {
                let content = Encoding::named(encoding).unwrap().encode(&content).unwrap();
                let header = Header::new(kind, encoding, content.len()).with_byteorder(endian).with_extra(extra);
                let mut ours = Vec::new();
                header.encode(|bytes| ours.extend_from_slice(bytes)).unwrap();
                ours.extend_from_slice(&content);
                let theirs = python.ask(&json!(["frame", byteorder, kind, encoding, hex(&content), extra]));
                assert_eq!(hex(&ours), theirs);
                assert_eq!(python.ask_json(&json!(["message", theirs])), described(&decode(&ours).unwrap()));
            }
        }
    }
}

/// As the script describes a message.
fn described(message: &Message<'_>) -> Value {
    let header = message.header();
    let mut members = vec![
        json!(["byteorder", header.byteorder().as_str()]),
        json!(["content-type", header.content_type()]),
        json!(["content-encoding", header.content_encoding()]),
        json!(["content-length", header.content_length()]),
    ];
    members.extend(header.extra().map(|(name, value)| json!([name, serde_json::from_str::<Value>(value).unwrap()])));
    json!([members, message.text().unwrap()])
}

#[test]
fn numbers_in_unknown_members_keep_their_digits() {
    let numbers = ["123456789012345678901234567890", "1e22", "1E+22", "-0", "0.10", "1.7976931348623157e308"];
    let extra: Vec<_> = numbers.iter().map(|number| (*number, *number)).collect();
    let header = Header::new("text/json", "utf-8", 0).with_extra(&extra).to_string();
    let wire = raw(&header, b"");
    let message = decode(&wire).unwrap();
    let found: Vec<_> = message.header().extra().map(|(_, value)| value).collect();
    assert_eq!(found, numbers);
    // And a header that is passed on says the same.
    assert_eq!(message.header().to_string(), header);
}

#[test]
fn keep_alive_is_asked_for_by_one_member() {
    let header = |extra: &str| {
        format!(r#"{{"byteorder": "big", "content-type": "", "content-encoding": "", "content-length": 0{extra}}}"#)
    };
    for (extra, keep) in [
        ("", false),
        (r#", "connection": "keep-alive""#, true),
        (r#","connection":"keep\u002dalive" "#, true),
        (r#", "id": 1, "connection": "keep-alive""#, true),
        (r#", "connection": "close""#, false),
        (r#", "connection": true"#, false),
    ] {
        let wire = raw(header(extra), b"");
        let message = decode(&wire).unwrap();
        assert_eq!(message.header().keep_alive(), keep, "{extra}");
    }
    let sent = Header::new("", "", 0).with_byteorder(Endian::Big).with_keep_alive();
    assert_eq!(sent.to_string(), header(r#", "connection": "keep-alive""#));
    assert!(sent.keep_alive());
}

#[test]
fn members_may_come_in_any_order_spacing_and_spelling() {
    let text = " {\"content-length\":\n2\t, \"content\\u002dtype\": \"text\\/json\",\"x\":[{}],\r\n\"content-encoding\":\"utf-8\",\"byteorder\":\"big\"} ";
    let wire = raw(text, b"{}");
    let message = decode(&wire).unwrap();
    let header = message.header();
    assert_eq!(
        (header.content_type(), header.content_encoding(), header.byteorder()),
        ("text/json", "utf-8", Endian::Big)
    );
    let extra: Vec<_> = header.extra().collect();
    assert_eq!(extra, [("x".into(), "[{}]")]);
}

#[test]
fn a_header_has_room_for_65535_bytes() {
    let rest = Header::new("", "utf-8", 0).to_string().len();
    for (length, fits) in [(65_535, true), (65_536, false)] {
        let kind = "x".repeat(length - rest);
        let mut wire = b"before".to_vec();
        let outcome = encode(&kind, "utf-8", b"", &mut wire);
        if fits {
            outcome.unwrap();
            assert_eq!(decode(&wire[6..]).unwrap().header().content_type(), kind);
        } else {
            let error = outcome.unwrap_err();
            assert_eq!(error, Error::HeaderTooLong { length });
            assert_eq!(error.to_string(), "a header of 65536 bytes is over the limit of 65535");
            assert_eq!(wire, b"before");
        }
    }
}

#[test]
fn what_a_receiver_would_refuse_is_not_sent() {
    for (extra, why) in [
        (&[("x", "{")][..], "the value of the header's \"x\" is not JSON"),
        (&[("x", "")], "the value of the header's \"x\" is not JSON"),
        (&[("x", "\"5")], "the value of the header's \"x\" is not JSON"),
        (&[("x", "5, \"y\": 6")], "the value of the header's \"x\" is not JSON"),
        (&[("x", "1"), ("y", "2"), ("x", "1")], "the header has \"x\" twice"),
        (&[("content-length", "5")], "the header has \"content-length\" twice"),
    ] {
        let header = Header::new("text/json", "utf-8", 0).with_extra(extra);
        assert_eq!(header.encode(|_| panic!("nothing is written")).unwrap_err().to_string(), why);
    }
}

#[test]
fn content_is_written_in_pieces_like_any_text() {
    let mut out = String::new();
    write!(out, "{}", dumps(&[("result", "a\"\u{1f}\u{7f}")])).unwrap();
    assert_eq!(out, "{\"result\": \"a\\\"\\u001f\u{7f}\"}");
}
