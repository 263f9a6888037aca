//! The datagram echo as a library: its turns, its limits, and what the system does to it.

use std::io::{ErrorKind, Write, pipe};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::{
    os::linux::net::SocketAddrExt,
    os::unix::{self, net::UnixDatagram},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use selkey::apps::Transcript;
use selkey::apps::udp::{self, Patience, Server, Tally};
#[cfg(target_os = "linux")]
use selkey::backend::{Backend, DefaultBackend, Poll, Select};
use selkey::socket::{Address, Options};

use crate::harness::{PATIENCE, again};

fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = socket.local_addr().unwrap();
    (socket, name)
}

/// A socket that hears itself only: to everybody else it is as if nobody were there.
fn deaf() -> (UdpSocket, SocketAddr) {
    let (socket, name) = socket();
    socket.connect(name).unwrap();
    (socket, name)
}

fn lines() -> (Arc<Mutex<Vec<String>>>, Transcript) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let told = lines.clone();
    (lines, Transcript::new(move |line| told.lock().unwrap().push(line.to_string())))
}

#[test]
fn a_turn_serves_what_is_there_and_waits_no_longer_than_told() {
    let (socket, address) = self::socket();
    let mut server = Server::new(socket.into(), &Transcript::silent()).unwrap();
    assert_eq!(server.turn(Duration::ZERO).unwrap(), None);
    assert_eq!(server.turn(Duration::from_millis(1)).unwrap(), None);
    let (client, _) = self::socket();
    for text in [&b"one"[..], b"", b"two"] {
        client.send_to(text, address).unwrap();
        assert_eq!(server.turn(PATIENCE).unwrap(), None);
        let mut bytes = [0; 8];
        assert_eq!(again(|| client.recv_from(&mut bytes)).unwrap(), (text.len(), address));
        assert_eq!(&bytes[..text.len()], text);
    }
    assert_eq!(server.tally(), Tally { echoed: 3, too_long: 0, failed: 0 });
}

#[test]
fn something_else_that_is_watched_goes_before_datagrams() {
    let (socket, address) = self::socket();
    let (client, _) = self::socket();
    let mut server = Server::new(socket.into(), &Transcript::silent()).unwrap();
    let (end, mut signal) = UnixStream::pair().unwrap();
    let key = server.watch(end).unwrap();
    client.send_to(b"x", address).unwrap();
    signal.write_all(b"!").unwrap();
    assert_eq!(server.run().unwrap(), Some(key));
    assert_eq!(server.tally(), Tally::default());
    // Also when nothing is left to do.
    server.stop_after(0);
    assert_eq!(server.run().unwrap(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_word_that_nobody_was_there_ends_nothing_on_a_connected_socket() {
    let (gone, gone_name) = deaf();
    let (socket, address) = self::socket();
    let theirs = socket.try_clone().unwrap();
    let (lines, transcript) = lines();
    let mut server = Server::new(socket.into(), &transcript).unwrap();
    gone.send_to(b"x", address).unwrap();
    // Only a connected socket is told.
    theirs.connect(gone_name).unwrap();
    while lines.lock().unwrap().len() < 2 {
        assert_eq!(server.turn(PATIENCE).unwrap(), None);
    }
    assert_eq!(lines.lock().unwrap()[0], format!("Echoing b'x' to {gone_name}"));
    assert!(lines.lock().unwrap()[1].starts_with("An earlier echo was not delivered: Connection refused"), "{lines:?}");
    let (client, name) = self::socket();
    theirs.connect(name).unwrap();
    client.send_to(b"y", address).unwrap();
    server.turn(PATIENCE).unwrap();
    assert_eq!(again(|| client.recv(&mut [0; 8])).unwrap(), 1);
}

#[test]
fn what_is_no_socket_is_an_error_and_no_spin() {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let mut server = Server::new(OwnedFd::from(reader).into(), &Transcript::silent()).unwrap();
    let error = server.run().unwrap_err();
    assert!(error.to_string().starts_with("cannot receive datagrams: "), "{error}");
}

/// A datagram socket with a name that is not in the file system. Over those the system keeps what it cannot deliver with the sender, as a busy
/// network card does.
#[cfg(target_os = "linux")]
fn named() -> (UnixDatagram, unix::net::SocketAddr) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Never the same again: a process that another test starts has a copy of a closed socket for a moment.
    let name = format!("selkey-udp-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let name = unix::net::SocketAddr::from_abstract_name(name).unwrap();
    let socket = UnixDatagram::bind_addr(&name).unwrap();
    socket.set_nonblocking(true).unwrap();
    (socket, name)
}

#[cfg(target_os = "linux")]
#[test]
fn an_echo_that_the_system_refuses_is_told_and_ends_nothing() {
    let (socket, name) = named();
    let (lines, transcript) = lines();
    let mut server = Server::new(OwnedFd::from(socket).into(), &transcript).unwrap();
    // Without a name of its own, it cannot be answered.
    UnixDatagram::unbound().unwrap().send_to_addr(b"x", &name).unwrap();
    server.turn(PATIENCE).unwrap();
    let (client, _) = named();
    client.send_to_addr(b"y", &name).unwrap();
    server.turn(PATIENCE).unwrap();
    assert_eq!(again(|| client.recv(&mut [0; 8])).unwrap(), 1);
    assert!(lines.lock().unwrap()[1].starts_with("Echo lost: cannot send 1 bytes to unix:"), "{lines:?}");
    assert_eq!(server.tally(), Tally { echoed: 1, too_long: 0, failed: 1 });
}

#[cfg(target_os = "linux")]
fn holds_what_cannot_be_sent(backend: impl Backend) {
    let ((socket, ours), (client, theirs)) = (named(), named());
    socket.connect_addr(&theirs).unwrap();
    client.connect_addr(&ours).unwrap();
    let mut server = Server::with_backend(backend, OwnedFd::from(socket).into(), 8, &Transcript::silent()).unwrap();
    let mut sent = 0u32;
    loop {
        let before = (sent, server.tally());
        while client.send(&sent.to_be_bytes()).is_ok() {
            sent += 1;
        }
        server.turn(Duration::ZERO).unwrap();
        if before == (sent, server.tally()) {
            break;
        }
    }
    assert!(server.tally().echoed < u64::from(sent));
    // It waits for the client, though more has come.
    let start = Instant::now();
    server.turn(Duration::from_millis(20)).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(20));
    let mut bytes = [0; 8];
    for n in 0..sent {
        while again(|| client.recv(&mut bytes)).is_err() {
            server.turn(PATIENCE).unwrap();
        }
        assert_eq!(bytes[..4], n.to_be_bytes());
    }
    assert_eq!(server.tally(), Tally { echoed: sent.into(), too_long: 0, failed: 0 });
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_sent_is_held_until_it_can_on_every_backend() {
    holds_what_cannot_be_sent(DefaultBackend::new().unwrap());
    holds_what_cannot_be_sent(Poll::new().unwrap());
    holds_what_cannot_be_sent(Select::new().unwrap());
}

#[test]
fn a_client_tries_the_next_address_of_a_name_where_nobody_is_at_one() {
    let (_deaf, nobody) = deaf();
    let (socket, address) = socket();
    let server = thread::spawn(move || {
        let mut server = Server::new(socket.into(), &Transcript::silent()).unwrap();
        server.stop_after(2);
        server.run().unwrap();
    });
    let (lines, transcript) = lines();
    let patience = Patience { timeout: PATIENCE, retries: 0 };
    // The first is not to be had without SO_BROADCAST.
    let all = Address::from(vec![SocketAddr::from(([255; 4], 9)), nobody, address]);
    udp::exchange(&all, &Options::default(), &["one", "two"], patience, &transcript).unwrap();
    server.join().unwrap();
    let mut expected = vec![format!("Sending b'one' to {nobody}")];
    for text in ["one", "two"] {
        expected.push(format!("Sending b'{text}' to {address}"));
        expected.push(format!("Received b'{text}' from {address}"));
    }
    assert!(lines.lock().unwrap().ends_with(&expected), "{lines:?}");

    let neither = Address::from(vec![nobody, nobody]);
    let error = udp::exchange(&neither, &Options::default(), &["x"], patience, &transcript).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
