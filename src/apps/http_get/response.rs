//! A response as it arrives: header, then body, whatever way its end is known. No I/O and no clock.

use std::io;

use super::head::{Ending, Head};
use super::invalid;
use crate::message::framing::{Delimited, Error, Framing, Parsed};

/// The longest header in bytes, those of interim answers counted in; and the longest trailer.
pub(super) const LONGEST_HEADER: usize = 64 << 10;
/// The longest line in front of a chunk, for a length and what nobody uses.
const LONGEST_CHUNK_LINE: usize = 256;

const LINE_END: &[u8] = b"\r\n";

/// The next thing that came.
#[derive(Debug)]
pub(super) enum Step<'i> {
    Head(Head),
    Body(&'i [u8]),
}

#[derive(Debug)]
enum State {
    Head,
    /// Of a body of known length, so many bytes are still to come.
    Body(u64),
    ToTheClose,
    ChunkLine,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    Done,
}

/// Reads a response from bytes that come in any pieces.
#[derive(Debug)]
pub(super) struct Response {
    state: State,
    /// The header, or a line around chunks, as far as it is there.
    section: Section,
    /// Bytes of headers, and then of the trailer, that were read.
    headers: usize,
    /// Bytes of the body that were read.
    received: u64,
    /// The longest body.
    limit: u64,
}

impl Response {
    pub(super) fn new(limit: u64) -> Response {
        let section = Section::by(b"\r\n\r\n", LONGEST_HEADER);
        Response { state: State::Head, section, headers: 0, received: 0, limit }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Bytes of the body so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The next thing in `input`, which is moved on behind it; `None` where it is used up, or the response is there.
    pub(super) fn next<'i>(&mut self, input: &mut &'i [u8]) -> io::Result<Option<Step<'i>>> {
        loop {
            match self.state {
                State::Head => {
                    let Some(text) = self.section.take(input).map_err(header_too_long)? else { return Ok(None) };
                    self.headers += text.len();
                    let head = Head::parse(&text)?;
                    if !head.is_interim() {
                        self.begin(head.ending)?;
                        return Ok(Some(Step::Head(head)));
                    }
                    self.section = Section::by(b"\r\n\r\n", LONGEST_HEADER.saturating_sub(self.headers));
                }
                State::Body(left) | State::Chunk(left) => {
                    let piece = self.piece(input, left);
                    let in_chunk = matches!(self.state, State::Chunk(_));
                    self.state = match left - piece.len() as u64 {
                        0 if in_chunk => State::ChunkEnd,
                        0 => State::Done,
                        left if in_chunk => State::Chunk(left),
                        left => State::Body(left),
                    };
                    return Ok((!piece.is_empty()).then_some(Step::Body(piece)));
                }
                State::ToTheClose => {
                    let piece = self.piece(input, u64::MAX);
                    self.allow(0)?;
                    return Ok((!piece.is_empty()).then_some(Step::Body(piece)));
                }
                State::ChunkLine => {
                    let Some(line) = self.section.take(input).map_err(|_| bad_chunk())? else { return Ok(None) };
                    let length = chunk_length(&line)?;
                    self.allow(length)?;
                    self.headers = 0;
                    (self.state, self.section) = match length {
                        0 => (State::Trailer, Section::by(LINE_END, LONGEST_HEADER)),
                        length => (State::Chunk(length), Section::by(LINE_END, 0)),
                    };
                }
                State::ChunkEnd => {
                    let Some(_) = self.section.take(input).map_err(|_| bad_chunk())? else { return Ok(None) };
                    (self.state, self.section) = (State::ChunkLine, Section::by(LINE_END, LONGEST_CHUNK_LINE));
                }
                State::Trailer => {
                    let Some(line) = self.section.take(input).map_err(header_too_long)? else { return Ok(None) };
                    self.headers += line.len();
                    if line == LINE_END {
                        self.state = State::Done;
                    }
                    self.section = Section::by(LINE_END, LONGEST_HEADER.saturating_sub(self.headers));
                }
                State::Done => return Ok(None),
            }
        }
    }

    /// The peer sends no more.
    pub(super) fn end(&self) -> io::Result<()> {
        let received = self.received;
        let what = match self.state {
            State::Done | State::ToTheClose => return Ok(()),
            State::Head => match self.headers + self.section.held.len() {
                0 => "closed without an answer".to_owned(),
                n => format!("no blank line ends the header: closed after {n} bytes"),
            },
            State::Body(left) => format!("closed after {received} of {} bytes", received + left),
            _ => format!("closed inside a chunked body, after {received} bytes of it"),
        };
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, what))
    }

    fn begin(&mut self, ending: Ending) -> io::Result<()> {
        self.state = match ending {
            Ending::Length(0) => State::Done,
            Ending::Length(length) => {
                self.allow(length)?;
                State::Body(length)
            }
            Ending::Chunked => State::ChunkLine,
            Ending::Close => State::ToTheClose,
        };
        self.section = Section::by(LINE_END, LONGEST_CHUNK_LINE);
        Ok(())
    }

    /// At most this much of the body from the front of the input.
    fn piece<'i>(&mut self, input: &mut &'i [u8], most: u64) -> &'i [u8] {
        let (piece, rest) = input.split_at(input.len().min(usize::try_from(most).unwrap_or(usize::MAX)));
        *input = rest;
        self.received += piece.len() as u64;
        piece
    }

    /// Whether the body may be longer by this.
    fn allow(&self, more: u64) -> io::Result<()> {
        if self.received.saturating_add(more) <= self.limit {
            return Ok(());
        }
        let what = format!("the body is longer than the limit of {} bytes", self.limit);
        Err(io::Error::new(io::ErrorKind::FileTooLarge, what))
    }
}

fn chunk_length(line: &[u8]) -> io::Result<u64> {
    // To the parser no digits are a length of 0, which would end the body.
    match httparse::parse_chunk_size(line) {
        Ok(httparse::Status::Complete((_, length))) if line[0].is_ascii_hexdigit() => Ok(length),
        _ => Err(bad_chunk()),
    }
}

fn bad_chunk() -> io::Error {
    invalid("the chunks of the body are malformed".to_owned())
}

fn header_too_long(_: Error) -> io::Error {
    invalid(format!("the header is longer than the limit of {LONGEST_HEADER} bytes"))
}

/// Bytes up to a delimiter, as far as they are there.
#[derive(Debug)]
struct Section {
    end: Delimited,
    /// With the delimiter no more than this is held.
    most: usize,
    held: Vec<u8>,
}

impl Section {
    fn by(delimiter: &[u8], limit: usize) -> Section {
        Section { end: Delimited::by(delimiter, limit), most: limit + delimiter.len(), held: Vec::new() }
    }

    /// All of it with the delimiter, off the front of the input; `None` where more must come.
    fn take(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let before = self.held.len();
        self.held.extend_from_slice(&input[..input.len().min(self.most - before)]);
        match self.end.parse(&self.held)? {
            Parsed::Message { used, .. } => {
                self.held.truncate(used);
                *input = &input[used - before..];
                Ok(Some(std::mem::take(&mut self.held)))
            }
            Parsed::Need(_) => {
                *input = &[];
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 100_000;

    /// Header and body, or why not, from bytes that come in pieces of these lengths, and then the end.
    fn read(mut bytes: &[u8], mut lengths: impl Iterator<Item = usize>) -> Result<(String, Vec<u8>), String> {
        let (mut response, mut header, mut body) = (Response::new(LIMIT), String::new(), Vec::new());
        while !response.is_done() && !bytes.is_empty() {
            let (mut input, rest) = bytes.split_at(lengths.next().unwrap().min(bytes.len()));
            bytes = rest;
            while let Some(step) = response.next(&mut input).map_err(|error| error.to_string())? {
                match step {
                    Step::Head(head) => header = head.to_string(),
                    Step::Body(piece) => body.extend_from_slice(piece),
                }
            }
        }
        response.end().map_err(|error| error.to_string())?;
        Ok((header, body))
    }

    fn chunked(chunks: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
    }

    /// Responses, with the body or a part of the complaint.
    fn table() -> Vec<(String, Result<&'static str, &'static str>)> {
        let counted = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let long = |name: &str, n: usize| format!("HTTP/1.1 200 OK\r\n{name}: {}", "x".repeat(n));
        let plain: [(&str, Result<&str, &str>); 24] = [
            ("HTTP/1.1 200 OK\r\n\r\nHello", Ok("Hello")),
            ("HTTP/1.0 200\r\nA:\r\n\r\n", Ok("")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello", Ok("Hello")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello, and more than was said", Ok("Hello")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\ncontent-length: 5\r\n\r\nHello", Ok("Hello")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Ok("")),
            ("HTTP/1.1 204 No Content\r\n\r\nnot a body", Ok("")),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Ok("")),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nHello",
                Ok("Hello"),
            ),
            ("HTTP/1.1 101 Switching Protocols\r\n\r\nwhatever", Ok("")),
            ("", Err("closed without an answer")),
            ("Hello", Err("no blank line ends the header: closed after 5 bytes")),
            ("HTTP/1.1 200 OK\nA: b\n\nHello", Err("no blank line ends the header: closed after 27 bytes")),
            ("HTTP/1.1 100 Continue\r\n\r\n", Err("no blank line ends the header: closed after 25 bytes")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHell", Err("closed after 4 of 5 bytes")),
            ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nHello", Err("'-5' is not a length")),
            ("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nHello", Err("'+5' is not a length")),
            ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nHello", Err("'' is not a length")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", Err("is not a length")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nHello!", Err("5 and 6")),
            ("HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n", Err("limit of 100000 bytes")),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Err("'gzip, chunked'")),
            ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Err("the header is malformed")),
            ("ICY 200 OK\r\n\r\nHello", Err("the header is malformed")),
        ];
        let chunks: [(&str, Result<&str, &str>); 14] = [
            ("5\r\nHello\r\n0\r\n\r\n", Ok("Hello")),
            ("1\r\nH\r\n4;name=\"value\"\r\nello\r\n000\r\n\r\nmore", Ok("Hello")),
            ("00A \r\n0123456789\r\n0\r\nName: value\r\nOther: value\r\n\r\n", Ok("0123456789")),
            ("0\r\n\r\n", Ok("")),
            ("", Err("closed inside a chunked body, after 0 bytes")),
            ("5\r\nHel", Err("closed inside a chunked body, after 3 bytes")),
            ("5\r\nHello\r\n", Err("closed inside a chunked body, after 5 bytes")),
            ("5\r\nHello\r\n0\r\n", Err("closed inside a chunked body, after 5 bytes")),
            ("5\r\nHello!\r\n0\r\n\r\n", Err("chunks of the body are malformed")),
            ("x\r\nHello\r\n0\r\n\r\n", Err("chunks of the body are malformed")),
            ("-5\r\nHello\r\n0\r\n\r\n", Err("chunks of the body are malformed")),
            ("\r\n\r\n", Err("chunks of the body are malformed")),
            ("186A1\r\n", Err("limit of 100000 bytes")),
            ("10000000000000005\r\nHello\r\n0\r\n\r\n", Err("chunks of the body are malformed")),
        ];
        let mut table: Vec<_> = plain.iter().map(|(text, outcome)| (text.to_string(), *outcome)).collect();
        table.extend(chunks.iter().map(|(text, outcome)| (chunked(text), *outcome)));
        table.extend([
            (format!("{}\r\n\r\n", long("A", 65_000)), Ok("")),
            (format!("{}\r\n\r\n", long("A", 66_000)), Err("header is longer than the limit of 65536")),
            (long("A", 200_000), Err("header is longer than the limit of 65536")),
            ("HTTP/1.1 100 Continue\r\n\r\n".repeat(3000), Err("header is longer than the limit of 65536")),
            (chunked(&format!("5;{}\r\nHello\r\n0\r\n\r\n", "x".repeat(300))), Err("chunks of the body are malformed")),
            (chunked(&format!("0\r\n{}", "Name: value\r\n".repeat(6000))), Err("longer than the limit of 65536")),
            (format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_001)), Err("limit of 100000 bytes")),
            (format!("{counted}Hello"), Ok("Hello")),
        ]);
        table
    }

    #[test]
    fn responses_are_read_as_they_are_meant_or_refused() {
        for (text, expected) in table() {
            let shown = &text[..text.len().min(200)];
            match (read(text.as_bytes(), std::iter::repeat(usize::MAX)), expected) {
                (Ok((_, body)), Ok(expected)) => assert_eq!(body, expected.as_bytes(), "{shown}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{shown}: {error}"),
                (other, _) => panic!("{shown}: {other:?}"),
            }
        }
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut() {
        let mut random = 1u64;
        for (text, _) in table() {
            let bytes = text.as_bytes();
            let whole = read(bytes, std::iter::repeat(usize::MAX));
            // Of the long ones the inside is the same all over.
            for at in (1..bytes.len()).filter(|at| bytes.len() < 1000 || at % 997 == 0) {
                assert_eq!(read(bytes, [at].into_iter().chain(std::iter::repeat(usize::MAX))), whole, "cut at {at}");
            }
            for longest in [1, 2, 3, 7, 100] {
                let lengths = std::iter::repeat_with(|| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    1 + (random >> 33) as usize % longest
                });
                assert_eq!(read(bytes, lengths), whole, "pieces of up to {longest}");
            }
        }
    }
}
