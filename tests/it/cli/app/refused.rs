//! What cannot be understood: the server answers with the reason and goes on with the others.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use super::*;
#[cfg(target_os = "linux")]
use crate::cli::support::cpu;
use crate::cli::support::reset;

/// The server answers each with its reason, ends the connection, tells of it, costs nothing afterwards, and still serves.
fn each_is_refused(rows: &[(Vec<u8>, &str)]) {
    let mut server = server(&[]);
    for (bytes, reason) in rows {
        let reply = answered(server.address, bytes);
        let result = reply.result();
        assert!(!reply.is_kept() && result.starts_with(&format!("Error: {reason}")), "{result}\n{reason}");
        let accepted = server.program.line();
        let peer = accepted.strip_prefix("Accepted connection from ").unwrap();
        let told = server.program.line();
        assert_eq!(told, format!("Refusing what {peer} sends: {}", &result[7..]));
        assert!(server.program.line().starts_with("Sending b'"));
        assert_eq!(server.program.line(), format!("Closing connection to {peer}"));
    }
    serves(server.address);
    is_idle(server);
}

/// Costs no processor time, and ends as it should.
fn is_idle(server: Server) {
    #[cfg(target_os = "linux")]
    {
        let before = cpu(server.program.pid());
        std::thread::sleep(Duration::from_millis(500));
        let used = cpu(server.program.pid()) - before;
        assert!(used < Duration::from_millis(50), "{used:?} of half a second");
    }
    // What it was about to say when the interrupt came may stand behind it.
    assert!(server.program.interrupt().contains(&"Caught keyboard interrupt, exiting".to_owned()));
}

fn length(text: &str) -> Vec<u8> {
    let header = header(ORDER, "text/json", "utf-8", text, "");
    frame(header.as_bytes(), b"")
}

#[test]
fn headers_that_are_none() {
    each_is_refused(&[
        (vec![0, 0], "the header is empty: its length is 0"),
        (vec![0, 0, 1, 2, 3], "the header is empty: its length is 0"),
        (frame(&[0xff; 65_535], b""), "the header is not UTF-8 from its byte 0 on"),
        (frame(&[b'x'; 65_535], b"and more"), "the header is not JSON: "),
        (frame(b"{\"byteorder\": \"\xff", b""), "the header is not UTF-8 from its byte 15 on"),
        (frame(b" ", b""), "the header is not JSON: "),
        (frame(b"nonsense", b""), "the header is not JSON: "),
        (frame(b"{\"byteorder\": \"little\"", b""), "the header is not JSON: "),
        (frame(b"{}{}", b""), "the header is not JSON: "),
        (frame(b"[]", b""), "the header is JSON, but no object"),
        (frame(b"0", b""), "the header is JSON, but no object"),
        (frame(b"\"text/json\"", b""), "the header is JSON, but no object"),
        (frame(b"null", b""), "the header is JSON, but no object"),
        (frame(&[b'['; 10_000], b""), "the header is not JSON: recursion limit exceeded"),
        (frame("{\"a\":".repeat(10_000).as_bytes(), b""), "the header is not JSON: recursion limit exceeded"),
    ]);
}

#[test]
fn lengths_that_are_none() {
    let twice = header(ORDER, "text/json", "utf-8", 2, ", \"content-length\": 3");
    each_is_refused(&[
        (length("-5"), "the header's \"content-length\" is -5, not a count of bytes"),
        (length("-0"), "the header's \"content-length\" is -0, not a count of bytes"),
        (length("1.5"), "the header's \"content-length\" is 1.5, not a count of bytes"),
        (length("\"12\""), "the header's \"content-length\" is \"12\", not a count of bytes"),
        (length("true"), "the header's \"content-length\" is true, not a count of bytes"),
        (length("null"), "the header's \"content-length\" is null, not a count of bytes"),
        (length("[2]"), "the header's \"content-length\" is [2], not a count of bytes"),
        (length("1e3"), "the header's \"content-length\" is 1e3, not a count of bytes"),
        (
            length("99999999999999999999"),
            "the header's \"content-length\" is 99999999999999999999, not a count of bytes",
        ),
        (length("1000000000000"), "a content of 1000000000000 bytes is over the limit of 16777216"),
        (length("18446744073709551615"), "a content of 18446744073709551615 bytes is over the limit of 16777216"),
        (length("16777217"), "a content of 16777217 bytes is over the limit of 16777216"),
        (frame(twice.as_bytes(), b"{}"), "the header has \"content-length\" twice"),
    ]);
}

#[test]
fn members_that_are_missing_or_something_else() {
    let good = header(ORDER, "text/json", "utf-8", 2, "");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from));
        frame(good.replace(from, to).as_bytes(), b"{}")
    };
    let order = format!("\"{ORDER}\"");
    each_is_refused(&[
        (with("byteorder", "order"), "the header has no \"byteorder\""),
        (with("content-type", "type"), "the header has no \"content-type\""),
        (with("content-encoding", "encoding"), "the header has no \"content-encoding\""),
        (with("content-length", "length"), "the header has no \"content-length\""),
        (with(&order, "\"middle\""), "the header's \"byteorder\" is \"middle\", neither \"little\" nor \"big\""),
        (with(&order, "1"), "the header's \"byteorder\" is 1, not a string"),
        (with("\"text/json\"", "[]"), "the header's \"content-type\" is [], not a string"),
        (with("\"utf-8\"", "null"), "the header's \"content-encoding\" is null, not a string"),
        (with("content-encoding", "content-type"), "the header has \"content-type\" twice"),
    ]);
}

#[test]
fn contents_that_say_nothing() {
    let server = server(&[]);
    for (content, reason) in [
        ("{}", "the content has no \"action\""),
        ("[]", "the content is JSON, but no object"),
        ("0", "the content is JSON, but no object"),
        ("\"\"", "the content is JSON, but no object"),
        ("null", "the content is JSON, but no object"),
        ("", "the content is not JSON: EOF while parsing"),
        ("{", "the content is not JSON: EOF while parsing"),
        ("{\"action\": \"search\"}", "the content has no \"value\""),
        ("{\"action\": null, \"value\": \"x\"}", "the content's \"action\" is null, not a string"),
        ("{\"action\": \"search\", \"value\": 1e5}", "the content's \"value\" is 1e5, not a string"),
        ("{\"action\": \"find\", \"value\": \"x\"}", "invalid action 'find'."),
        (&"[".repeat(10_000), "the content is not JSON: recursion limit exceeded"),
    ] {
        let reply = answered(server.address, &json(content));
        assert!(reply.result().starts_with(&format!("Error: {reason}")), "{reply:?}");
        // The connection is as good as before, for whoever wants it.
        let mut stream = dial(server.address);
        stream.write_all(&[kept(content), json(&search("x"))].concat()).unwrap();
        let first = Reply::read(&mut stream);
        assert!(first.is_kept() && first.content == reply.content);
        assert_eq!(Reply::last(&mut stream).result(), "No match for 'x'.");
    }
    is_idle(server);
}

#[test]
fn binary_content_of_length_0() {
    let server = server(&[]);
    for kind in [BINARY, "text/html", ""] {
        let reply = answered(server.address, &message(kind, "binary", b"", ""));
        assert_eq!(reply.content, b"First 10 bytes of request: ");
        assert_eq!(reply.header["content-type"], "binary/custom-server-binary-type");
    }
    is_idle(server);
}

#[test]
fn contents_that_do_not_decode_are_answered_and_the_connection_is_kept() {
    let server = server(&[]);
    let mut stream = dial(server.address);
    for (encoding, content, reason) in [
        ("klingon", &b"{}"[..], "unknown content-encoding \"klingon\""),
        ("binary", b"{}", "unknown content-encoding \"binary\""),
        ("", b"{}", "unknown content-encoding \"\""),
        ("utf-8", b"{\"action\": \"\xff\"}", "the content is not utf-8 from its byte 12 on"),
        ("ascii", b"\xc3\xa9", "the content is not ascii from its byte 0 on"),
        ("utf-16-le", b"{\0}", "the content is not utf-16-le from its byte 2 on"),
    ] {
        stream.write_all(&message("text/json", encoding, content, KEEP)).unwrap();
        let reply = Reply::read(&mut stream);
        assert_eq!((reply.result(), reply.is_kept()), (format!("Error: {reason}"), true));
    }
    // What is known besides UTF-8.
    let utf16: Vec<u8> = search("🐶").encode_utf16().flat_map(u16::to_be_bytes).collect();
    stream.write_all(&message("text/json", "UTF-16BE", &utf16, "")).unwrap();
    assert_eq!(Reply::last(&mut stream).result(), "🐾 Playing ball! 🏐");
    serves(server.address);
    server.program.interrupt();
}

#[test]
fn an_end_between_messages_is_none_to_speak_of() {
    let mut server = server(&["--once", "2"]);
    drop(dial(server.address));
    assert!(server.program.line().starts_with("Accepted connection from "));
    assert!(server.program.line().starts_with("Closing connection to "));
    let mut stream = dial(server.address);
    stream.write_all(&kept(&search("x"))).unwrap();
    assert!(Reply::read(&mut stream).is_kept());
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let lines = server.program.succeed();
    let starts = ["Accepted", "Received", "Sending", "Closing"];
    assert!(lines.len() == 4 && lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)), "{lines:?}");
}

#[test]
fn an_end_inside_a_message_is_told_to_both_sides() {
    let mut server = server(&[]);
    let whole = json(&search("morpheus"));
    let header = whole.len() - 41;
    for (sent, needed) in
        [(1, 2), (2, header), (3, header), (header - 1, header), (header, whole.len()), (whole.len() - 1, whole.len())]
    {
        let reply = answered_at_end(server.address, &whole[..sent]);
        assert_eq!(reply.result(), format!("Error: closed after {sent} of {needed} bytes"));
        let accepted = server.program.line();
        let peer = accepted.strip_prefix("Accepted connection from ").unwrap();
        assert_eq!(server.program.line(), format!("{peer} closed after {sent} of {needed} bytes"));
        assert!(server.program.line().starts_with("Sending b'"));
        assert_eq!(server.program.line(), format!("Closing connection to {peer}"));
    }
    let mut garbage = vec![0xff; 1000];
    garbage.extend([b'\x1b'; 1000]);
    assert_eq!(answered_at_end(server.address, &garbage).result(), "Error: closed after 2000 of 65537 bytes");
    serves(server.address);
    is_idle(server);
}

#[test]
fn a_reset_during_request_or_reply_ends_one_connection_and_no_other() {
    let server = server(&["--quiet"]);
    let mut other = dial(server.address);
    let value = "x".repeat(8 << 20);
    for _ in 0..3 {
        // Half a header, half a content, all but the last of a reply that does not fit into the kernel.
        for part in [50, 1000] {
            let mut stream = dial(server.address);
            stream.write_all(&json(&search(&value))[..part]).unwrap();
            reset(stream);
        }
        let mut stream = dial(server.address);
        stream.write_all(&json(&search(&value))).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        reset(stream);
        other.write_all(&kept(&search("x"))).unwrap();
        assert_eq!(Reply::read(&mut other).result(), "No match for 'x'.");
    }
    drop(other);
    is_idle(server);
}

#[test]
fn what_peers_send_is_told_on_short_lines_without_a_command_for_the_terminal() {
    let server = server(&["--once", "7"]);
    let nasty = "\u{1b}[2J\u{1b}]0;pwned\u{7}\r\n\u{9b}31m\u{7f}\0 ".repeat(10_000);
    let escaped: String = nasty.chars().take(300).map(|c| format!("\\u{:04x}", c as u32)).collect();
    for bytes in [
        json(&nasty),
        json(&format!("{{\"action\": \"search\", \"value\": \"{escaped}\"}}")),
        json(&format!("{{\"action\": \"{escaped}\", \"value\": \"\"}}")),
        message(BINARY, "binary", nasty.as_bytes(), ""),
        message(&escaped, &escaped, b"x", ""),
        message("text/json", &escaped, b"\x1b[2J", ""),
        frame(header(&escaped, "text/json", "utf-8", 0, "").as_bytes(), b""),
    ] {
        answered(server.address, &bytes);
    }
    let lines = server.program.succeed();
    for line in &lines {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.len() < 20_000, "{} bytes on one line", line.len());
    }
    // Whole lines, and none more: no line end came through.
    assert_eq!(lines.len(), 7 * 4);
    let length = format!("({} bytes)", nasty.len());
    assert!(lines[1].starts_with("Received request \\x1b[2J") && lines[1].contains(&length), "{}", lines[1]);
}
