//! Every framing, cut at every place; ends inside and between messages; limits.

use std::io;

use selkey::message::framing::{
    Decoder, Delimited, Digits, Error, Fixed, Framing, Parsed, Prefixed, Typed, UntilClose,
};

/// What comes out of the decoder for these pieces, up to the end of the stream.
fn decode<F: Framing>(framing: F, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, Error> {
    let mut decoder = Decoder::new(framing);
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Some(message) = decoder.next()? {
            messages.push(message.to_vec());
        }
    }
    if let Some(message) = decoder.end()? {
        messages.push(message.to_vec());
    }
    Ok(messages)
}

fn encode(framing: &impl Framing, messages: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    messages.iter().for_each(|message| framing.encode(message, &mut wire).unwrap());
    wire
}

/// The messages survive the wire whole, in two pieces cut anywhere, and byte by byte; and a stream that ends inside one says so.
fn survives<F: Framing + Clone>(framing: F, messages: &[&[u8]]) {
    let wire = encode(&framing, messages);
    let mut boundaries = vec![0];
    for count in 1..=messages.len() {
        boundaries.push(encode(&framing, &messages[..count]).len());
    }
    assert_eq!(decode(framing.clone(), &[&wire]).unwrap(), messages);
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    assert_eq!(decode(framing.clone(), &bytes).unwrap(), messages);
    for cut in 0..=wire.len() {
        let (head, tail) = wire.split_at(cut);
        assert_eq!(decode(framing.clone(), &[head, tail]).unwrap(), messages, "cut at {cut}");

        let ended = decode(framing.clone(), &[head]);
        match boundaries.iter().position(|&boundary| boundary == cut) {
            Some(count) => assert_eq!(ended.unwrap(), &messages[..count], "a clean end at {cut}"),
            None => {
                let last = boundaries.iter().rev().find(|&&boundary| boundary < cut).unwrap();
                let Err(Error::Closed { received, .. }) = ended else { panic!("ended at {cut}: {ended:?}") };
                assert_eq!(received, cut - last);
            }
        }
    }
}

#[test]
fn each_framing_survives_its_bytes_cut_at_every_place() {
    let messages: [&[u8]; 4] = [b"Hello", b"", b"\x00\xff 12", b"world, of which there is more than of the others"];
    survives(Delimited::by(b"\n", 100), &messages);
    survives(Delimited::by(b"\r\n\r\n", 100), &messages);
    survives(Delimited::by(b"aab", 100), &[b"a", b"aa ", b"", b"baba"]);
    survives(Prefixed::u8(100), &messages);
    survives(Prefixed::u16(100), &messages);
    survives(Prefixed::u32(100), &messages);
    survives(Digits::new(1, 100), &[b"", b"nine byte"]);
    survives(Digits::new(5, 100), &messages);
    survives(Fixed(3), &[b"one", b"two", b"\n\0\n"]);
    let length_of = |kind| (kind as char).to_digit(10).map(|length| length as usize);
    survives(Typed::new(length_of), &[b"0", b"3abc", b"1x", b"9123456789"]);
}

#[test]
fn until_close_is_one_message_however_it_is_cut() {
    let framing = UntilClose { limit: 10 };
    assert_eq!(decode(framing, &[b"Hel", b"lo"]).unwrap(), [b"Hello"]);
    assert_eq!(decode(framing, &[]).unwrap(), [b""]);
    let error = decode(framing, &[b"Hello, ", b"world"]).unwrap_err();
    assert_eq!(error, Error::TooLong { length: 12, limit: 10 });
}

#[test]
fn an_end_inside_a_message_says_how_far_it_came() {
    let error = decode(Prefixed::u32(100), &[b"\0\0\0\x09Hell"]).unwrap_err();
    assert_eq!(error.to_string(), "closed after 8 of 13 bytes");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
    let error = decode(Prefixed::u32(100), &[b"\0\0"]).unwrap_err();
    assert_eq!(error.to_string(), "closed after 2 of 4 bytes");
    let error = decode(Delimited::by(b"\n", 100), &[b"one\ntwo"]).unwrap_err();
    assert_eq!(error.to_string(), "closed after 3 bytes of a message");
}

#[test]
fn integers_travel_in_network_byte_order() {
    let content = [7; 258];
    let head = |framing: Prefixed, n| encode(&framing, &[&content])[..n].to_vec();
    assert_eq!(head(Prefixed::u16(1000), 2), [1, 2]);
    assert_eq!(head(Prefixed::u32(1000), 4), [0, 0, 1, 2]);
    assert_eq!(encode(&Digits::new(5, 1000), &[&content])[..5], *b"00258");
    assert_eq!(decode(Digits::new(5, 1000), &[b"    3abc"]).unwrap(), [b"abc"]);
}

#[test]
fn the_limit_refuses_at_the_head_and_at_the_sender() {
    let mut parse = Prefixed::u32(16);
    assert_eq!(parse.parse(&[0xff; 4]), Err(Error::TooLong { length: 0xffff_ffff, limit: 16 }));
    assert!(parse.encode(&[0; 17], &mut Vec::new()).is_err());
    assert_eq!(
        Digits::new(3, usize::MAX).encode(&[0; 1000], &mut Vec::new()),
        Err(Error::TooLong { length: 1000, limit: 999 })
    );
    assert_eq!(
        Digits::new(19, 16).parse(b"9999999999999999999"),
        Err(Error::TooLong { length: 9_999_999_999_999_999_999, limit: 16 })
    );
    // Without a delimiter the line is refused as soon as it is too long, not when it ends.
    assert_eq!(Delimited::by(b"\n", 4).parse(b"12345"), Err(Error::TooLong { length: 5, limit: 4 }));
    assert_eq!(Delimited::by(b"\n", 4).parse(b"1234"), Ok(Parsed::Need(5)));
    assert_eq!(Prefixed::u8(1000).encode(&[0; 256], &mut Vec::new()), Err(Error::TooLong { length: 256, limit: 255 }));
}

#[test]
fn what_is_no_length_and_no_type_is_named() {
    for digits in [&b"12x45"[..], b"-1   ", b"     ", b"1 234"] {
        let error = Digits::new(5, 100).parse(digits).unwrap_err();
        assert_eq!(error, Error::BadDigits(digits.to_vec()));
    }
    assert_eq!(Typed::new(|_| None).parse(b"?").unwrap_err().to_string(), "no message begins with the byte 0x3f");
}

#[test]
fn content_that_would_be_cut_short_is_not_encoded() {
    let mut wire = b"before".to_vec();
    let lines = Delimited::by(b"\n", 100);
    assert_eq!(lines.encode(b"two\nlines", &mut wire), Err(Error::HasDelimiter));
    // The delimiter would begin in the content.
    assert_eq!(Delimited::by(b"aa", 100).encode(b"ba", &mut wire), Err(Error::HasDelimiter));
    assert!(Fixed(3).encode(b"four", &mut wire).is_err());
    assert!(Typed::new(|_| Some(1)).encode(b"", &mut wire).is_err());
    assert_eq!(wire, b"before");
}

#[test]
fn a_line_that_comes_byte_by_byte_is_searched_once() {
    let mut lines = Delimited::by(b"\n", 1 << 20);
    let input = vec![b'x'; 1 << 20];
    // Quadratic, this would take hours.
    for length in (1..=input.len()).step_by(16) {
        assert!(matches!(lines.parse(&input[..length]), Ok(Parsed::Need(_))));
    }
}
