//! Waits: limits that several calls share, stops that end them, and what blocking code does besides.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use selkey::Waker;
use selkey::socket::{
    Options, Socket, Transfer, Wait, accept_next, close, connect, listen, local_name, pause, peer_name, receive_exact,
    receive_some, send, send_all,
};

use crate::harness::{PATIENCE, alone, lower_descriptor_limit, raise_descriptor_limit, tcp_pair};

const SHORT: Duration = Duration::from_millis(50);

fn pair() -> (Socket, Socket) {
    let (ours, theirs) = tcp_pair();
    (ours.into(), theirs.into())
}

/// Sends until there is no room, not for a byte, and a moment later there is none either: what is under way may find some.
fn fill(socket: &Socket) {
    while let Transfer::Moved(_) = send(socket, &[0; 1 << 16]).unwrap() {
        while let Transfer::Moved(_) = send(socket, &[0; 1 << 16]).unwrap() {}
        pause(4 * SHORT).unwrap();
    }
}

fn stopped() -> Waker {
    let stop = Waker::new().unwrap();
    stop.wake().unwrap();
    stop
}

#[test]
fn one_wait_limits_all_calls_together() {
    let (ours, theirs) = pair();
    let start = Instant::now();
    let wait = Wait::from(SHORT);
    pause(wait).unwrap();
    assert!(start.elapsed() >= SHORT);
    // Over, but what is there already is taken.
    assert_eq!(receive_some(&ours, &mut [0], wait).unwrap_err().kind(), ErrorKind::TimedOut);
    send_all(&theirs, b"x", wait).unwrap();
    assert_eq!(receive_some(&ours, &mut [0], PATIENCE).unwrap(), 1);
}

#[test]
fn a_time_that_no_clock_can_say_is_no_limit() {
    let (ours, theirs) = pair();
    send_all(&theirs, b"x", Duration::MAX).unwrap();
    receive_exact(&ours, &mut [0], Duration::MAX).unwrap();
}

#[test]
fn a_stop_ends_every_wait_and_those_after_it() {
    let stop = stopped();
    let (ours, theirs) = pair();
    fill(&theirs);
    let (silent, _open) = pair();
    let listener = listen(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(), &Options::default()).unwrap();
    let wait = Wait::from(None).or_until(&stop);
    for _ in 0..2 {
        for error in [
            pause(wait).unwrap_err(),
            accept_next(&listener, wait).unwrap_err(),
            receive_some(&silent, &mut [0], wait).unwrap_err(),
            receive_exact(&silent, &mut [0], wait).unwrap_err(),
            send_all(&theirs, b"x", wait).unwrap_err(),
            // Also where there is always something to receive: a peer that never pauses does not put the stop off.
            receive_some(&ours, &mut [0], wait).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Interrupted);
            assert!(error.to_string().ends_with("stopped"), "{error}");
        }
    }
}

#[test]
fn anything_that_can_be_read_is_a_stop() {
    let (stop, other) = UnixStream::pair().unwrap();
    pause(Wait::from(SHORT).or_until(&stop)).unwrap();
    drop(other);
    assert_eq!(pause(Wait::from(None).or_until(&stop)).unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn an_accept_waits_for_the_next_connection() {
    let listener = listen(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(), &Options::default()).unwrap();
    let address = listener.bound().unwrap().into();
    assert_eq!(accept_next(&listener, SHORT).unwrap_err().kind(), ErrorKind::TimedOut);
    thread::scope(|scope| {
        let connecting = scope.spawn(|| connect(&address, PATIENCE).unwrap());
        let accepted = accept_next(&listener, PATIENCE).unwrap();
        assert_eq!(peer_name(&accepted), local_name(&connecting.join().unwrap()));
    });
}

#[test]
fn an_accept_goes_on_when_descriptors_are_there_again() {
    // Alone, since nobody else gets along without descriptors.
    alone(concat!(module_path!(), "::an_accept_goes_on_when_descriptors_are_there_again"), || {
        let listener = listen(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(), &Options::default()).unwrap();
        let _client = connect(&listener.bound().unwrap().into(), PATIENCE).unwrap();
        let next_free = File::open("/dev/null").unwrap().as_raw_fd();
        lower_descriptor_limit(next_free as usize);
        assert_eq!(accept_next(&listener, SHORT).unwrap_err().raw_os_error(), Some(libc::EMFILE));
        thread::scope(|scope| {
            let accepting = scope.spawn(|| accept_next(&listener, PATIENCE));
            raise_descriptor_limit();
            accepting.join().unwrap().unwrap();
        });
    });
}

#[test]
fn a_close_lets_the_last_word_arrive_although_bytes_are_unread() {
    // Alone, since whoever starts a process elsewhere has a copy of the closed end for a moment.
    alone(concat!(module_path!(), "::a_close_lets_the_last_word_arrive_although_bytes_are_unread"), || {
        let (ours, theirs) = pair();
        send_all(&theirs, &[0; 20_000], PATIENCE).unwrap();
        send_all(&ours, b"bye", PATIENCE).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| close(ours, PATIENCE));
            let mut bytes = [0; 4];
            receive_exact(&theirs, &mut bytes[..3], PATIENCE).unwrap();
            assert_eq!(receive_some(&theirs, &mut bytes, PATIENCE).unwrap(), 0);
            // The other side waits for this.
            drop(theirs);
        });
    });
}

#[test]
fn a_close_waits_for_no_peer_longer_than_told() {
    let (ours, theirs) = pair();
    close(ours, SHORT);
    assert_eq!(receive_some(&theirs, &mut [0], PATIENCE).unwrap(), 0);
    // Nor for one that never stops.
    let (ours, theirs) = pair();
    thread::scope(|scope| {
        scope.spawn(move || while send_all(&theirs, &[0; 1 << 16], PATIENCE).is_ok() {});
        close(ours, PATIENCE);
    });
}
