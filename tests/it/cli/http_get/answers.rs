//! What servers answer, well and badly.

use std::io::{Read, Write};

use tempfile::tempdir;

use super::{Peer, body, failure, fetch, start};
use crate::harness::again;

#[test]
fn the_request_is_what_the_protocol_demands() {
    let (peer, directory) = (Peer::start(&[b"HTTP/1.1 200 OK\r\n\r\n"]), tempdir().unwrap());
    let address = peer.address;
    let url = format!("http://{address}/a/file?x=%20y#part");
    let lines = start(directory.path(), &[&url]).succeed();
    assert_eq!(lines, ["HTTP/1.1 200 OK", "", "Stored 0 bytes in file"]);
    let request = peer.request();
    let mut lines = request.lines();
    assert_eq!(lines.next(), Some("GET /a/file?x=%20y HTTP/1.1"));
    let fields: Vec<&str> = lines.collect();
    for field in [&format!("Host: {address}"), "Connection: close", "Accept-Encoding: identity"] {
        assert!(fields.contains(&field), "{request}");
    }
}

#[test]
fn a_body_ends_where_its_length_its_last_chunk_or_the_close_says() {
    assert_eq!(body(&[b"HTTP/1.0 200 OK\r\n\r\nHello", b", world"]), b"Hello, world");
    assert_eq!(body(&[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello, world"]), b"Hello");
    assert_eq!(body(&[b"HTTP/1.1 204 No Content\r\n\r\nHello"]), b"");
    assert_eq!(body(&[b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nHello"]), b"Hello");
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=y\r\nHello\r\n7\r\n, world\r\n0\r\nA: b\r\n\r\n";
    // One by one, the bytes of chunks and their lines come in pieces of every kind.
    let pieces: Vec<&[u8]> = chunked.chunks(1).collect();
    assert_eq!(body(&pieces), b"Hello, world");
    for at in [18, 60, 62, 70, 75, 80, chunked.len() - 1] {
        assert_eq!(body(&[&chunked[..at], &chunked[at..]]), b"Hello, world", "cut at {at}");
    }
}

#[test]
fn an_end_by_length_or_chunk_needs_no_close() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let peer = Peer::on("127.0.0.1", move |stream| {
            stream.write_all(answer.as_bytes()).unwrap();
            // The other side closes, though this one does not; whether with a reset does not matter.
            let _ = again(|| stream.read(&mut [0]));
        });
        let directory = tempdir().unwrap();
        start(directory.path(), &[&peer.url()]).succeed();
        peer.request();
    }
}

#[test]
fn an_answer_that_is_cut_short_is_an_error_and_leaves_no_file() {
    for (answer, said) in [
        ("", "closed without an answer"),
        ("HTTP/1.1 200 OK\r\nContent-", "no blank line ends the header: closed after 25 bytes"),
        ("<html>Hello</html>", "no blank line ends the header: closed after 18 bytes"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "no blank line ends the header: closed after 25 bytes"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nHello", "closed after 5 of 10 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "closed inside a chunked body, after 0 bytes of it"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n",
            "closed inside a chunked body, after 5 bytes of it",
        ),
    ] {
        assert_eq!(failure(&[answer.as_bytes()], &[]), said, "{answer}");
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error_and_leaves_no_file() {
    for (field, said) in [
        ("Content-Length: 5\r\nContent-Length: 6", "two Content-Lengths, 5 and 6"),
        ("Content-Length: -5", "the Content-Length '-5' is not a length"),
        ("Content-Length: five", "the Content-Length 'five' is not a length"),
        ("Transfer-Encoding: gzip", "the transfer encoding 'gzip' is not understood"),
        ("no field", "the header is malformed: invalid header name"),
        ("A: \x1b[31mred", "the header is malformed: invalid header value"),
        ("Transfer-Encoding: chunked\r\n\r\nfive\r\nHello\r\n0\r\n", "the chunks of the body are malformed"),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nHello, world", "the chunks of the body are malformed"),
    ] {
        assert_eq!(failure(&[b"HTTP/1.1 200 OK\r\n", field.as_bytes(), b"\r\n\r\nHello"], &[]), said);
    }
    assert!(failure(&[b"SSH-2.0-OpenSSH\r\n\r\n"], &[]).starts_with("the header is malformed"));
}

#[test]
fn what_is_longer_than_its_limit_is_refused() {
    let line = format!("A: {}\r\n", "x".repeat(1000));
    let header = format!("HTTP/1.1 200 OK\r\n{}", line.repeat(2000));
    assert_eq!(failure(&[header.as_bytes()], &[]), "the header is longer than the limit of 65536 bytes");
    let said = "the body is longer than the limit of 10240 bytes; --max-size allows more";
    let body = [b'x'; 10 * 1024 + 1];
    for header in ["Content-Length: 10241\r\n", ""] {
        let header = format!("HTTP/1.1 200 OK\r\n{header}\r\n");
        assert_eq!(failure(&[header.as_bytes(), &body], &["--max-size", "10k"]), said);
        let (ended, _directory) = fetch(&[header.as_bytes(), &body], &["--max-size", "10241"]);
        assert_eq!(ended.lines.last().unwrap(), "Stored 10241 bytes in file");
    }
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2800\r\n";
    assert_eq!(failure(&[chunked, &body[1..], b"\r\n1\r\nx\r\n0\r\n\r\n"], &["--max-size", "10k"]), said);
}

#[test]
fn a_status_other_than_success_is_told_and_leaves_no_file() {
    for (header, said) in [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 5", "404 Not Found"),
        ("HTTP/1.1 500", "500"),
        ("HTTP/1.1 304 Not Modified", "304 Not Modified"),
        ("HTTP/1.1 101 Switching Protocols", "101 Switching Protocols"),
        (
            "HTTP/1.1 302 Found\r\nLocation: /else\u{9b}where",
            "302 Found: redirects are not followed, this one is to /else\\xc2\\x9bwhere",
        ),
        ("HTTP/1.1 300 Multiple Choices", "300 Multiple Choices"),
        ("HTTP/1.1 201 Created\r\nLocation: /elsewhere\r\nContent-Length: 9", "closed after 5 of 9 bytes"),
    ] {
        assert_eq!(failure(&[header.as_bytes(), b"\r\n\r\nHello"], &[]), said);
    }
    let (ended, _directory) = fetch(&[b"HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n"], &[]);
    assert_eq!(ended.lines, ["HTTP/1.1 404 Not Found", "Server: x", ""]);
}

#[test]
fn a_header_shows_nothing_that_a_terminal_would_obey() {
    let header = b"HTTP/1.1 200 caf\xc3\xa9\r\nETag: \"a\\b\"\r\nC1: \x9b31m\r\nTab: a\tb\r\n\r\n";
    let (ended, _directory) = fetch(&[header], &[]);
    let shown = ["HTTP/1.1 200 caf\\xc3\\xa9", "ETag: \"a\\b\"", "C1: \\x9b31m", "Tab: a\\x09b", ""];
    assert_eq!(ended.lines[..5], shown, "{ended:?}");
}
