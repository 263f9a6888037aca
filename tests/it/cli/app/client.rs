//! The client with servers that misbehave, and with arguments that mean nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use selkey::socket::Socket;
use socket2::{Domain, Type};

use super::*;
use crate::cli::support::{accept, reset, selkey};

/// What our client says, and told before, when a server does this with the connection on which `search x` came.
fn client_says(options: &[&str], serve: impl FnOnce(TcpStream)) -> (String, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let program = client(address, &[&["search", "x"], options].concat());
    let mut stream = accept(&listener);
    assert_eq!(Reply::read(&mut stream).frame, json(&search("x")));
    serve(stream);
    let (said, lines) = failure(program, 1);
    let said = said.strip_prefix(&format!("{address}: ")).unwrap_or_else(|| panic!("{said}")).to_owned();
    assert!(!lines.iter().any(|line| line.starts_with("Got ")), "{lines:?}");
    (said, lines)
}

#[test]
fn every_server_that_does_not_reply_is_a_failure_on_one_line() {
    let reply = message("text/json", "utf-8", b"{\"result\": \"x\"}", "");
    let half = &reply[..reply.len() - 5];
    let writes = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        move |mut stream: TcpStream| stream.write_all(&bytes).unwrap()
    };
    assert_eq!(client_says(&[], drop).0, "closed before a reply came");
    assert_eq!(client_says(&[], reset).0, format!("Connection reset by peer (os error {})", libc::ECONNRESET));
    assert_eq!(client_says(&[], writes(half)).0, format!("closed after {} of {} bytes", half.len(), reply.len()));
    assert_eq!(client_says(&[], writes(b"HTTP/1.1 200 OK")).0, "closed after 15 of 18518 bytes");
    let garbage = client_says(&[], writes(&frame(b"\x1b[2J", b"\x1b[2J"))).0;
    assert!(garbage.starts_with("the header is not JSON: "), "{garbage}");
    let long = header(ORDER, "text/json", "utf-8", 1u64 << 40, "");
    let long = client_says(&[], writes(&frame(long.as_bytes(), b"x"))).0;
    assert_eq!(long, "a content of 1099511627776 bytes is over the limit of 16777216");
}

#[test]
fn a_server_that_falls_silent_is_left_in_time() {
    let reply = message("text/json", "utf-8", b"{\"result\": \"x\"}", "");
    for (sent, says) in [
        (0, "silent for too long"),
        (1, "a message was not whole in time"),
        (50, "a message was not whole in time"),
        (reply.len() - 1, "a message was not whole in time"),
    ] {
        let began = Instant::now();
        let said = client_says(&["--timeout", "0.5"], |mut stream| {
            stream.write_all(&reply[..sent]).unwrap();
            // Until the client gives up, with a reset. An interrupted receive is made again.
            let end = stream.read_to_end(&mut Vec::new());
            assert!(end.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset), "{end:?}");
        });
        assert_eq!(said.0, says);
        // The loop's own limit on a message that has begun is 30 s.
        assert!(began.elapsed() < Duration::from_secs(25), "{sent}: {:?}", began.elapsed());
        assert_eq!(said.1.len(), 3, "{:?}", said.1);
    }
}

#[test]
fn a_closed_port_is_one_line_that_names_it_and_what_may_be_wrong() {
    // Taken, but nobody listens.
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    taken.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let address = taken.local_addr().unwrap().as_socket().unwrap();
    for rest in [&["search", "ring"][..], &["search", "ring", "x", "--keep-alive"], &["test", ""]] {
        let (said, lines) = failure(client(address, rest), 1);
        assert!(said.starts_with(&format!("cannot connect to {address}: Connection refused")), "{said}");
        assert!(["port", "server", "firewall"].iter().all(|cause| said.contains(cause)), "{said}");
        assert_eq!(lines, [format!("Starting connection to {address}")]);
    }
}

#[test]
fn several_values_are_asked_one_after_the_other() {
    let server = server(&["--quiet"]);
    for (option, connections) in [(&["--keep-alive"][..], 1), (&[], 3)] {
        let lines = client(server.address, &[&["search", "a", "", "c"], option].concat()).succeed();
        let got: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("Got result: No match for ")).collect();
        assert_eq!(got, ["'a'.", "''.", "'c'."]);
        assert_eq!(lines.iter().filter(|line| line.starts_with("Starting ")).count(), connections);
        assert_eq!(lines.iter().filter(|line| line.starts_with("Closing ")).count(), connections);
    }
    server.program.interrupt();
}

#[test]
fn a_malicious_reply_is_no_command_for_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = client(listener.local_addr().unwrap(), &["search", "x"]);
    let mut stream = accept(&listener);
    Reply::read(&mut stream);
    let nasty = "\\u001b]0;pwned\\u0007\\r\\n\\u009b31m\u{9b}\u{7f}".repeat(10_000);
    stream.write_all(&json(&format!("{{\"result\": \"{nasty}\"}}"))).unwrap();
    drop(stream);
    let lines = program.succeed();
    assert_eq!(lines.len(), 5);
    assert!(lines[3].starts_with("Got result: \\x1b]0;pwned\\x07\\r\\n\\x9b31m\\x9b\\x7f"), "{}", lines[3]);
    for line in &lines {
        assert!(!line.chars().any(char::is_control) && line.len() < 30_000, "{line:?}");
    }
}

#[test]
fn an_interrupt_before_the_reply_is_told_and_a_failure() {
    for (signal, word) in [(libc::SIGINT, "keyboard interrupt"), (libc::SIGTERM, "termination signal")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let program = client(listener.local_addr().unwrap(), &["search", "x"]);
        let mut stream = accept(&listener);
        Reply::read(&mut stream);
        program.signal(signal);
        let (said, lines) = failure(program, 1);
        assert_eq!(said, "interrupted before a reply came");
        assert!(lines.contains(&format!("Caught {word}, exiting")), "{lines:?}");
    }
}

#[test]
fn arguments_that_mean_nothing_are_usage_errors() {
    for (args, words) in [
        (&["app-client"][..], &["<HOST>", "<PORT>", "<ACTION>", "<VALUE>"][..]),
        (&["app-client", "127.0.0.1"], &["<PORT>", "<ACTION>", "<VALUE>"]),
        (&["app-client", "127.0.0.1", "65432"], &["<ACTION>", "<VALUE>"]),
        (&["app-client", "127.0.0.1", "65432", "search"], &["<ACTION>", "<VALUE>"]),
        (&["app-client", "unix:/tmp/x", "search"], &["<ACTION>", "<VALUE>"]),
        (&["app-client", "127.0.0.1", "0", "search", "x"], &["'0'", "from 1 to 65535"]),
        (&["app-client", "127.0.0.1", "65536", "search", "x"], &["'65536'", "from 1 to 65535"]),
        (&["app-client", "127.0.0.1", "--stdin"], &["<PORT>"]),
        (&["app-client", "127.0.0.1", "65432", "--stdin", "search\n"], &["\"search\\n\"", "--stdin"]),
        (&["app-client", "127.0.0.1", "1", "search", "x", "--timeout", "0"], &["--timeout", "above 0"]),
        (&["app-client", "127.0.0.1", "1", "search", "x", "--timeout", "-1"], &["--timeout", "above 0"]),
        (&["app-client", "127.0.0.1", "1", "search", "x", "--keepalive-"], &["--keepalive-", "--keep"]),
        (&["app-server", "127.0.0.1"], &["<PORT>"]),
        (&["app-server", "127.0.0.1", "-1"], &["'-1'", "from 0 to 65535"]),
        (&["app-server", "127.0.0.1", "0", "more"], &["'more'", "--help"]),
        (&["app-server", "--max-content", "0"], &["--max-content", "above 0"]),
        (&["app-server", "--max-content", "-5"], &["--max-content", "above 0"]),
        (&["app-server", "--max-content", "many"], &["--max-content", "64k"]),
        (&["app-server", "--once", "0"], &["--once", "from 1 to"]),
        (&["app-server", "--table"], &["--table", "FILE.json"]),
        (&["app-server", "--backend", "iocp"], &["'iocp'", "epoll"]),
    ] {
        let (said, lines) = failure(Program::start(args), 2);
        assert!(lines.is_empty() && words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
    }
    assert!(selkey().args(["app-client", "--help"]).output().unwrap().status.success());
}

#[test]
fn a_value_that_looks_like_an_option_is_a_value_behind_two_dashes() {
    let server = server(&["--quiet"]);
    let lines = client(server.address, &["search", "-1"]).succeed();
    assert_eq!(lines[3], "Got result: No match for '-1'.");
    let lines = client(server.address, &["--", "search", "--keep-alive"]).succeed();
    assert_eq!(lines[3], "Got result: No match for '--keep-alive'.");
    server.program.interrupt();
}

#[test]
fn the_client_takes_a_server_that_keeps_its_word_only_half() {
    // It says that it keeps the connection, and closes it: the next request is for another one.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = client(listener.local_addr().unwrap(), &["--keep-alive", "search", "a", "b", "c"]);
    let serving = thread::spawn(move || {
        for value in ["a", "b", "c"] {
            let mut stream = accept(&listener);
            assert_eq!(Reply::read(&mut stream).frame, kept(&search(value)));
            let reply = format!("{{\"result\": \"{value}\"}}");
            stream.write_all(&message("text/json", "utf-8", reply.as_bytes(), KEEP)).unwrap();
        }
    });
    let lines = program.succeed();
    serving.join().unwrap();
    let got: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("Got result: ")).collect();
    assert_eq!(got, ["a", "b", "c"]);
}
