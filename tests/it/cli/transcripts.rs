//! What server and client tell, line for line.

use std::net::SocketAddr;

use selkey::apps::multiconn::MESSAGES;
use selkey::python;

use super::support::{Program, Server, client};

/// Takes lines that show `all` in order, each piece between `before` and `after`. In how many pieces it arrived is up to TCP.
pub fn take_pieces(lines: &mut impl Iterator<Item: AsRef<str>>, before: &str, all: &[u8], after: &str) {
    let mut rest = all;
    while !rest.is_empty() {
        let line = lines.next().unwrap_or_else(|| panic!("nothing tells of {}", python(rest)));
        let line = line.as_ref();
        let shows = |n: &usize| line == format!("{before}{}{after}", python(&rest[..*n]));
        let n = (1..=rest.len()).rev().find(shows);
        rest = &rest[n.unwrap_or_else(|| panic!("{line}\nis not about {}", python(rest)))..];
    }
}

/// A client's whole transcript: of each connection these lines in this order, and no other line.
pub fn is_clients<S: AsRef<str>>(lines: &[S], address: SocketAddr, connections: usize) {
    let mut told = 0;
    for n in 1..=connections {
        let (start, end) = (format!("Starting connection {n} to "), format!(" connection {n}"));
        let ours: Vec<&str> =
            lines.iter().map(AsRef::as_ref).filter(|line| line.starts_with(&start) || line.ends_with(&end)).collect();
        told += ours.len();
        let mut ours = ours.into_iter();
        assert_eq!(ours.next(), Some(&*format!("Starting connection {n} to {address}")));
        assert_eq!(ours.next(), Some(&*format!("Sending b'Message 1 from client.' to connection {n}")));
        assert_eq!(ours.next(), Some(&*format!("Sending b'Message 2 from client.' to connection {n}")));
        take_pieces(&mut ours, "Received ", &MESSAGES.concat(), &format!(" from connection {n}"));
        assert_eq!(ours.next(), Some(&*format!("Closing connection {n}")));
        assert_eq!(ours.next(), None);
    }
    assert_eq!(told, lines.len());
}

/// A server's whole transcript after the first line, of clients that sent [`MESSAGES`].
pub fn is_servers<S: AsRef<str>>(lines: &[S], connections: usize) {
    let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    let peers: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("Accepted connection from ")).collect();
    assert_eq!(peers.len(), connections);
    let mut told = 0;
    for peer in peers {
        peer.parse::<SocketAddr>().unwrap();
        let about: Vec<&str> =
            lines.iter().copied().filter(|line| line.strip_suffix(peer).is_some_and(|l| l.ends_with(' '))).collect();
        told += about.len();
        let mut about = about.into_iter();
        assert_eq!(about.next(), Some(&*format!("Accepted connection from {peer}")));
        take_pieces(&mut about, "Echoing ", &MESSAGES.concat(), &format!(" to {peer}"));
        assert_eq!(about.next(), Some(&*format!("Closing connection to {peer}")));
        assert_eq!(about.next(), None);
    }
    assert_eq!(told, lines.len());
}

/// The lines of the demo under a heading that begins so: the server's, the client's, and how many there are in all.
fn demonstrated<'a>(lines: &'a [String], heading: &str) -> (Vec<&'a str>, Vec<&'a str>, Vec<&'a str>) {
    let from = lines.iter().position(|line| line.starts_with(&format!("== {heading}"))).unwrap();
    let part = || lines[from + 1..].iter().map(String::as_str).take_while(|line| !line.is_empty());
    let side = |label: &str| part().filter_map(|line| line.strip_prefix(label)).collect();
    let neither = part().filter(|line| !line.starts_with("server  ") && !line.starts_with("client  "));
    (side("server  "), side("client  "), neither.collect())
}

#[test]
fn the_demo_shows_both_sides_of_every_pair() {
    let lines = Program::start(&["demo"]).succeed();

    let (server, client, rest) = demonstrated(&lines, "multiconn-server");
    let address = server[0].strip_prefix("Listening on ").unwrap().parse().unwrap();
    is_servers(&server[1..], 3);
    is_clients(&client, address, 3);
    assert_eq!(rest, ["Every byte came back: 132 on 3 connections."]);

    let (server, client, _) = demonstrated(&lines, "echo-server");
    assert!(server[1].starts_with("Connected by 127.0.0.1:"));
    assert_eq!(client, ["Received b'Hello, world'"]);

    let (server, client, _) = demonstrated(&lines, "hello-server");
    assert_eq!(client, ["Welcome!", "Hello, Michael!", "Hello, Tracy!", "Hello, Sarah!"]);
    assert!(server.last().unwrap().ends_with(" closed."));

    let (server, client, _) = demonstrated(&lines, "app-server");
    assert!(client.contains(&"Got result: Follow the white rabbit. 🐰"), "{client:?}");
    assert!(client.contains(&"Got response: b'First 10 bytes of request: testqwerty'"), "{client:?}");
    assert_eq!(server.iter().filter(|line| line.starts_with("Closing connection to ")).count(), 2);

    let (server, client, _) = demonstrated(&lines, "udp-server");
    assert!(server[1].starts_with("Echoing b'Hello, world' to "));
    assert!(client[1].starts_with("Received b'Hello, world' from "));
    assert!(client[3].starts_with("Received b'' from "));

    let (_, _, measured) = demonstrated(&lines, "bench echo");
    let rate = measured[0].strip_prefix("3 connections: ").unwrap().split(' ').next().unwrap();
    assert!(rate.parse::<u64>().unwrap() > 0, "{measured:?}");
}

#[test]
fn server_and_client_tell_of_every_connection_in_order() {
    for connections in [1, 2, 10, 100] {
        let server = Server::start(&["--once", &connections.to_string()]);
        is_clients(&client(server.address, connections, &[]).succeed(), server.address, connections);
        is_servers(&server.program.succeed(), connections);
    }
}

#[test]
fn every_backend_tells_the_same() {
    for backend in ["epoll", "poll", "select"] {
        let server = Server::start(&["--once", "5", "--backend", backend]);
        is_clients(&client(server.address, 5, &[]).succeed(), server.address, 5);
        is_servers(&server.program.succeed(), 5);
    }
}

#[test]
fn a_quiet_server_tells_only_where_it_listens() {
    let server = Server::start(&["--once", "3", "--quiet"]);
    client(server.address, 3, &[]).succeed();
    assert!(server.program.succeed().is_empty());
}

#[test]
fn a_quiet_client_tells_only_how_it_ended() {
    let server = Server::start(&["--once", "3"]);
    let said = client(server.address, 3, &["--quiet"]).succeed();
    assert_eq!(said, ["3 connections, 132 bytes came back"]);
    is_servers(&server.program.succeed(), 3);
}
