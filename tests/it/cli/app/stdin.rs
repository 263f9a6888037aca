//! `app-client --stdin`: each line is a request.

use std::io::Write;
use std::net::TcpListener;
use std::process::ChildStdin;
use std::thread;

use super::*;
use crate::cli::support::accept;

fn fed(address: SocketAddr) -> (Program, ChildStdin) {
    Program::fed(&["app-client", &address.ip().to_string(), &address.port().to_string(), "--stdin"])
}

/// What the client tells when this is its whole input.
fn with_input(address: SocketAddr, input: &[u8]) -> Program {
    let (program, mut stdin) = fed(address);
    let input = input.to_vec();
    // It may go before it has read all.
    thread::spawn(move || drop(stdin.write_all(&input)));
    program
}

fn results(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("Got result: ")).collect()
}

fn connections(lines: &[String]) -> usize {
    let count = |start| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("Starting connection to"), count("Closing connection to"));
    count("Starting connection to")
}

#[test]
fn a_thousand_lines_are_answered_in_order_on_one_connection() {
    let server = server(&["--quiet"]);
    let input: String = (0..1000).map(|n| search(&n.to_string()) + "\n").collect();
    let lines = with_input(server.address, input.as_bytes()).succeed();
    let expected: Vec<String> = (0..1000).map(|n| format!("No match for '{n}'.")).collect();
    assert_eq!(results(&lines), expected);
    assert_eq!(connections(&lines), 1);
    server.program.interrupt();
}

#[test]
fn blank_lines_are_none_and_the_last_one_needs_no_end() {
    let server = server(&["--quiet"]);
    let input = format!("\n  \n{}\r\n\n\t\n{}", search("a"), search("b"));
    let lines = with_input(server.address, input.as_bytes()).succeed();
    assert_eq!(results(&lines), ["No match for 'a'.", "No match for 'b'."]);
    server.program.interrupt();
}

#[test]
fn a_line_that_is_no_request_is_answered_by_the_server_with_the_reason() {
    let server = server(&["--quiet"]);
    let lines = with_input(server.address, b"{broken\n[]\n{}\n").succeed();
    let got = results(&lines);
    assert!(got[0].starts_with("Error: the content is not JSON: "), "{got:?}");
    assert_eq!(got[1..], ["Error: the content is JSON, but no object", "Error: the content has no \"action\""]);
    assert_eq!(connections(&lines), 1);
    server.program.interrupt();
}

#[test]
fn a_line_that_is_not_utf_8_is_an_error_after_the_lines_before_it_were_answered() {
    let server = server(&["--quiet"]);
    let input = [search("a").as_bytes(), b"\n", search("b").as_bytes(), b"\n\xff\n", search("c").as_bytes()].concat();
    let (said, lines) = failure(with_input(server.address, &input), 1);
    assert!(said.starts_with("standard input: ") && said.contains("UTF-8"), "{said}");
    assert_eq!(results(&lines), ["No match for 'a'.", "No match for 'b'."]);
    let (said, lines) = failure(with_input(server.address, b"\xff"), 1);
    assert!(said.starts_with("standard input: ") && lines.is_empty(), "{said} {lines:?}");
    server.program.interrupt();
}

#[test]
fn no_lines_at_all_are_no_connection_and_success() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    for input in [&b""[..], b"\n\n \n"] {
        assert!(with_input(nobody.local_addr().unwrap(), input).succeed().is_empty());
    }
    nobody.set_nonblocking(true).unwrap();
    assert!(nobody.accept().is_err(), "somebody connected");
}

#[test]
fn lines_that_come_while_it_is_idle_go_on_the_same_connection() {
    let server = server(&["--quiet"]);
    let (mut program, mut stdin) = fed(server.address);
    let mut lines = Vec::new();
    for value in ["a", "b", "c"] {
        writeln!(stdin, "{}", search(value)).unwrap();
        let got = format!("Got result: No match for '{value}'.");
        while lines.last() != Some(&got) {
            lines.push(program.line());
        }
    }
    drop(stdin);
    lines.extend(program.succeed());
    assert_eq!((results(&lines).len(), connections(&lines)), (3, 1));
    server.program.interrupt();
}

#[test]
fn a_line_after_the_server_closed_goes_on_a_new_connection() {
    let server = server(&["--quiet", "--idle-timeout", "0.2"]);
    let (mut program, mut stdin) = fed(server.address);
    for value in ["a", "b", "c"] {
        writeln!(stdin, "{}", search(value)).unwrap();
        let lines: Vec<_> = (0..5).map(|_| program.line()).collect();
        assert_eq!(results(&lines), [format!("No match for '{value}'.")]);
        assert_eq!(connections(&lines), 1);
    }
    drop(stdin);
    assert!(program.succeed().is_empty());
    server.program.interrupt();
}

#[test]
fn a_server_that_goes_away_for_good_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (program, mut stdin) = fed(listener.local_addr().unwrap());
    writeln!(stdin, "{}", search("a")).unwrap();
    let mut stream = accept(&listener);
    assert_eq!(Reply::read(&mut stream).frame, kept(&search("a")));
    drop((stream, listener));
    let (said, _) = failure(program, 1);
    assert!(said.ends_with(": closed before a reply came"), "{said}");
}

#[test]
fn an_interrupt_ends_it_with_a_word_and_success() {
    let server = server(&["--quiet"]);
    // Before the first line, and while it is idle.
    let (program, stdin) = fed(server.address);
    let (mut idle, mut idle_stdin) = fed(server.address);
    writeln!(idle_stdin, "{}", search("a")).unwrap();
    while !idle.line().starts_with("Got result: ") {}
    assert_eq!(
        idle.interrupt(),
        ["Caught keyboard interrupt, exiting".to_owned(), format!("Closing connection to {}", server.address)]
    );
    // The first one may be starting still, so that it is ended by its input.
    drop(stdin);
    assert!(program.succeed().is_empty());
    drop(idle_stdin);
    server.program.interrupt();
}
