//! Delay, rate, many connections, and what is held where a target does not read.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use selkey::apps::relay::Rules;

use super::support::{Bad, descriptors};
use crate::harness::{PATIENCE, accept, again, alone, await_that, poll_fd, raise_descriptor_limit};
use crate::reactor::support::{Echo, Server, ask, assert_same, connect, pattern, read, reset};

const MS: Duration = Duration::from_millis(1);

/// The best of several measurements, each of which is none too short: what is late by the machine's fault is late by chance.
fn best(expected: Duration, mut measure: impl FnMut() -> Duration) {
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 5 || (times.iter().min().unwrap() > &(expected * 11 / 10) && start.elapsed() < PATIENCE) {
        times.push(measure());
        assert!(*times.last().unwrap() >= expected, "{times:?}: early");
    }
    assert!(*times.iter().min().unwrap() <= expected * 11 / 10, "{times:?}: late, expected {expected:?}");
}

/// How long these bytes take from one to the other.
fn passing(client: &mut TcpStream, target: &mut TcpStream, bytes: &[u8]) -> Duration {
    let start = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| client.write_all(bytes).unwrap());
        assert_same(&read(target, bytes.len()), bytes);
    });
    start.elapsed()
}

#[test]
fn a_delay_is_kept_to_ten_percent_and_never_early() {
    let server = Server::start(|_| Echo);
    let bad = Bad::before(server.address, Rules { delay: 50 * MS, ..Rules::default() });
    let mut client = connect(bad.address);
    assert_eq!(ask(&mut client, b"there"), b"there");
    best(100 * MS, || {
        let start = Instant::now();
        assert_eq!(ask(&mut client, b"ping"), b"ping");
        start.elapsed()
    });
}

#[test]
fn a_rate_is_kept_to_ten_percent_and_never_exceeded() {
    for chunk in [None, Some(64)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let rules = Rules { rate: Some(1_000_000), chunk, ..Rules::default() };
        let bad = Bad::before(listener.local_addr().unwrap(), rules);
        let mut client = connect(bad.address);
        let mut target = accept(&listener);
        let bytes = pattern(200_000, 1);
        best(200 * MS, || passing(&mut client, &mut target, &bytes));
    }
}

/// Where the delay times the rate is more than what waits for a slow peer.
#[test]
fn a_delay_takes_nothing_off_the_rate() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let rules = Rules { delay: 100 * MS, rate: Some(4_000_000), ..Rules::default() };
    let bad = Bad::before(listener.local_addr().unwrap(), rules);
    let mut client = connect(bad.address);
    let mut target = accept(&listener);
    let bytes = pattern(2_000_000, 1);
    best(600 * MS, || passing(&mut client, &mut target, &bytes));
}

#[test]
fn a_thousand_connections_at_once() {
    alone(concat!(module_path!(), "::a_thousand_connections_at_once"), || {
        const CONNECTIONS: usize = 1000;
        // Client, its relayed end, the one to the target, the target's.
        if raise_descriptor_limit() < 4 * CONNECTIONS + 200 {
            return println!("skipped: too few descriptors for {CONNECTIONS} connections");
        }
        let server = Server::start(|_| Echo);
        let bad = Bad::before(server.address, Rules { delay: 50 * MS, chunk: Some(64), ..Rules::default() });
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| connect(bad.address)).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(&pattern(500, number as u64)).unwrap();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_same(&read(client, 500), &pattern(500, number as u64));
        }
        assert_eq!((bad.tally().accepted, bad.tally().reset), (CONNECTIONS as u64, 0));
        clients.into_iter().for_each(drop);
        await_that("all are closed", || bad.tally().open == 0);
        assert_eq!(bad.tally().held, 0);
    });
}

#[test]
fn a_target_that_does_not_read_stops_the_client_and_loses_nothing() {
    for (rules, most) in [(Rules::default(), 64 << 10), (Rules { delay: 20 * MS, ..Rules::default() }, 1 << 20)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bad = Bad::before(listener.local_addr().unwrap(), rules);
        let mut client = connect(bad.address);
        let mut target = accept(&listener);
        client.set_nonblocking(true).unwrap();
        let bytes = pattern(64 << 20, 1);
        let (mut sent, start) = (0, Instant::now());
        loop {
            match client.write(&bytes[sent..(sent + (64 << 10)).min(bytes.len())]) {
                Ok(0) => panic!("the relay took {sent} bytes for a target that does not read"),
                Ok(n) => sent += n,
                // Stopped, and not only slow.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let stopped = poll_fd(client.as_raw_fd(), libc::POLLOUT, 500 * MS) == 0;
                    if stopped && bad.tally().held >= most / 2 {
                        break;
                    }
                    assert!(start.elapsed() < PATIENCE, "it stopped with {} bytes held", bad.tally().held);
                }
                Err(error) => panic!("{error}"),
            }
        }
        // One receive more than the limit.
        let held = bad.tally().held;
        assert!(held <= most + (64 << 10) + 32, "{held} bytes are held");
        // What the other side sends meanwhile passes.
        target.write_all(b"not now").unwrap();
        client.set_nonblocking(false).unwrap();
        assert_eq!(read(&mut client, 7), b"not now");
        assert_same(&read(&mut target, sent), &bytes[..sent]);
        await_that("nothing is held", || bad.tally().held == 0);
    }
}

#[test]
fn descriptors_are_as_many_as_before() {
    // Alone, since others open some meanwhile.
    alone(concat!(module_path!(), "::descriptors_are_as_many_as_before"), || {
        let server = Server::start(|_| Echo);
        let bad = Bad::before(server.address, Rules { delay: 2 * MS, ..Rules::default() });
        let before = descriptors();
        for number in 0..100 {
            bad.control.change(|network| network.to_client.reset_after = Some(3).filter(|_| number % 4 == 3));
            let mut client = connect(bad.address);
            client.write_all(b"Hello").unwrap();
            match number % 4 {
                0 => drop(client),
                1 => reset(client),
                2 => {
                    assert_eq!(read(&mut client, 5), b"Hello");
                    drop(client);
                }
                _ => {
                    assert_eq!(read(&mut client, 3), b"Hel");
                    assert_eq!(again(|| client.read(&mut [0])).unwrap_err().kind(), ErrorKind::ConnectionReset);
                }
            }
            await_that("it is closed", || bad.tally().open == 0);
        }
        await_that("all are closed", || bad.tally().open == 0 && descriptors() == before);
    });
}
