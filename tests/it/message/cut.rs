//! Messages cut at every place and changed at random: always the same messages or a refusal, never a panic.

use selkey::message::{Decoded, Decoder, Error, Header};

use super::{search, wire};
use crate::reactor::support::Numbers;

/// Messages of every kind: with the usual header and another, with and without content.
fn messages() -> Vec<Vec<u8>> {
    let mut kept = Vec::new();
    let extra = [("x", "{\"a\": [1, \"\\ud83d\\udc36\"]}"), ("connection", "\"keep-alive\"")];
    let header = Header::new("text/json", "utf-16", 4).with_extra(&extra);
    header.encode(|bytes| kept.extend_from_slice(bytes)).unwrap();
    kept.extend_from_slice(b"{\0}\0");
    vec![
        search("morpheus"),
        wire("binary/custom-client-binary-type", "binary", b"testqwertyuiopa"),
        kept,
        wire("binary/custom-client-binary-type", "binary", b""),
        search("🐶"),
    ]
}

/// Takes `stream` as it grows by these pieces, asking only when there is as much as was needed. Answers the contents.
fn contents(stream: &[u8], pieces: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
    let (mut decoder, mut contents) = (Decoder::new(), Vec::new());
    let (mut there, mut from, mut need) = (0, 0, 0);
    for piece in pieces {
        there = stream.len().min(there + piece);
        while there - from >= need {
            match decoder.decode(&stream[from..there]).unwrap() {
                Decoded::Message { message, used } => {
                    contents.push(message.content().to_vec());
                    from += used;
                    need = 0;
                    if from == there {
                        break;
                    }
                }
                Decoded::Need(needed) => {
                    assert!(needed > there - from, "{needed} bytes are there");
                    need = needed;
                }
            }
        }
    }
    assert_eq!(from, stream.len(), "something is left");
    contents
}

#[test]
fn every_prefix_needs_what_is_missing_and_no_more() {
    for message in messages() {
        let header = 2 + usize::from(u16::from_be_bytes([message[0], message[1]]));
        let mut growing = Decoder::new();
        for there in 0..message.len() {
            let expected = if there < 2 {
                2
            } else if there < header {
                header
            } else {
                message.len()
            };
            for decoder in [&mut Decoder::new(), &mut growing] {
                let Ok(Decoded::Need(needed)) = decoder.decode(&message[..there]) else { panic!("at {there}") };
                assert_eq!(needed, expected, "at {there}");
            }
            let ended = Decoder::new().end(&message[..there]);
            let closed = Err(Error::Closed { received: there, needed: expected });
            assert_eq!(ended, if there == 0 { Ok(()) } else { closed });
        }
        assert!(matches!(growing.decode(&message), Ok(Decoded::Message { used, .. }) if used == message.len()));
    }
}

#[test]
fn a_stream_is_the_same_messages_however_it_is_cut() {
    let stream = messages().concat();
    let whole = contents(&stream, [stream.len()].into_iter());
    assert_eq!(whole.len(), messages().len());
    assert_eq!(contents(&stream, std::iter::repeat_n(1, stream.len())), whole);
    for first in 0..=stream.len() {
        assert_eq!(contents(&stream, [first, stream.len() - first].into_iter()), whole, "cut at {first}");
    }
    let mut numbers = Numbers(11);
    for _ in 0..200 {
        let mut left = stream.len();
        let pieces = std::iter::from_fn(|| {
            let piece = 1 + numbers.below(left.clamp(1, 60));
            (left > 0).then(|| (left = left.saturating_sub(piece), piece).1)
        });
        assert_eq!(contents(&stream, pieces), whole);
    }
}

/// A decoder of a small limit reads `rounds` messages, each changed in up to three places and cut or lengthened, and never asks for more than it may.
fn change(seed: u64, rounds: usize) {
    const LIMIT: usize = 1000;
    const SIGNS: &[u8] = b"\"\\{}[]:, 09-e\n\0\x80\xff";
    let (messages, mut numbers) = (messages(), Numbers(seed));
    let (mut whole, mut partial, mut refused) = (0, 0, 0);
    let mut bytes = Vec::new();
    for round in 0..rounds {
        bytes.clear();
        bytes.extend_from_slice(&messages[round % messages.len()]);
        for _ in 0..1 + numbers.below(3) {
            let at = numbers.below(bytes.len());
            match numbers.below(8) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.insert(at, numbers.next() as u8),
                2 => drop(bytes.remove(at)),
                3 => bytes[at] ^= 1 << numbers.below(8),
                4 => bytes[numbers.below(2).min(at)] = numbers.next() as u8,
                _ => bytes[at] = SIGNS[numbers.below(SIGNS.len())],
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        match Decoder::max_content(LIMIT).decode(&bytes) {
            Ok(Decoded::Message { message, used }) => {
                assert!(used <= bytes.len() && message.content().len() == message.header().content_length());
                if whole % 16 == 0 {
                    let _ = (message.object().map(|object| object.members().count()), message.header().extra().count());
                }
                whole += 1;
            }
            Ok(Decoded::Need(needed)) => {
                assert!(bytes.len() < needed && needed <= 2 + usize::from(u16::MAX) + LIMIT);
                partial += 1;
            }
            Err(error) => {
                assert!(!matches!(error, Error::Closed { .. }));
                refused += 1;
            }
        }
    }
    assert!(whole.min(partial).min(refused) > rounds / 20, "{whole} {partial} {refused}");
}

/// A million in all.
const ROUNDS: usize = 250_000;

#[test]
fn changed_messages_are_read_or_refused_1() {
    change(1, ROUNDS);
}

#[test]
fn changed_messages_are_read_or_refused_2() {
    change(0x5eed, ROUNDS);
}

#[test]
fn changed_messages_are_read_or_refused_3() {
    change(0xfeed_f00d, ROUNDS);
}

#[test]
fn changed_messages_are_read_or_refused_4() {
    change(0x9e37_79b9_7f4a_7c15, ROUNDS);
}
