//! The header against a plain implementation over `serde_json::Value`: what one takes the other takes, and reads the same.

use std::collections::BTreeSet;
use std::fmt;

use selkey::message::{Decoded, Decoder, Error};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{decode, raw, wire};
use crate::reactor::support::Numbers;

/// An object's members in order; `Value` keeps neither the order nor what comes twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_any(Collect)
    }
}

#[derive(Debug, PartialEq)]
struct Read {
    byteorder: String,
    content_type: String,
    content_encoding: String,
    content_length: u64,
    keep_alive: bool,
    extra: Vec<(String, Value)>,
}

fn reference(header: &[u8]) -> Option<Read> {
    let Members(members) = serde_json::from_slice(header).ok()?;
    let names: BTreeSet<_> = members.iter().map(|(name, _)| name).collect();
    if names.len() < members.len() {
        return None;
    }
    let get = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let string = |name| Some(get(name)?.as_str()?.to_owned());
    let byteorder = string("byteorder").filter(|order| ["little", "big"].contains(&order.as_str()))?;
    let read = Read {
        byteorder,
        content_type: string("content-type")?,
        content_encoding: string("content-encoding")?,
        content_length: get("content-length")?.as_u64()?,
        keep_alive: get("connection").is_some_and(|value| value == "keep-alive"),
        extra: Vec::new(),
    };
    let required = ["byteorder", "content-type", "content-encoding", "content-length"];
    let extra = members.into_iter().filter(|(name, _)| !required.contains(&name.as_str())).collect();
    Some(Read { extra, ..read })
}

/// Both read it alike; whether they took it.
fn same(header: &[u8]) -> bool {
    const LIMIT: usize = 1000;
    let (wire, reference) = (raw(header, &[0; LIMIT]), reference(header));
    let shown = || String::from_utf8_lossy(header);
    let message = match Decoder::max_content(LIMIT).decode(&wire) {
        Ok(Decoded::Message { message, .. }) => message,
        Ok(Decoded::Need(needed)) => panic!("{needed} bytes needed: {}", shown()),
        Err(Error::ContentTooLong { length, .. }) => {
            assert_eq!(reference.map(|read| read.content_length), Some(length), "{}", shown());
            return true;
        }
        Err(error) => {
            assert_eq!(reference, None, "{error}: {}", shown());
            return false;
        }
    };
    let header = message.header();
    let ours = Read {
        byteorder: header.byteorder().as_str().into(),
        content_type: header.content_type().into(),
        content_encoding: header.content_encoding().into(),
        content_length: header.content_length() as u64,
        keep_alive: header.keep_alive(),
        extra: header.extra().map(|(name, text)| (name.into_owned(), serde_json::from_str(text).unwrap())).collect(),
    };
    assert_eq!(Some(ours), reference, "{}", shown());
    true
}

/// As content, too: an object for one is an object for the other, with the same members.
fn same_content(text: &[u8]) {
    let wire = wire("text/json", "utf-8", text);
    let message = decode(&wire).unwrap();
    let (ours, theirs) = (message.object(), serde_json::from_slice::<Value>(text));
    let shown = || String::from_utf8_lossy(text);
    assert_eq!(message.json().ok(), theirs.as_ref().ok().cloned(), "{}", shown());
    match theirs {
        Ok(Value::Object(members)) => {
            let ours = ours.unwrap_or_else(|error| panic!("{error}: {}", shown()));
            assert_eq!(ours.members().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), members.len());
            for (name, value) in &members {
                let found: Value = serde_json::from_str(ours.get(name).unwrap()).unwrap();
                assert_eq!(found, *value, "{}", shown());
            }
        }
        _ => assert!(ours.is_err(), "{}", shown()),
    }
}

const SEEDS: [&str; 8] = [
    r#"{"byteorder": "little", "content-type": "text/json", "content-encoding": "utf-8", "content-length": 41}"#,
    r#"{"byteorder": "big", "content-type": "", "content-encoding": "binary", "content-length": 0, "connection": "keep-alive"}"#,
    r#"{"byteorder":"big","content-type":"text/json","content-encoding":"utf-8","content-length":12}"#,
    r#"{"content-length": 5, "x": -1.5e3, "byteorder": "big", "content-encoding": "utf-8", "content-type": "é🐶"}"#,
    "{ \"byteorder\" : \"big\",\n\"content-type\":\t\"a\\n\\u00e9\\ud83d\\udc36\\\\\\\"\", \"content-encoding\": \"utf-8\",\r\"content-length\" :7 } ",
    r#"{"byteorder": "big", "content-type": "{:,}", "content-encoding": "[]", "content-length": 3, "a": {"b": [1, {"c": "}"}], "d": []}, "e": null}"#,
    r#"{"action": "search", "value": "morpheus"}"#,
    r#"{"result": "Follow the white rabbit. 🐰", "a": 1, "b": true, "c": {}, "d": []}"#,
];

/// What a mutation puts in, besides single characters.
const TOKENS: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    " ",
    "\t",
    "\n",
    "\r",
    "\x0b",
    "\u{a0}",
    "\0",
    "\x1f",
    "\x7f",
    "é",
    "🐶",
    "\u{feff}",
    "0",
    "1",
    "9",
    "-",
    "+",
    ".",
    "e",
    "E",
    "00",
    "-0",
    "1e3",
    "1e400",
    "-1e400",
    "0.5",
    "1.",
    ".5",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678",
    "1234567890123456789",
    "null",
    "true",
    "false",
    "NaN",
    "Infinity",
    "\\u0000",
    "\\u002d",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\udc36",
    "\\ud800\\u0041",
    "\\x",
    "\\/",
    "\\",
    "\\\"",
    "\"x\": 1, ",
    ", \"x\": [1, \"]\"]",
    "{}",
    "[]",
    "\"content-length\": 5, ",
    ", \"byteorder\": \"big\"",
    ", \"connection\": \"keep-alive\"",
    "\"\": \"\", ",
    "content-type",
    "little",
];

fn mutated(numbers: &mut Numbers) -> Vec<u8> {
    let mut text = SEEDS[numbers.below(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..1 + numbers.below(3) {
        let at = numbers.below(text.len() + 1);
        let to = text.len().min(at + numbers.below(4));
        match numbers.below(6) {
            0 => drop(text.drain(at..to)),
            1 => drop(text.splice(at..to, [numbers.next() as u8])),
            2 => {
                let other = SEEDS[numbers.below(SEEDS.len())].as_bytes();
                let from = numbers.below(other.len());
                let part = &other[from..other.len().min(from + numbers.below(30))];
                text.splice(at..to, part.iter().copied());
            }
            3 => drop(text.splice(at..to, TOKENS[numbers.below(TOKENS.len())].bytes())),
            _ => drop(text.splice(at..at, TOKENS[numbers.below(TOKENS.len())].bytes())),
        }
        if text.is_empty() {
            text.push(b'{');
        }
    }
    text
}

#[test]
fn the_seeds_are_read_alike_and_mostly_taken() {
    assert_eq!(SEEDS.iter().filter(|seed| same(seed.as_bytes())).count(), 6);
    SEEDS.iter().for_each(|seed| same_content(seed.as_bytes()));
}

/// Every token at every place of every seed, put in and put over.
#[test]
fn each_token_at_each_place_is_read_alike() {
    let (mut taken, mut refused) = (0, 0);
    for seed in &SEEDS[..4] {
        for at in 0..=seed.len() {
            for token in TOKENS {
                let text = [&seed.as_bytes()[..at], token.as_bytes(), &seed.as_bytes()[at..]].concat();
                if same(&text) { taken += 1 } else { refused += 1 }
            }
        }
    }
    assert!(taken > 1_000 && refused > 1_000, "{taken} {refused}");
}

fn mutations(seed: u64) {
    let (mut numbers, mut taken) = (Numbers(seed), 0);
    for _ in 0..40_000 {
        let text = mutated(&mut numbers);
        taken += usize::from(same(&text));
        same_content(&text);
    }
    assert!(taken > 1_000, "{taken}");
}

#[test]
fn mutated_headers_are_read_alike_1() {
    mutations(0x5eed);
}

#[test]
fn mutated_headers_are_read_alike_2() {
    mutations(0x9e37_79b9_7f4a_7c15);
}

#[test]
fn nesting_up_to_the_parsers_limit_is_read_alike() {
    for depth in 120..135 {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            same(nested.as_bytes());
            same_content(nested.as_bytes());
            let header = SEEDS[0].replace("41", &format!("41, \"x\": {nested}"));
            assert_eq!(same(header.as_bytes()), depth < 127);
        }
    }
}
