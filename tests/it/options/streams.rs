//! Options about how a stream behaves.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use selkey::socket::options::{self, Value};
use selkey::socket::{Options, Transfer, receive, send};

use super::{pair, readable};
use crate::harness::{PATIENCE, alone, poll_fd};

#[test]
fn so_linger_of_zero_resets() {
    alone(concat!(module_path!(), "::so_linger_of_zero_resets"), || {
        for (linger, reset) in [(None, false), (Some(Duration::ZERO), true)] {
            let (ours, theirs) = pair(Options::default().linger(linger), &Options::default());
            drop(ours);
            assert!(readable(&theirs, PATIENCE));
            let end = receive(&theirs, &mut [0; 16]);
            match reset {
                true => assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset),
                false => assert_eq!(end.unwrap(), Transfer::Closed),
            }
        }
    });
}

#[test]
fn so_oobinline_leaves_urgent_bytes_in_their_place() {
    for inline in [false, true] {
        let mut options = Options::default();
        options.set("SO_OOBINLINE", inline).unwrap();
        let (ours, theirs) = pair(&options, &Options::default());
        options::set(&ours, "SO_OOBINLINE", inline).unwrap();
        send(&theirs, b"a").unwrap();
        assert_eq!(theirs.send_out_of_band(b"!").unwrap(), 1);
        send(&theirs, b"b").unwrap();
        assert_ne!(poll_fd(ours.as_raw_fd(), libc::POLLPRI, PATIENCE) & libc::POLLPRI, 0);
        let mut urgent = [std::mem::MaybeUninit::new(0)];
        assert_eq!(ours.recv_out_of_band(&mut urgent).is_ok(), !inline);
        let expected: &[u8] = if inline { b"a!b" } else { b"ab" };
        let mut got = Vec::new();
        while got.len() < expected.len() {
            let mut bytes = [0; 16];
            assert!(readable(&ours, PATIENCE));
            if let Transfer::Moved(n) = receive(&ours, &mut bytes).unwrap() {
                got.extend_from_slice(&bytes[..n]);
            }
        }
        assert_eq!(got, expected);
    }
}

#[test]
fn tcp_nodelay_is_inherited_from_the_listener() {
    if !cfg!(target_os = "linux") {
        return println!("skipped: TCP_NODELAY is inherited on Linux; elsewhere it is set again");
    }
    for nodelay in [false, true] {
        let (ours, _theirs) = pair(Options::default().nodelay(nodelay), &Options::default());
        assert_eq!(options::get(&ours, "TCP_NODELAY").unwrap(), Value::Switch(nodelay));
    }
}

/// Bytes that the kernel has not sent for the first time (SIOCOUTQNSD, which libc lacks).
#[cfg(target_os = "linux")]
fn not_sent(socket: &selkey::socket::Socket) -> i32 {
    const SIOCOUTQNSD: libc::c_ulong = 0x894B;
    let mut bytes = -1;
    // SAFETY: the call fills in `bytes`, which lives through it.
    crate::harness::check(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCOUTQNSD as _, &mut bytes) });
    bytes
}

#[cfg(target_os = "linux")]
#[test]
fn tcp_nodelay_sends_small_segments_at_once() {
    // Whether a second small segment waits while the first one was not acknowledged. The peer acknowledges late; a machine that stops for 40 ms
    // between two calls lets it pass all the same, so that one try proves nothing without TCP_NODELAY.
    let waits = |nodelay: bool| {
        let (ours, theirs) = pair(&Options::default(), Options::default().nodelay(nodelay));
        options::set(&ours, "TCP_QUICKACK", false).unwrap();
        send(&theirs, b"a").unwrap();
        send(&theirs, b"b").unwrap();
        not_sent(&theirs) == 1
    };
    assert!((0..100).all(|_| !waits(true)), "it waits with TCP_NODELAY");
    assert!((0..100).any(|_| waits(false)), "it does not wait without");
}

#[cfg(target_os = "linux")]
#[test]
fn tcp_cork_holds_back_what_is_not_full() {
    let (_ours, theirs) = pair(&Options::default(), &Options::default());
    let held = || {
        options::set(&theirs, "TCP_CORK", true).unwrap();
        send(&theirs, b"part").unwrap();
        // 200 ms at most.
        let held = not_sent(&theirs) == 4;
        options::set(&theirs, "TCP_CORK", false).unwrap();
        assert_eq!(not_sent(&theirs), 0);
        held
    };
    assert!((0..100).any(|_| held()));
}

#[cfg(target_os = "linux")]
#[test]
fn tcp_defer_accept_waits_for_data() {
    use selkey::socket::{Accept, accept};

    let mut options = Options::default();
    options.defer_accept(Duration::from_secs(30));
    let listener = super::listener(&options);
    let theirs = super::dialled(super::address_of(&listener), &Options::default());
    assert!(!readable(&listener, super::MOMENT));
    assert!(matches!(accept(&listener).unwrap(), Accept::Pending));
    send(&theirs, b"data").unwrap();
    let ours = super::accepted(&listener);
    assert_eq!(receive(&ours, &mut [0; 16]).unwrap(), Transfer::Moved(4));
}
