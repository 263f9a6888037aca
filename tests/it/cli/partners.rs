//! Server and client, each with a partner that Python wrote.

use std::net::SocketAddr;
use std::process::Stdio;

use super::support::{Program, Server, client};
use super::transcripts::{is_clients, is_servers};
use crate::harness::python3;

#[test]
fn the_server_serves_a_plain_python_client() {
    let Some(mut python) = python3() else { return };
    let server = Server::start(&["--once", "4"]);
    python.args(["-c", include_str!("echo_client.py"), &server.address.ip().to_string()]);
    python.args([&server.address.port().to_string(), "4"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let names = Program::of(&mut python).succeed();
    let lines = server.program.succeed();
    is_servers(&lines, 4);
    for name in &names {
        assert!(lines.contains(&format!("Accepted connection from {name}")));
    }
    assert_eq!(names.len(), 4);
}

#[test]
fn the_client_is_served_by_a_python_selectors_server() {
    for connections in [1, 50] {
        let Some(mut python) = python3() else { return };
        python.args(["-c", include_str!("echo_server.py"), &connections.to_string()]);
        let mut server = Program::of(python.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let address = SocketAddr::from(([127, 0, 0, 1], server.line().parse().unwrap()));
        is_clients(&client(address, connections, &[]).succeed(), address, connections);
        assert_eq!(server.succeed(), [format!("{} bytes", connections * 44)]);
    }
}
