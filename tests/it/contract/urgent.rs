//! Line 12: urgent data, which a remote can send to anybody.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use selkey::{EVENT_READ, Selector};
use socket2::SockRef;

use super::pause::watch_for;
use super::{Kind, now};
use crate::harness::{PATIENCE, poll_fd, tcp_pair};

pub fn an_urgent_byte_neither_wakes_nor_spins_a_reader<B: Kind>() {
    let (ours, mut theirs) = tcp_pair();
    let fd = ours.as_raw_fd();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    assert_eq!(SockRef::from(&theirs).send_out_of_band(b"!").unwrap(), 1);
    assert_ne!(poll_fd(fd, libc::POLLPRI, PATIENCE) & libc::POLLPRI, 0, "it has not arrived");

    let (entries, cpu) = watch_for(&mut selector, Duration::from_secs(2));
    assert_eq!(entries, 0);
    assert!(cpu < 0.05, "{cpu}");

    theirs.write_all(b"data").unwrap();
    assert_eq!(selector.select(PATIENCE).unwrap(), [(key, EVENT_READ)]);
    let (mut stream, ()) = selector.get_mut(key).unwrap();
    let mut bytes = [0; 16];
    let n = stream.read(&mut bytes).unwrap();
    assert_eq!(&bytes[..n], b"data");
    assert_eq!(stream.read(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(now(&mut selector).is_empty());
}

pub fn an_urgent_byte_is_data_with_so_oobinline<B: Kind>() {
    let (ours, theirs) = tcp_pair();
    SockRef::from(&ours).set_out_of_band_inline(true).unwrap();
    let mut selector = Selector::<_, _, B>::new().unwrap();
    let key = selector.register(ours, EVENT_READ, ()).unwrap();
    assert_eq!(SockRef::from(&theirs).send_out_of_band(b"!").unwrap(), 1);
    assert_eq!(selector.select(PATIENCE).unwrap(), [(key, EVENT_READ)]);
    let (mut stream, ()) = selector.get_mut(key).unwrap();
    let mut bytes = [0; 16];
    assert_eq!((stream.read(&mut bytes).unwrap(), bytes[0]), (1, b'!'));
    assert!(now(&mut selector).is_empty());
}
