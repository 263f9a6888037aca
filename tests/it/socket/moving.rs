//! Bytes moved: values instead of "not yet", flags that read and write lack, waits with a deadline.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use selkey::socket::{
    Flags, Socket, Transfer, half_close, receive, receive_exact, receive_with, send, send_all, send_with,
};

use crate::harness::{PATIENCE, poll_fd, tcp_pair};

fn pair() -> (Socket, Socket) {
    let (ours, theirs) = tcp_pair();
    (ours.into(), theirs.into())
}

fn await_input(socket: &Socket) {
    assert_ne!(poll_fd(socket.as_raw_fd(), libc::POLLIN, PATIENCE), 0);
}

#[test]
fn nothing_there_is_pending_and_the_end_is_closed() {
    let (ours, theirs) = pair();
    let mut bytes = [0; 8];
    assert_eq!(receive(&ours, &mut bytes).unwrap(), Transfer::Pending);
    assert_eq!(send(&theirs, b"abc").unwrap(), Transfer::Moved(3));
    await_input(&ours);
    assert_eq!(receive(&ours, &mut bytes).unwrap(), Transfer::Moved(3));
    half_close(&theirs).unwrap();
    await_input(&ours);
    assert_eq!(receive(&ours, &mut bytes).unwrap(), Transfer::Closed);
    // The other direction is still open.
    assert_eq!(send(&ours, b"late").unwrap(), Transfer::Moved(4));
}

#[test]
fn a_full_buffer_is_pending() {
    let (ours, _theirs) = pair();
    let bytes = [0; 1 << 16];
    let mut sent = 0;
    while let Transfer::Moved(n) = send(&ours, &bytes).unwrap() {
        sent += n;
        assert!(sent < 1 << 30, "a buffer without an end");
    }
    assert!(sent > 0);
}

#[test]
fn peek_leaves_the_bytes_and_waitall_waits_for_all() {
    let (ours, theirs) = pair();
    send(&theirs, b"abc").unwrap();
    await_input(&ours);
    let mut bytes = [0; 3];
    assert_eq!(receive_with(&ours, &mut bytes, Flags::PEEK).unwrap(), Transfer::Moved(3));
    assert_eq!(receive_with(&ours, &mut bytes, Flags::PEEK | Flags::DONTWAIT).unwrap(), Transfer::Moved(3));

    ours.set_nonblocking(false).unwrap();
    let mut six = [0; 6];
    let sender = thread::spawn(move || send(&theirs, b"def").map(|moved| (moved, theirs)).unwrap());
    assert_eq!(receive_with(&ours, &mut six, Flags::WAITALL).unwrap(), Transfer::Moved(6));
    assert_eq!(&six, b"abcdef");
    let (moved, _theirs) = sender.join().unwrap();
    assert_eq!(moved, Transfer::Moved(3));
}

#[test]
fn dontwait_does_not_block_a_blocking_socket() {
    let (ours, _theirs) = pair();
    ours.set_nonblocking(false).unwrap();
    assert_eq!(receive_with(&ours, &mut [0; 8], Flags::DONTWAIT).unwrap(), Transfer::Pending);
}

#[test]
fn the_urgent_byte_comes_apart_from_the_others() {
    let (ours, theirs) = pair();
    send_with(&theirs, b"ab!", Flags::OOB).unwrap();
    assert_ne!(poll_fd(ours.as_raw_fd(), libc::POLLPRI, PATIENCE), 0);
    let mut bytes = [0; 8];
    assert_eq!(receive_with(&ours, &mut bytes, Flags::OOB).unwrap(), Transfer::Moved(1));
    assert_eq!(bytes[0], b'!');
    assert_eq!(receive(&ours, &mut bytes).unwrap(), Transfer::Moved(2));
    let error = receive_with(&ours, &mut bytes, Flags::OOB).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn more_holds_a_small_segment_back_until_the_last() {
    let (ours, theirs) = pair();
    send_with(&theirs, b"head", Flags::MORE).unwrap();
    send(&theirs, b"body").unwrap();
    let mut bytes = [0; 8];
    receive_exact(&ours, &mut bytes, PATIENCE).unwrap();
    assert_eq!(&bytes, b"headbody");
}

#[test]
fn send_all_and_receive_exact_go_on_until_done() {
    let (ours, theirs) = pair();
    let all: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
    let expected = all.clone();
    let sender = thread::spawn(move || send_all(&theirs, &all, PATIENCE).map(|()| theirs));
    let mut received = vec![0; expected.len()];
    receive_exact(&ours, &mut received, PATIENCE).unwrap();
    assert!(received == expected);
    sender.join().unwrap().unwrap();
}

#[test]
fn an_end_inside_is_closed_after_n_of_m_bytes() {
    let (ours, theirs) = pair();
    send(&theirs, b"abc").unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
    let error = receive_exact(&ours, &mut [0; 10], PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(error.to_string(), "closed after 3 of 10 bytes");
}

#[test]
fn waits_end_at_their_deadline_and_say_how_far_they_came() {
    let (ours, theirs) = pair();
    let deadline = Duration::from_millis(30);
    let start = Instant::now();
    send(&theirs, b"abc").unwrap();
    let error = receive_exact(&ours, &mut [0; 10], deadline).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("3 of 10 bytes"), "{error}");
    let error = send_all(&theirs, &vec![0; 64 << 20], deadline).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(start.elapsed() >= 2 * deadline);
}

#[test]
fn a_broken_connection_is_an_error_not_a_signal() {
    let (ours, theirs) = pair();
    theirs.set_linger(Some(Duration::ZERO)).unwrap();
    drop(theirs);
    await_input(&ours);
    assert_eq!(receive(&ours, &mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(send(&ours, b"anyone?").unwrap_err().kind(), ErrorKind::BrokenPipe);
}
