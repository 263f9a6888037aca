//! Options that decide who may bind what.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use selkey::socket::{Accept, Dial, Listener, Options, Socket, Transfer, accept, dial, listen, progress, receive};

use super::{accepted, address_of, dialled, readable};
use crate::harness::{PATIENCE, alone, poll_fd};

/// Where no other test listens, as far as the system gives more than one loopback address.
fn own_loopback(last: u8) -> Ipv4Addr {
    if cfg!(target_os = "linux") { Ipv4Addr::new(127, 0, 77, last) } else { Ipv4Addr::LOCALHOST }
}

fn listen_at(address: SocketAddr, options: &Options) -> io::Result<Listener> {
    listen(&address.into(), options)
}

fn await_end(socket: &Socket) {
    assert!(readable(socket, PATIENCE));
    assert_eq!(receive(socket, &mut [0; 16]).unwrap(), Transfer::Closed);
}

#[test]
fn so_reuseaddr_binds_while_old_connections_are_in_time_wait() {
    alone(concat!(module_path!(), "::so_reuseaddr_binds_while_old_connections_are_in_time_wait"), || {
        let listener = listen_at((own_loopback(1), 0).into(), &Options::default()).unwrap();
        let address = address_of(&listener);
        let theirs = dialled(address, &Options::default());
        let ours = accepted(&listener);
        drop(listener);
        // Who ends first has the TIME_WAIT.
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        await_end(&theirs);
        drop(theirs);
        await_end(&ours);
        drop(ours);

        let error = listen_at(address, Options::default().reuse_address(false)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let again = listen_at(address, Options::default().reuse_address(true)).unwrap();
        let second = listen_at(address, Options::default().reuse_address(true)).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse, "it is no SO_REUSEPORT");
        drop(again);
    });
}

#[test]
fn so_reuseport_shares_a_port_between_listeners() {
    let alone = listen_at((own_loopback(2), 0).into(), &Options::default()).unwrap();
    for options in [&Options::default(), Options::default().reuse_port(true)] {
        let error = listen_at(address_of(&alone), options).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "all must have it");
    }

    let mut sharing = Options::default();
    sharing.reuse_port(true);
    let first = listen_at((own_loopback(3), 0).into(), &sharing).unwrap();
    let address = address_of(&first);
    let second = listen_at(address, &sharing).unwrap();
    if !cfg!(target_os = "linux") {
        println!("skipped: only Linux spreads connections over the listeners");
        return;
    }
    const CONNECTIONS: usize = 64;
    let dialled: Vec<_> = (0..CONNECTIONS).map(|_| dialled(address, &Options::default())).collect();
    let mut counts = [0; 2];
    for (listener, count) in [first, second].iter().zip(&mut counts) {
        // The one that was asked first may have got them all, once in 2^63 runs.
        assert!(readable(listener, PATIENCE));
        while let Accept::Connection(_) = accept(listener).unwrap() {
            *count += 1;
        }
    }
    assert_eq!(counts[0] + counts[1], CONNECTIONS);
    assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
    drop(dialled);
}

#[test]
fn ipv6_v6only_keeps_ipv4_off() {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let both = match listen_at(any, &Options::default()) {
        Ok(listener) => listener,
        Err(error) => return println!("skipped: no IPv6: {error}"),
    };
    let _theirs = dialled((own_loopback(4), address_of(&both).port()).into(), &Options::default());
    let ours = accepted(&both);
    let peer = ours.peer_addr().unwrap().as_socket_ipv6().unwrap();
    assert!(peer.ip().to_ipv4_mapped().is_some(), "{peer}");

    let only = listen_at(any, Options::default().only_v6(true)).unwrap();
    let (socket, mut state) =
        dial(&SocketAddr::from((own_loopback(5), address_of(&only).port())).into(), &Options::default()).unwrap();
    if state == Dial::Pending {
        poll_fd(socket.as_raw_fd(), libc::POLLOUT, PATIENCE);
        state = progress(&socket).unwrap();
    }
    assert_eq!(state, Dial::Failed(libc::ECONNREFUSED));
}
