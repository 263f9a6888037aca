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

#[test]
fn the_demo_shows_both_sides_and_that_every_byte_came_back() {
    let lines = Program::start(&["demo"]).succeed();
    let side = |label: &str| -> Vec<&str> { lines.iter().filter_map(|line| line.strip_prefix(label)).collect() };
    let (server, client) = (side("server  "), side("client  "));
    let address = server[0].strip_prefix("Listening on ").unwrap().parse().unwrap();
    is_servers(&server[1..], 3);
    is_clients(&client, address, 3);
    assert_eq!(lines[server.len() + client.len()..], ["", "Every byte came back: 132 on 3 connections."]);
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
