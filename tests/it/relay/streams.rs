//! What a stream is through a relay: the same bytes in the same order, both ends, and resets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use selkey::apps::relay::Rules;

use super::support::Bad;
use crate::harness::{accept, again, alone, await_that, nobody};
use crate::reactor::support::{assert_same, connect, pattern, read, read_all, reset};

const MS: Duration = Duration::from_millis(1);

/// Rules that leave nothing as it is.
pub fn bad() -> Rules {
    Rules { delay: 50 * MS, jitter: 5 * MS, rate: Some(1_000_000), chunk: Some(64), ..Rules::default() }
}

/// A client's connection and the target's, with the relay between them.
fn pair(rules: Rules) -> (Bad, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bad = Bad::before(listener.local_addr().unwrap(), rules);
    let client = connect(bad.address);
    let target = accept(&listener);
    (bad, client, target)
}

#[test]
fn bytes_keep_their_order_both_ways_and_each_end_follows_them() {
    let (_bad, mut client, mut target) = pair(bad());
    let (up, down) = (pattern(40_000, 1), pattern(50_000, 2));
    let (sent, answer) = (up.clone(), down.clone());
    let serving = thread::spawn(move || {
        let got = read_all(&mut target);
        // The client has ended; the other direction is open still.
        target.write_all(&answer).unwrap();
        got
    });
    client.write_all(&sent).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_same(&read_all(&mut client), &down);
    assert_same(&serving.join().unwrap(), &up);
}

#[test]
fn the_end_of_the_target_leaves_the_client_its_direction() {
    let (_bad, mut client, mut target) = pair(Rules { delay: 10 * MS, ..Rules::default() });
    target.write_all(b"last").unwrap();
    target.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&mut client), b"last");
    client.write_all(&pattern(300_000, 3)).unwrap();
    drop(client);
    assert_same(&read_all(&mut target), &pattern(300_000, 3));
}

#[test]
fn megabytes_pass_without_rules() {
    let (bad, mut client, mut target) = pair(Rules::default());
    let bytes = pattern(8 << 20, 4);
    let sent = bytes.clone();
    let sending = thread::spawn(move || {
        client.write_all(&sent).unwrap();
        client
    });
    assert_same(&read(&mut target, bytes.len()), &bytes);
    drop(sending.join().unwrap());
    assert_eq!(read_all(&mut target), b"");
    drop(target);
    assert_eq!(bad.tally().accepted, 1);
}

#[test]
fn a_reset_is_passed_on_as_a_reset() {
    // Alone, since whoever starts a process elsewhere has a copy of the connection for a moment, and the reset waits for it.
    alone(concat!(module_path!(), "::a_reset_is_passed_on_as_a_reset"), || {
        let (bad, mut client, mut target) = pair(Rules::default());
        client.write_all(b"x").unwrap();
        assert_eq!(read(&mut target, 1), b"x");
        reset(client);
        assert_eq!(again(|| target.read(&mut [0])).unwrap_err().kind(), ErrorKind::ConnectionReset);
        let (_bad, mut client, target) = pair(Rules::default());
        reset(target);
        assert_eq!(again(|| client.read(&mut [0])).unwrap_err().kind(), ErrorKind::ConnectionReset);
        drop(bad);
    });
}

#[test]
fn a_target_that_refuses_resets_the_client() {
    let (_taken, address) = nobody();
    let bad = Bad::before(address, Rules::default());
    let mut client = connect(bad.address);
    assert_eq!(again(|| client.read(&mut [0])).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn rules_are_changed_while_bytes_are_under_way() {
    let (bad, mut client, mut target) = pair(Rules { delay: Duration::MAX, ..Rules::default() });
    client.write_all(b"under way").unwrap();
    await_that("it is in the relay", || bad.tally().held > 0);
    assert_eq!(bad.control.network().to_target.delay, Duration::MAX);
    bad.control.change(|network| *network = Rules::default().into());
    assert_eq!(read(&mut target, 9), b"under way");
}

#[test]
fn a_freeze_stops_both_directions_and_thaws() {
    let (bad, mut client, mut target) = pair(Rules::default());
    let start = Instant::now();
    bad.control.freeze(300 * MS);
    client.write_all(b"up").unwrap();
    target.write_all(b"down").unwrap();
    assert_eq!((read(&mut target, 2), read(&mut client, 4)), (b"up".to_vec(), b"down".to_vec()));
    assert!(start.elapsed() >= 300 * MS);
    bad.control.freeze(Duration::from_secs(3600));
    client.write_all(b"x").unwrap();
    bad.control.freeze(Duration::ZERO);
    assert_eq!(read(&mut target, 1), b"x");
}

#[test]
fn a_connection_that_begins_frozen_thaws() {
    let start = Instant::now();
    let (_bad, mut client, mut target) = pair(Rules { freeze: 200 * MS, ..Rules::default() });
    client.write_all(b"x").unwrap();
    assert_eq!(read(&mut target, 1), b"x");
    assert!(start.elapsed() >= 200 * MS);
}

#[test]
fn what_falls_into_a_hole_is_told_to_nobody_and_the_other_way_goes_on() {
    let (bad, mut client, mut target) = pair(Rules::default());
    bad.control.change(|network| network.to_target.drop_after = Some(5));
    client.write_all(b"Hello, world").unwrap();
    assert_eq!(read(&mut target, 5), b"Hello");
    // However much is sent, and also the end.
    client.write_all(&pattern(2 << 20, 5)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    target.write_all(b"still here").unwrap();
    assert_eq!(read(&mut client, 10), b"still here");
    target.set_read_timeout(Some(100 * MS)).unwrap();
    assert_eq!(again(|| target.read(&mut [0])).unwrap_err().kind(), ErrorKind::WouldBlock);
}
