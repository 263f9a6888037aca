//! What one peer may take: bytes, time, a place.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::*;
use crate::harness::await_that;

/// The most memory that the process ever had, in KiB.
#[cfg(target_os = "linux")]
fn peak(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.program.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_length_over_the_limit_is_refused_at_the_header_and_nothing_is_buffered() {
    let server = server(&["--quiet"]);
    serves(server.address);
    let before = peak(&server);
    let header = header(ORDER, "text/json", "utf-8", 1_000_000_000_000u64, "");
    let mut streams: Vec<TcpStream> = (0..50).map(|_| dial(server.address)).collect();
    for stream in &mut streams {
        stream.write_all(&frame(header.as_bytes(), b"")).unwrap();
        let result = Reply::read(stream).result();
        assert_eq!(result, "Error: a content of 1000000000000 bytes is over the limit of 16777216");
    }
    for stream in &mut streams {
        // The server waits for our end, but not for long.
        let _ = stream.write_all(&vec![b'x'; 1_000_000]);
    }
    serves(server.address);
    let grown = peak(&server) - before;
    assert!(grown < 10_000, "{grown} KiB for 50 MB that nobody wants");
    drop(streams);
    server.program.interrupt();
}

#[cfg(target_os = "linux")]
#[test]
fn a_length_within_the_limit_takes_memory_only_as_bytes_come() {
    let server = server(&["--quiet"]);
    serves(server.address);
    let before = peak(&server);
    let start = frame(header(ORDER, BINARY, "binary", 16 << 20, "").as_bytes(), b"x");
    let mut streams: Vec<TcpStream> = (0..50).map(|_| dial(server.address)).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(&start).unwrap());
    serves(server.address);
    let grown = peak(&server) - before;
    assert!(grown < 10_000, "{grown} KiB for 50 bytes of 800 MiB");
    drop(streams);
    server.program.interrupt();
}

#[test]
fn the_limit_on_content_is_exact() {
    for (limit, bytes) in [("1", 1), ("1000", 1000), ("70000", 70_000), ("64k", 64 << 10), ("2m", 2 << 20)] {
        let server = server(&["--max-content", limit, "--quiet"]);
        let reply = answered(server.address, &message("x", "binary", &vec![b'x'; bytes], ""));
        assert_eq!(reply.content, [b"First 10 bytes of request: ", &b"xxxxxxxxxx"[..bytes.min(10)]].concat());
        let header = header(ORDER, "x", "binary", bytes + 1, "");
        let reply = answered(server.address, &frame(header.as_bytes(), b""));
        assert_eq!(reply.result(), format!("Error: a content of {} bytes is over the limit of {bytes}", bytes + 1));
        server.program.interrupt();
    }
}

#[test]
fn the_default_limit_is_16_mib() {
    let server = server(&["--quiet"]);
    // The longest header and the longest content there can be, and a request behind them.
    let empty = header(ORDER, "x", "binary", 16 << 20, ", \"x\": \"\"").len();
    let more = format!("{KEEP}, \"x\": \"{}\"", "x".repeat(65_535 - empty - KEEP.len()));
    let mut stream = dial(server.address);
    let longest = message("x", "binary", &vec![b'x'; 16 << 20], &more);
    assert_eq!(longest.len(), 2 + 65_535 + (16 << 20));
    stream.write_all(&[longest, json(&search("x"))].concat()).unwrap();
    assert_eq!(Reply::read(&mut stream).content, b"First 10 bytes of request: xxxxxxxxxx");
    assert_eq!(Reply::last(&mut stream).result(), "No match for 'x'.");
    server.program.interrupt();
}

/// Sends byte by byte, ever again, until an answer comes. Answers how long that took.
fn trickle(address: SocketAddr, start: &[u8], rest: &[u8]) -> (Reply, Duration) {
    let began = Instant::now();
    let mut stream = dial(address);
    stream.write_all(start).unwrap();
    let patience = stream.read_timeout().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    for byte in rest.iter().cycle() {
        match stream.peek(&mut [0]) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            outcome => {
                assert_eq!(outcome.unwrap(), 1);
                break;
            }
        }
        // The server may have said its word and gone.
        let _ = stream.write_all(&[*byte]);
    }
    let took = began.elapsed();
    stream.set_read_timeout(patience).unwrap();
    (Reply::read(&mut stream), took)
}

#[test]
fn one_byte_every_so_often_is_no_way_to_hold_a_connection() {
    for backend in ["epoll", "poll", "select"] {
        let mut server = server(&["--header-timeout", "0.5", "--backend", backend]);
        let (reply, took) = trickle(server.address, &[0xff], &[0xff]);
        assert_eq!(reply.result(), "Error: a message was not whole in time");
        assert!(took >= Duration::from_millis(500), "{took:?}");
        let accepted = server.program.line();
        let peer = accepted.strip_prefix("Accepted connection from ").unwrap();
        assert_eq!(server.program.line(), format!("Giving up on {peer}: a message was not whole in time"));
        server.program.interrupt();
    }
}

#[test]
fn a_content_that_trickles_has_a_deadline_of_its_own() {
    let server = server(&["--message-timeout", "0.5", "--quiet"]);
    let start = frame(header(ORDER, BINARY, "binary", 60_000, "").as_bytes(), b"");
    let (reply, took) = trickle(server.address, &start, b"x");
    assert_eq!(reply.result(), "Error: a message was not whole in time");
    assert!(took >= Duration::from_millis(500), "{took:?}");
    serves(server.address);
    server.program.interrupt();
}

#[test]
fn who_says_nothing_is_left_without_a_word() {
    let mut server = server(&["--header-timeout", "0.3"]);
    let mut stream = dial(server.address);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let lines: Vec<_> = (0..3).map(|_| server.program.line()).collect();
    assert!(lines[1].starts_with("Giving up on ") && lines[1].ends_with(": nothing came in time"), "{lines:?}");
    server.program.interrupt();
    let mut server = self::server(&["--idle-timeout", "0.3"]);
    let mut stream = dial(server.address);
    stream.write_all(&kept(&search("x"))).unwrap();
    assert!(Reply::last(&mut stream).is_kept());
    let lines: Vec<_> = (0..5).map(|_| server.program.line()).collect();
    assert!(lines[3].starts_with("Giving up on ") && lines[3].ends_with(": silent for too long"), "{lines:?}");
    server.program.interrupt();
}

#[test]
fn a_client_too_many_is_told_so() {
    let mut server = server(&["--max-connections", "1"]);
    let mut first = dial(server.address);
    first.write_all(&kept(&search("x"))).unwrap();
    assert!(Reply::read(&mut first).is_kept());
    let mut second = dial(server.address);
    assert_eq!(Reply::last(&mut second).result(), "Error: too many connections, try again later");
    let lines = client(server.address, &["search", "ring"]).succeed();
    assert_eq!(lines[3], "Got result: Error: too many connections, try again later");
    let lines: Vec<_> = (0..7).map(|_| server.program.line()).collect();
    let refused = lines[3].strip_prefix("Accepted connection from ").unwrap();
    assert_eq!(lines[4], format!("Refusing {refused}: too many connections"));
    first.write_all(&json(&search("x"))).unwrap();
    assert_eq!(Reply::last(&mut first).result(), "No match for 'x'.");
    drop((first, second));
    await_that("there is a place again", || {
        let mut stream = dial(server.address);
        // Refused, it may be reset before all is read.
        let _ = stream.write_all(&json(&search("x")));
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        reply.ends_with(b"No match for 'x'.\"}")
    });
    server.program.interrupt();
}
