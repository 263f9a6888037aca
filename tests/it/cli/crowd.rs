//! Many connections at once, client and server in processes of their own.

use super::support::{Server, client};

/// What a process needs besides its connections.
const BESIDES: usize = 100;

fn all_bytes_come_back(connections: usize, backend: &str) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call fills in `limit`.
    crate::harness::check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) });
    if limit.rlim_max < (connections + BESIDES) as libc::rlim_t {
        println!("skipped: {} descriptors are too few for {connections} connections", limit.rlim_max);
        return;
    }
    let server = Server::start(&["--quiet", "--backend", backend, "--once", &connections.to_string()]);
    let said = client(server.address, connections, &["--quiet"]).succeed();
    assert_eq!(said, [format!("{connections} connections, {} bytes came back", connections * 44)]);
    assert!(server.program.succeed().is_empty());
}

#[test]
fn all_bytes_come_back_on_5000_connections_at_once() {
    all_bytes_come_back(5_000, "epoll");
}

#[test]
fn all_bytes_come_back_on_1000_connections_at_once_with_poll() {
    all_bytes_come_back(1_000, "poll");
}

#[test]
fn all_bytes_come_back_on_400_connections_at_once_with_select() {
    all_bytes_come_back(400, "select");
}

#[test]
fn a_thousand_connections_are_told_of_each() {
    let server = Server::start(&["--once", "1000"]);
    super::transcripts::is_clients(&client(server.address, 1000, &[]).succeed(), server.address, 1000);
    super::transcripts::is_servers(&server.program.succeed(), 1000);
}
