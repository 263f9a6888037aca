//! Content in the encodings that Python knows, by the names it knows them by.

use selkey::message::{ContentError, Encoding};
use serde_json::json;

use super::python::{Python, hex};
use super::{decode, wire};
use crate::reactor::support::Numbers;

const ALL: [Encoding; 6] =
    [Encoding::Utf8, Encoding::Utf16, Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Latin1, Encoding::Ascii];

#[test]
fn names_mean_what_they_mean_to_python() {
    let Some(mut python) = Python::start() else { return };
    let (mut known, mut unknown) = (0, 0);
    for seed in 0..3 {
        for pair in python.ask_json(&json!(["names", seed])).as_array().unwrap() {
            let name = pair[0].as_str().unwrap();
            let theirs = pair[1].as_str().map(|name| if name == "iso8859-1" { "latin-1" } else { name });
            match Encoding::named(name) {
                Ok(ours) => {
                    assert_eq!(Some(ours.name()), theirs, "{name:?}");
                    known += 1;
                }
                Err(_) => {
                    assert!(!ALL.iter().any(|encoding| Some(encoding.name()) == theirs), "{name:?} is {theirs:?}");
                    unknown += 1;
                }
            }
        }
    }
    assert!(known > 100 && unknown > 100, "{known} {unknown}");
}

#[test]
fn the_usual_names_are_known() {
    for (encoding, names) in [
        (Encoding::Utf8, &["utf-8", "utf8", "utf_8", "UTF-8", "U8"][..]),
        (Encoding::Utf16, &["utf-16", "UTF16", "u16"]),
        (Encoding::Utf16Le, &["utf-16-le", "utf-16le", "UTF_16_LE"]),
        (Encoding::Utf16Be, &["utf-16-be", "utf-16be"]),
        (Encoding::Latin1, &["latin-1", "latin1", "ISO-8859-1", "iso 8859-1", "L1"]),
        (Encoding::Ascii, &["ascii", "us-ascii", "US_ASCII", "646"]),
    ] {
        for name in names {
            assert_eq!(Encoding::named(name), Ok(encoding), "{name}");
        }
        assert_eq!(Encoding::named(encoding.name()), Ok(encoding));
    }
}

/// Bytes that one encoding or another takes, and such that none does.
fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = [
        &b""[..],
        b"a",
        b"plain",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xff\xfea\0",
        b"\xfe\xff\0a",
        b"\xef\xbb\xbfa",
        b"\x80",
        b"a\x80b",
        b"\xc3\xa9",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc0\x80",
        b"a\0\x3d\xd8\x30\xdc",
        b"a\0\x3d\xd8",
        b"a\0\x3d\xd8b",
        b"a\0\x30\xdc",
        b"\x3d\xd8a\0",
        b"\xd8\x3d\xdc\x30",
        b"\xff\xfe\x3d\xd8",
        b"\xff\xfea",
        b"\xff\xfe\xff\xfea\0",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    let mut numbers = Numbers(7);
    for _ in 0..400 {
        let interesting = [0, b'a', 0x80, 0xc3, 0xa9, 0xd8, 0xdc, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x90, 0xb0, 0xfe, 0xff];
        let length = numbers.below(9);
        samples.push((0..length).map(|_| interesting[numbers.below(interesting.len())]).collect());
    }
    samples
}

#[test]
fn bytes_decode_as_in_python() {
    let Some(mut python) = Python::start() else { return };
    for bytes in samples() {
        for encoding in ALL {
            let ours = match encoding.decode(&bytes) {
                Ok(text) if text.is_empty() => "nothing".into(),
                Ok(text) => hex(text.as_bytes()),
                Err(ContentError::Undecodable { at, .. }) => format!("not from {at} on"),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(ours, python.ask(&json!(["decode", encoding.name(), hex(&bytes)])), "{encoding:?} {bytes:x?}");
        }
    }
}

#[test]
fn text_encodes_as_in_python() {
    let Some(mut python) = Python::start() else { return };
    for text in ["", "plain", "naïve", "ÿ", "Ā", "日本語", "🐰", "\u{feff}a", "\u{7f}\u{80}", "a\u{ffff}\u{10000}"]
    {
        for encoding in ALL {
            let ours = match encoding.encode(text) {
                Ok(bytes) if bytes.is_empty() => "nothing".into(),
                Ok(bytes) => hex(&bytes),
                Err(ContentError::Unencodable { character, .. }) => format!("not {}", character as u32),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(ours, python.ask(&json!(["encode", encoding.name(), text])), "{encoding:?} {text:?}");
            if let Ok(bytes) = encoding.encode(text) {
                assert_eq!(encoding.decode(&bytes).unwrap(), text);
            }
        }
    }
}

#[test]
fn a_request_in_utf_16_is_an_object_like_others() {
    let content = Encoding::Utf16.encode(r#"{"action": "search", "value": "🐶"}"#).unwrap();
    assert!([[0xff, 0xfe], [0xfe, 0xff]].contains(&[content[0], content[1]]), "a byte order mark comes first");
    let wire = wire("text/json", "UTF-16", &content);
    let message = decode(&wire).unwrap();
    assert_eq!(message.object().unwrap().string("value").unwrap(), "🐶");
}
