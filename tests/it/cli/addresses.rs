//! IPv6, every interface, names.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::support::{Program, Server, client};
use super::transcripts::{is_clients, is_servers};

pub fn ipv6_is_there() -> bool {
    let there = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !there {
        println!("skipped: no IPv6");
    }
    there
}

/// A client that dials `address` is served like any other.
fn serves(server: Server, address: SocketAddr) {
    is_clients(&client(address, 2, &[]).succeed(), address, 2);
    is_servers(&server.program.succeed(), 2);
}

#[test]
fn a_server_on_the_ipv6_loopback_serves_ipv6() {
    if !ipv6_is_there() {
        return;
    }
    for host in ["::1", "[::1]"] {
        let server = Server::on(host, 0, &["--once", "2"]);
        assert_eq!(server.address.ip(), Ipv6Addr::LOCALHOST);
        let address = server.address;
        serves(server, address);
    }
}

#[test]
fn a_server_on_every_ipv6_interface_serves_ipv4_too() {
    if !ipv6_is_there() {
        return;
    }
    for client in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))] {
        let server = Server::on("::", 0, &["--once", "2"]);
        assert_eq!(server.address.ip(), Ipv6Addr::UNSPECIFIED);
        let port = server.address.port();
        serves(server, SocketAddr::new(client.ip(), port));
    }
}

#[test]
fn an_empty_host_is_every_ipv4_interface() {
    let server = Server::on("", 0, &["--once", "2"]);
    assert_eq!(server.address.ip(), Ipv4Addr::UNSPECIFIED);
    let port = server.address.port();
    // All of 127.0.0.0/8 is this machine on Linux.
    let host = if cfg!(target_os = "linux") { Ipv4Addr::new(127, 1, 2, 3) } else { Ipv4Addr::LOCALHOST };
    serves(server, SocketAddr::from((host, port)));
}

#[test]
fn a_name_is_looked_up() {
    let server = Server::on("localhost", 0, &["--once", "2"]);
    assert!(server.address.ip().is_loopback());
    let port = server.address.port();
    // The client goes through the addresses of the name until one answers.
    let lines = Program::start(&["multiconn-client", "localhost", &port.to_string(), "2"]).succeed();
    assert_eq!(lines[0], format!("Starting connection 1 to localhost:{port}"));
    is_servers(&server.program.succeed(), 2);
}
