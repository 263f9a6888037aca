//! The tutorial's exchanges, with each other and with Python, both ways.

use std::net::SocketAddr;
use std::process::Stdio;

use super::*;
use crate::cli::addresses::ipv6_is_there;
use crate::harness::{Spot, python3};

const SEARCHES: [(&str, &str); 4] = [
    ("morpheus", "Follow the white rabbit. 🐰"),
    ("ring", "In the caves beneath the Misty Mountains. 💍"),
    ("🐶", "🐾 Playing ball! 🏐"),
    ("\"\\/\n\t\u{1}é\u{2028}", "No match for '\"\\/\n\t\u{1}é\u{2028}'."),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Request and reply of each, as our own program in Python sent and got them.
fn python_client(address: SocketAddr, args: &[&str]) -> Option<Vec<(String, String)>> {
    let mut python = python3()?;
    python.args(["-c", include_str!("../app_client.py"), &address.ip().to_string(), &address.port().to_string()]);
    let lines = Program::of(python.args(args).stdout(Stdio::piped()).stderr(Stdio::piped())).succeed();
    Some(lines.iter().map(|line| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap()).collect())
}

/// A server in Python, and where it listens.
fn python_server(args: &[&str]) -> Option<(Program, SocketAddr)> {
    let mut python = python3()?;
    python.args(["-c", include_str!("../app_server.py")]).args(args);
    let mut server = Program::of(python.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let port = server.line().parse().unwrap();
    Some((server, SocketAddr::from(([127, 0, 0, 1], port))))
}

/// The bytes that answer a search.
fn found(result: &str, more: &str) -> String {
    let escaped: String = result
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\t' => "\\t".to_owned(),
            '\u{1}' => "\\u0001".to_owned(),
            c => c.to_string(),
        })
        .collect();
    hex(&message("text/json", "utf-8", format!("{{\"result\": \"{escaped}\"}}").as_bytes(), more))
}

#[cfg(target_endian = "little")]
#[test]
fn the_known_exchanges_are_told_line_for_line() {
    let mut server = server(&["--once", "2"]);
    let address = server.address;
    let (head, request) = (
        "{\"byteorder\": \"little\", \"content-type\": \"text/json\", \"content-encoding\": \"utf-8\", \"content-length\": ",
        "{\"action\": \"search\", \"value\": \"morpheus\"}",
    );
    assert_eq!(
        client(address, &["search", "morpheus"]).succeed(),
        [
            format!("Starting connection to {address}"),
            format!("Sending b'\\x00g{head}41}}{request}' to {address}"),
            format!("Received response {{\"result\": \"Follow the white rabbit. 🐰\"}} from {address}"),
            "Got result: Follow the white rabbit. 🐰".to_owned(),
            format!("Closing connection to {address}"),
        ]
    );
    let accepted = server.program.line();
    let peer = accepted.strip_prefix("Accepted connection from ").unwrap();
    assert_eq!(peer.parse::<SocketAddr>().unwrap().ip(), address.ip());
    assert_eq!(server.program.line(), format!("Received request {request} from {peer}"));
    let rabbit = r#"{"result": "Follow the white rabbit. \xf0\x9f\x90\xb0"}"#;
    assert_eq!(server.program.line(), format!("Sending b'\\x00g{head}43}}{rabbit}' to {peer}"));
    assert_eq!(server.program.line(), format!("Closing connection to {peer}"));

    let lines = client(address, &["test", "qwertyuiopa"]).succeed();
    assert_eq!(
        lines[2..],
        [
            format!("Received binary/custom-server-binary-type response from {address}"),
            "Got response: b'First 10 bytes of request: testqwerty'".to_owned(),
            format!("Closing connection to {address}"),
        ]
    );
    let lines = server.program.succeed();
    let peer = lines[0].strip_prefix("Accepted connection from ").unwrap();
    assert_eq!(lines[1], format!("Received binary/custom-client-binary-type request from {peer}"));
    assert!(lines[2].starts_with("Sending b'\\x00\\x7f{") && lines[2].ends_with(&format!("testqwerty' to {peer}")));
    assert_eq!(lines[3..], [format!("Closing connection to {peer}")]);
}

#[test]
fn the_server_answers_a_python_client_byte_for_byte() {
    let server = server(&["--quiet"]);
    let values = SEARCHES.map(|(value, _)| value);
    for (order, piece, how) in [
        (ORDER, "0", "close"),
        (ORDER, "1", "close"),
        ("big", "0", "close"),
        ("big", "1", "keep"),
        ("little", "0", "keep"),
        (ORDER, "0", "pipeline"),
        (ORDER, "1", "pipeline"),
        (ORDER, "7", "pipeline"),
    ] {
        let args = [&[order, piece, how, "search"], &values[..]].concat();
        let Some(told) = python_client(server.address, &args) else { return };
        let more = if how == "close" { "" } else { KEEP };
        let replies: Vec<String> = SEARCHES.iter().map(|(_, result)| found(result, more)).collect();
        assert_eq!(told.iter().map(|(_, reply)| reply.clone()).collect::<Vec<_>>(), replies, "{args:?}");
        let length = 97 + order.len() + more.len();
        assert!(told[0].0.starts_with(&format!("{length:04x}7b22")), "{}", told[0].0);

        let told = python_client(server.address, &[order, piece, how, "test", "qwertyuiopa", ""]).unwrap();
        let first = |text: &str| format!("First 10 bytes of request: {text}");
        for ((_, reply), text) in told.iter().zip(["testqwerty", "test"]) {
            let kind = "binary/custom-server-binary-type";
            assert_eq!(*reply, hex(&message(kind, "binary", first(text).as_bytes(), more)));
        }
        assert_eq!(told.len(), 2);
    }
    assert_eq!(server.program.interrupt(), ["Caught keyboard interrupt, exiting"]);
}

#[test]
fn a_python_client_that_sends_two_requests_at_once_gets_the_first_reply_and_an_orderly_end() {
    let server = server(&["--quiet"]);
    let args = [ORDER, "0", "twice", "search", "ring", "morpheus"];
    let Some(told) = python_client(server.address, &args) else { return };
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, found(SEARCHES[1].1, ""));
    server.program.interrupt();
}

#[test]
fn the_client_sends_a_python_server_what_python_would_send() {
    for piece in ["0", "1"] {
        let Some((server, address)) = python_server(&[piece, "4", "close"]) else { return };
        let values = SEARCHES.map(|(value, _)| value);
        let lines = client(address, &[&["search"], &values[..]].concat()).succeed();
        let got: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("Got result: ")).collect();
        assert_eq!(got[..3], SEARCHES.map(|(_, result)| result)[..3]);
        // It is told on one line.
        assert_eq!(got[3..], ["No match for '\"\\/\\n\\t\\x01é\u{2028}'."]);
        let told = server.succeed();
        assert_eq!(told[0], hex(&json(&search("morpheus"))));
        assert_eq!(told[3], hex(&json(&search(r#"\"\\/\n\t\u0001é"#).replace('é', "é\u{2028}"))));
        assert_eq!(told[4..], ["4 connections"]);
    }
}

#[test]
fn the_client_opens_further_connections_where_a_python_server_keeps_none() {
    for (keep, connections) in [("close", "3 connections"), ("keep", "1 connections")] {
        for piece in ["0", "1"] {
            let Some((server, address)) = python_server(&[piece, "3", keep]) else { return };
            let lines = client(address, &["--keep-alive", "test", "one", "two", ""]).succeed();
            let got: Vec<_> = lines.iter().filter(|line| line.starts_with("Got")).collect();
            let response = |text| format!("Got response: b'First 10 bytes of request: {text}'");
            assert_eq!(got, [&response("testone"), &response("testtwo"), &response("test")]);
            let starts = lines.iter().filter(|line| line.starts_with("Starting connection")).count();
            let ends = lines.iter().filter(|line| line.starts_with("Closing connection")).count();
            assert_eq!((format!("{starts} connections"), starts), (connections.to_owned(), ends));
            let told = server.succeed();
            assert_eq!(told[..1], [hex(&message(BINARY, "binary", b"testone", KEEP))]);
            assert_eq!(told[3..], [connections]);
        }
    }
}

#[test]
fn every_backend_answers_alike_and_is_silent_when_told_so() {
    for backend in ["epoll", "poll", "select"] {
        let server = server(&["--backend", backend, "--quiet", "--once", "3"]);
        let lines = client(server.address, &["--keep-alive", "search", "morpheus", "🐶", "x"]).succeed();
        assert_eq!(lines.iter().filter(|line| line.starts_with("Got result: ")).count(), 3);
        let lines = client(server.address, &["search", "ring", "x"]).succeed();
        assert_eq!(lines.iter().filter(|line| line.starts_with("Starting ")).count(), 2);
        assert!(server.program.succeed().is_empty());
    }
}

#[test]
fn ipv6_is_served() {
    if !ipv6_is_there() {
        return;
    }
    let server = Server::of(Program::start(&["app-server", "::1", "0", "--once", "1"]));
    assert!(server.address.is_ipv6());
    let lines = client(server.address, &["search", "ring"]).succeed();
    assert_eq!(lines[4], format!("Closing connection to [::1]:{}", server.address.port()));
    let lines = server.program.succeed();
    assert!(lines[0].starts_with("Accepted connection from [::1]:"), "{lines:?}");
}

#[test]
fn an_empty_host_is_every_interface() {
    let server = Server::of(Program::start(&["app-server", "", "0", "--once", "1"]));
    assert!(server.address.ip().is_unspecified());
    client(SocketAddr::from(([127, 0, 0, 1], server.address.port())), &["search", "ring"]).succeed();
    server.program.succeed();
}

#[test]
fn a_path_is_served_and_removed_at_the_end() {
    let spot = Spot::new();
    let address = spot.address().to_string();
    let mut server = Program::start(&["app-server", &address]);
    assert_eq!(server.line(), format!("Listening on {address}"));
    for _ in 0..2 {
        let lines = Program::start(&["app-client", &address, "--keep-alive", "search", "ring", "x"]).succeed();
        assert_eq!((&*lines[0], lines.len()), (&*format!("Starting connection to {address}"), 8));
    }
    let lines = server.interrupt();
    assert_eq!(lines[0], "Accepted connection from unix:");
    assert!(!spot.0.exists(), "the socket is left behind");
    let (said, _) = failure(Program::start(&["app-client", &address, "search", "ring"]), 1);
    assert!(said.contains(&address), "{said}");
}
