//! The state of one's own sockets agrees with what was done to them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

use selkey::socket::{Socket, State, TcpState, state};
use socket2::{Domain, Type};

use crate::harness::{await_that, tcp_pair};

fn of(socket: &Socket) -> State {
    state(socket).unwrap()
}

fn pair() -> (Socket, Socket) {
    let (ours, theirs) = tcp_pair();
    (ours.into(), theirs.into())
}

fn await_state(socket: &Socket, wanted: TcpState) {
    await_that(wanted.name(), || of(socket).state == wanted);
}

#[test]
fn unread_bytes_are_counted_exactly() {
    let (mut ours, mut theirs) = pair();
    assert_eq!(of(&ours).unread, Some(0));
    assert_eq!(theirs.write(&[7; 1000]).unwrap(), 1000);
    await_that("all has arrived", || of(&ours).unread == Some(1000));
    assert_eq!(ours.read(&mut [0; 300]).unwrap(), 300);
    let now = of(&ours);
    assert_eq!((now.unread, now.bytes_received), (Some(700), Some(1000)));
    await_that("all is acknowledged", || of(&theirs).unacknowledged == Some(0));
    let sender = of(&theirs);
    assert_eq!(sender.unsent, Some(0));
    // The SYN counts as one at the end that dialled.
    assert!((1000..=1001).contains(&sender.bytes_acked.unwrap()), "{sender:?}");
    assert!(sender.rtt.is_some() && sender.rtt_variance.is_some(), "{sender:?}");
    assert!(sender.segments_sent.unwrap() > 0 && of(&ours).segments_sent == Some(0), "{sender:?}");
    assert!(sender.window_scale.is_some_and(|bits| bits <= 14), "{sender:?}");
    assert!(sender.cwnd.unwrap() > 0 && sender.mss.unwrap() > 0, "{sender:?}");
    assert_eq!(sender.retransmits, Some(0));
    assert!(sender.total_retransmits.is_some());
    assert_eq!((sender.queued, sender.backlog), (None, None));
}

#[test]
fn a_reader_that_stalls_leaves_bytes_unsent() {
    let (ours, mut theirs) = pair();
    let mut sent = 0;
    // Until the kernel takes no more, and a while later neither.
    await_that("both buffers are full", || {
        loop {
            match theirs.write(&[0; 65536]) {
                Ok(n) => sent += n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let (reader, writer) = (of(&ours), of(&theirs));
        let settled = reader.unread.unwrap() + writer.unacknowledged.unwrap() == sent;
        settled && writer.unsent.unwrap() > 0
    });
    let writer = of(&theirs);
    assert_eq!(writer.state, TcpState::Established);
    assert!(writer.unsent <= writer.unacknowledged, "{writer:?}");
}

#[test]
fn a_connection_through_its_life() {
    let (ours, theirs) = pair();
    assert_eq!((of(&ours).state, of(&theirs).state), (TcpState::Established, TcpState::Established));
    theirs.shutdown(Shutdown::Write).unwrap();
    await_state(&ours, TcpState::CloseWait);
    await_state(&theirs, TcpState::FinWait2);
    ours.shutdown(Shutdown::Write).unwrap();
    // The end that closed first is in TIME_WAIT now, but its descriptor is not: the kernel keeps that state without a socket.
    await_state(&theirs, TcpState::Closed);
    await_state(&ours, TcpState::Closed);
}

#[test]
fn a_listener_tells_its_queue_and_backlog() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    assert_eq!(of(&listener).state, TcpState::Closed);
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(5).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let empty = of(&listener);
    assert_eq!((empty.state, empty.queued, empty.backlog), (TcpState::Listen, Some(0), Some(5)));
    assert_eq!((empty.unread, empty.unacknowledged, empty.rtt, empty.mss), (None, None, None, None));
    let _clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    await_that("three wait", || of(&listener).queued == Some(3));
    let _accepted = listener.accept().unwrap();
    assert_eq!(of(&listener).queued, Some(2));
}

#[test]
fn what_is_not_tcp_is_refused() {
    let udp = Socket::from(UdpSocket::bind(("127.0.0.1", 0)).unwrap());
    let (unix, _peer) = UnixStream::pair().unwrap();
    for socket in [udp, unix.into()] {
        assert_eq!(state(&socket).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[test]
fn it_is_written_as_aligned_lines() {
    let (ours, _theirs) = pair();
    let text = of(&ours).to_string();
    for line in text.lines() {
        let (name, value) = line.split_at(20);
        assert!(name.ends_with("  ") && value.starts_with(|c: char| !c.is_whitespace()), "{line}");
    }
    assert!(text.starts_with("state               ESTABLISHED\nunread              0 bytes\n"), "{text}");
}

#[test]
fn every_number_has_its_name() {
    let names: Vec<_> = (0..=255).filter_map(TcpState::from_number).map(|state| state.to_string()).collect();
    assert_eq!(names.len(), 13);
    assert_eq!(names[0], "ESTABLISHED");
    assert_eq!(format!("[{:<7}]", TcpState::Listen), "[LISTEN ]");
}
