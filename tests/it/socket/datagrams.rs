//! Datagrams: boundaries kept, too long ones reported, both families.

use std::io::ErrorKind;
use std::os::fd::AsRawFd;

use selkey::socket::{
    Address, Datagram, Options, Socket, Transfer, bind_datagram, connect_datagram, receive_from, send, send_to,
};

use crate::harness::{PATIENCE, alone, poll_fd};

fn next(socket: &Socket, bytes: &mut [u8]) -> (usize, usize, Address) {
    assert_ne!(poll_fd(socket.as_raw_fd(), libc::POLLIN, PATIENCE), 0);
    match receive_from(socket, bytes).unwrap() {
        Datagram::Received { stored, length, from } => (stored, length, from.as_socket().unwrap().into()),
        Datagram::Pending => panic!("readable and nothing there"),
    }
}

#[test]
fn boundaries_and_senders_are_kept_in_both_families() {
    for host in ["127.0.0.1", "::1"] {
        let Ok(server) = bind_datagram(&(host, 0).into(), &Options::default()) else {
            println!("skipped: no {host}");
            continue;
        };
        let to = server.local_addr().unwrap();
        let clients = [0, 1].map(|_| bind_datagram(&(host, 0).into(), &Options::default()).unwrap());
        for (client, text) in clients.iter().zip([&b"one"[..], b"two, longer"]) {
            assert_eq!(send_to(client, text, &to).unwrap(), Transfer::Moved(text.len()));
            assert_eq!(send_to(client, b"", &to).unwrap(), Transfer::Moved(0));
            let mut bytes = [0; 64];
            let (stored, length, from) = next(&server, &mut bytes);
            assert_eq!((&bytes[..stored], length), (text, text.len()));
            assert_eq!(from, client.local_addr().unwrap().as_socket().unwrap().into());
            assert_eq!(next(&server, &mut bytes).1, 0, "an empty datagram is one, too");
        }
        assert!(matches!(receive_from(&server, &mut [0; 8]).unwrap(), Datagram::Pending));
    }
}

#[test]
fn a_datagram_too_long_for_the_buffer_says_both_lengths() {
    let server = bind_datagram(&"127.0.0.1:0".into(), &Options::default()).unwrap();
    let client = bind_datagram(&"127.0.0.1:0".into(), &Options::default()).unwrap();
    let to = server.local_addr().unwrap();
    send_to(&client, &[7; 1000], &to).unwrap();
    send_to(&client, b"next", &to).unwrap();
    let mut bytes = [0; 100];
    let (stored, length, _) = next(&server, &mut bytes);
    assert_eq!((stored, length), (100, if cfg!(target_os = "linux") { 1000 } else { 100 }));
    assert_eq!(next(&server, &mut bytes).0, 4);
}

#[test]
fn a_datagram_beyond_the_protocol_is_refused_by_size() {
    let client = bind_datagram(&"127.0.0.1:0".into(), &Options::default()).unwrap();
    let error = send_to(&client, &vec![0; 70_000], &client.local_addr().unwrap()).unwrap_err();
    assert!(error.to_string().contains("70000 bytes"), "{error}");
}

#[test]
fn a_connected_socket_is_told_that_nobody_is_there() {
    // Alone, since whoever starts a process elsewhere has a copy of the dropped socket for a moment.
    alone(concat!(module_path!(), "::a_connected_socket_is_told_that_nobody_is_there"), || {
        let gone = bind_datagram(&"127.0.0.1:0".into(), &Options::default()).unwrap();
        let address = gone.local_addr().unwrap().as_socket().unwrap();
        drop(gone);
        let client = connect_datagram(&address.into(), &Options::default()).unwrap();
        send(&client, b"anyone?").unwrap();
        assert_ne!(poll_fd(client.as_raw_fd(), libc::POLLIN, PATIENCE), 0);
        assert_eq!(receive_from(&client, &mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_path_is_no_place_for_datagrams_here() {
    let error = bind_datagram(&"unix:/tmp/selkey-datagrams".into(), &Options::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("/tmp/selkey-datagrams"), "{error}");
}
