//! TCP_USER_TIMEOUT: a peer that does not acknowledge, in a network namespace of the test's own.

use std::io;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use selkey::socket::{Options, Socket, Transfer, listen, receive, send};

use super::{accepted, address_of, dialled, readable};
use crate::harness::alone;

/// From here nothing gets out once the peer is frozen.
const PEER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Asked and not yet over: the kernel's count of retransmissions would take a quarter of an hour.
const ASKED: Duration = Duration::from_millis(1500);
const BOUND: Duration = Duration::from_secs(20);

#[test]
fn tcp_user_timeout_ends_a_connection_whose_peer_does_not_acknowledge() {
    alone(concat!(module_path!(), "::tcp_user_timeout_ends_a_connection_whose_peer_does_not_acknowledge"), || {
        if let Err(why) = own_network() {
            return println!("skipped: TCP_USER_TIMEOUT: {why}");
        }
        let listener = listen(&(PEER.to_string().as_str(), 0).into(), &Options::default()).unwrap();
        let address = address_of(&listener);
        let ends = [&Options::default(), Options::default().user_timeout(ASKED)].map(|o| dialled(address, o));
        let peers = [accepted(&listener), accepted(&listener)];
        if let Err(why) = ip(&format!("rule add pref 10 from {PEER} blackhole")) {
            return println!("skipped: TCP_USER_TIMEOUT: {why}");
        }
        let [without, with] = &ends;
        let start = Instant::now();
        for socket in [without, with] {
            assert_eq!(send(socket, b"nobody acknowledges this").unwrap(), Transfer::Moved(24));
        }
        assert!(readable(with, BOUND), "the connection lives after {BOUND:?}");
        let (took, error) = (start.elapsed(), receive(with, &mut [0; 1]).unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        assert!(took >= ASKED, "{took:?}");
        assert!(!readable(without, Duration::ZERO), "the other one has ended too");
        drop::<[Socket; 2]>(peers);
    });
}

/// Puts this thread, and the processes that it starts, into a network with nothing but a loopback whose routes can be changed.
fn own_network() -> Result<(), String> {
    // SAFETY: the call takes no pointers.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(format!("no network namespace: {}", io::Error::last_os_error()));
    }
    ip("link set lo up")?;
    // So that another rule can come before the one for local addresses.
    ip("rule add pref 100 lookup local")?;
    ip("rule del pref 0")
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output().map_err(|error| format!("no ip: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
