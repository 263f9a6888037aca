//! What a client sends, and what it makes of the answers.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use selkey::apps::Transcript;
use selkey::apps::app::{Client, Progress, Request};
use selkey::{Limits, Protocol, Reactor};

use super::wire::*;
use crate::reactor::support::{Log, patient, reset};

/// What is left when the connection to a peer that does `serve` is over.
struct Outcome {
    progress: Rc<RefCell<Progress>>,
    lines: Vec<String>,
}

impl Outcome {
    fn results(&self) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line.strip_prefix("Got ")).collect()
    }

    fn failure(&self) -> io::Error {
        self.progress.borrow_mut().failure.take().expect("a failure")
    }

    fn left(&self) -> usize {
        self.progress.borrow().requests.len()
    }
}

fn run(requests: Vec<Request>, keep_alive: bool, serve: impl FnOnce(TcpStream) + Send + 'static) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || serve(patient(listener.accept().unwrap().0)));
    let log = Log::default();
    let told = log.clone();
    let transcript = Transcript::new(move |line| told.add(line.to_string()));
    let progress = Progress::new(requests);
    let mut reactor = Reactor::new().unwrap();
    reactor.dial(address, Client::new("it", keep_alive, &progress, &transcript)).unwrap();
    reactor.run().unwrap();
    serving.join().unwrap();
    assert!(progress.borrow().over);
    let lines = log.lines();
    assert_eq!((&*lines[0], &**lines.last().unwrap()), ("Starting connection to it", "Closing connection to it"));
    Outcome { progress, lines }
}

fn searches(values: &[&str]) -> Vec<Request> {
    values.iter().map(|value| Request::new("search", value)).collect()
}

fn result(text: &str, more: &str) -> Vec<u8> {
    message("text/json", "utf-8", format!("{{\"result\": \"{text}\"}}").as_bytes(), more)
}

#[test]
fn the_three_requests_are_sent_byte_for_byte_and_replies_taken_byte_by_byte() {
    for (request, sent, reply, got) in [
        (
            Request::new("search", "morpheus"),
            json(r#"{"action": "search", "value": "morpheus"}"#),
            result("Follow the white rabbit. 🐰", ""),
            "result: Follow the white rabbit. 🐰",
        ),
        (
            Request::new("search", "🐶"),
            json("{\"action\": \"search\", \"value\": \"🐶\"}"),
            result("🐾 Playing ball! 🏐", ""),
            "result: 🐾 Playing ball! 🏐",
        ),
        (
            Request::new("test", "qwertyuiopa"),
            message(BINARY, "binary", b"testqwertyuiopa", ""),
            message("binary/custom-server-binary-type", "binary", b"First 10 bytes of request: testqwerty", ""),
            "response: b'First 10 bytes of request: testqwerty'",
        ),
    ] {
        let (tell, told) = mpsc::channel();
        let outcome = run(vec![request], false, move |mut stream| {
            let mut bytes = vec![0; sent.len()];
            stream.read_exact(&mut bytes).unwrap();
            tell.send((bytes, sent)).unwrap();
            stream.set_nodelay(true).unwrap();
            reply.iter().for_each(|byte| stream.write_all(&[*byte]).unwrap());
            assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the client sent more");
        });
        let (bytes, sent) = told.recv().unwrap();
        assert_eq!(bytes, sent);
        assert_eq!(outcome.results(), [got]);
        assert_eq!((outcome.left(), outcome.progress.borrow().replies), (0, 1));
    }
}

#[test]
fn requests_wait_for_the_reply_before_them_on_a_connection_that_is_kept() {
    let outcome = run(searches(&["a", "b", "c"]), true, |mut stream| {
        for value in ["a", "b", "c"] {
            let mut bytes = vec![0; kept(&search(value)).len()];
            stream.read_exact(&mut bytes).unwrap();
            assert_eq!(bytes, kept(&search(value)));
            stream.set_nonblocking(true).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            stream.set_nonblocking(false).unwrap();
            stream.write_all(&result(value, KEEP)).unwrap();
        }
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
    assert_eq!(outcome.results(), ["result: a", "result: b", "result: c"]);
}

#[test]
fn what_a_server_that_does_not_keep_the_connection_was_not_sent_stays_to_be_sent() {
    for keep_alive in [false, true] {
        let outcome = run(searches(&["a", "b", "c"]), keep_alive, |mut stream| {
            Reply::read(&mut stream);
            stream.write_all(&result("a", "")).unwrap();
        });
        assert_eq!((outcome.results(), outcome.left()), (vec!["result: a"], 2));
        assert!(outcome.progress.borrow().failure.is_none());
    }
}

#[test]
fn a_request_that_crosses_the_end_of_a_kept_connection_stays_to_be_sent() {
    for with_reset in [false, true] {
        let outcome = run(searches(&["a", "b", "c"]), true, move |mut stream| {
            Reply::read(&mut stream);
            stream.write_all(&result("a", KEEP)).unwrap();
            Reply::read(&mut stream);
            if with_reset { reset(stream) } else { stream.shutdown(Shutdown::Write).unwrap() }
        });
        assert_eq!((outcome.results(), outcome.left()), (vec!["result: a"], 2));
        assert!(outcome.progress.borrow().failure.is_none());
        assert_eq!(outcome.progress.borrow().requests[0], Request::new("search", "b"));
    }
}

#[test]
fn half_a_second_reply_is_a_failure_all_the_same() {
    let outcome = run(searches(&["a", "b"]), true, |mut stream| {
        Reply::read(&mut stream);
        stream.write_all(&result("a", KEEP)).unwrap();
        Reply::read(&mut stream);
        stream.write_all(&result("b", KEEP)[..40]).unwrap();
    });
    assert_eq!(outcome.failure().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(outcome.left(), 0);
}

#[test]
fn every_end_without_a_reply_says_why() {
    let whole = result("x", "");
    let length = whole.len();
    for (answer, says) in [
        (vec![], "closed before a reply came".to_owned()),
        (whole[..1].to_vec(), "closed after 1 of 2 bytes".to_owned()),
        (whole[..2].to_vec(), format!("closed after 2 of {} bytes", length - 15)),
        (whole[..length - 1].to_vec(), format!("closed after {} of {length} bytes", length - 1)),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "closed after 28 of 18518 bytes".to_owned()),
        (frame(b"[]", b""), "the header is JSON, but no object".to_owned()),
        (vec![0, 0], "the header is empty: its length is 0".to_owned()),
    ] {
        let outcome = run(searches(&["x"]), false, move |mut stream| {
            Reply::read(&mut stream);
            stream.write_all(&answer).unwrap();
        });
        assert_eq!(outcome.failure().to_string(), format!("it: {says}"));
        assert_eq!(outcome.progress.borrow().replies, 0);
    }
}

#[test]
fn a_reply_that_nobody_asked_for_is_a_failure() {
    let outcome = run(searches(&["x"]), true, |mut stream| {
        Reply::read(&mut stream);
        stream.write_all(&[result("x", KEEP), result("y", KEEP)].concat()).unwrap();
        // Until the client has gone.
        let _ = stream.read(&mut [0]);
    });
    // The first was asked for, and after it the client was done.
    assert_eq!(outcome.results(), ["result: x"]);
    let progress = Progress::new(None);
    progress.borrow_mut().more_to_come = true;
    let (ours, mut theirs) = crate::harness::tcp_pair();
    let mut reactor = Reactor::new().unwrap();
    reactor.adopt(ours, Client::new("it", true, &progress, &Transcript::silent())).unwrap();
    theirs.write_all(&result("y", KEEP)).unwrap();
    reactor.run().unwrap();
    assert_eq!(progress.borrow().failure.as_ref().unwrap().to_string(), "it: a reply that nobody asked for");
}

#[test]
fn a_client_that_has_nothing_to_say_is_not_left_for_its_silence() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let progress = Progress::new(None);
    progress.borrow_mut().more_to_come = true;
    let mut reactor = Reactor::new().unwrap();
    let mut limits = Limits::default();
    limits.idle_timeout = Duration::from_millis(50);
    reactor.set_limits(limits);
    reactor.dial(address, Client::new("it", true, &progress, &Transcript::silent())).unwrap();
    let serving = thread::spawn(move || {
        let mut stream = patient(listener.accept().unwrap().0);
        assert_eq!(Reply::read(&mut stream).frame, kept(&search("x")));
        stream.write_all(&result("x", "")).unwrap();
    });
    while progress.borrow().key.is_none() {
        assert!(reactor.turn().unwrap());
    }
    let later = progress.clone();
    reactor.after(Duration::from_millis(500), move |reactor| {
        reactor.set_limits(Limits::default());
        let mut progress = later.borrow_mut();
        assert!(!progress.over);
        progress.more_to_come = false;
        progress.requests.push_back(Request::new("search", "x"));
        let key = progress.key.unwrap();
        drop(progress);
        reactor.poke(key, |client, out| client.receive(&[], out));
    });
    reactor.run().unwrap();
    serving.join().unwrap();
    assert_eq!(progress.borrow().replies, 1);
}

#[test]
fn a_reply_that_is_no_result_is_shown_as_what_it_is() {
    for (reply, lines) in [
        (json("{\"result\": 1}"), ["Received response {\"result\": 1} from it", "Got a result that is no text: "]),
        (json("[]"), ["Received response [] from it", "Got no result: the content is JSON, but no object"]),
        (json("{\"results\": \"\"}"), ["Received response ", "Got no result: the content has no \"result\""]),
        (json("<html>"), ["Received response <html> from it", "Got no result: the content is not JSON"]),
        (json(""), ["Received response  from it", "Got no result: the content is not JSON"]),
        (message("text/html", "utf-8", b"<b>", ""), ["Received text/html response from it", "Got response: b'<b>'"]),
    ] {
        let outcome = run(searches(&["x"]), false, move |mut stream| {
            Reply::read(&mut stream);
            stream.write_all(&reply).unwrap();
        });
        for (said, line) in outcome.lines[2..].iter().zip(lines) {
            assert!(said.starts_with(line), "{said}\n{line}");
        }
        assert_eq!((outcome.lines.len(), outcome.progress.borrow().replies), (5, 1), "{:?}", outcome.lines);
    }
    // Text that is none is shown as bytes.
    let outcome = run(searches(&["x"]), false, |mut stream| {
        Reply::read(&mut stream);
        stream.write_all(&message("text/json", "utf-8", b"\xff\x1b[31m", "")).unwrap();
    });
    assert_eq!(outcome.lines[2], "Received response b'\\xff\\x1b[31m' from it");
}

#[test]
fn nothing_in_a_reply_reaches_the_terminal_as_a_command() {
    let nasty = "\u{1b}[2J\u{1b}]0;pwned\u{7}\r\n\u{9b}31m\u{7f}\0";
    let escaped: String = nasty.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    for reply in [
        json(&format!("{{\"result\": \"{escaped}\"}}")),
        json(nasty),
        message("text/json", "utf-8", format!("{{\"result\": \"{nasty}\"}}").as_bytes(), ""),
        message(&escaped, "utf-8", nasty.as_bytes(), ""),
        message("text/json", &escaped, nasty.as_bytes(), ""),
        json(&format!("{{\"result\": [\"{escaped}\", \"{nasty}\"]}}")),
        json(&format!("{{\"result\": {{\"{}\": 1}}}}", "\u{202e}\u{9b}".repeat(9999))),
        json(&format!("{{\"result\": \"{}\"}}", "\\u001b".repeat(100_000))),
    ] {
        let outcome = run(searches(&["x"]), false, move |mut stream| {
            Reply::read(&mut stream);
            stream.write_all(&reply).unwrap();
        });
        let lines = &outcome.lines;
        let failure = outcome.progress.borrow_mut().failure.take().map(|error| error.to_string());
        for line in lines.iter().chain(&failure) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(line.len() < 30_000, "{} bytes on one line", line.len());
        }
        assert!(lines.len() >= 4 || failure.is_some(), "{lines:?}");
    }
}
