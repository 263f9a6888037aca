//! Whole runs: threads, warm-ups, intervals.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use selkey::load::{self, Echo, Exchange, Failure, Goal, Plan, Reply};

use selkey::socket::{Options, accept_next, listen};

use super::support::Server;
use crate::harness::{PATIENCE, Spot, nobody};

#[test]
fn threads_share_connections_and_messages_exactly() {
    let server = Server::echo();
    let mut plan = server.plan();
    (plan.connections, plan.in_flight, plan.threads, plan.goal) = (7, 3, 3, Goal::Messages(1000));
    let made = AtomicUsize::new(0);
    let make = |thread| {
        made.fetch_add(1usize << (8 * thread), SeqCst);
        Ok(Echo::new(64))
    };
    let mut told = 0;
    let report = load::run(&plan, make, |interval| told += interval.tally.messages).unwrap();
    assert!(report.tally.errors.is_empty() && !report.stopped, "{report:?}");
    assert_eq!((report.tally.messages, report.tally.connected, told), (1000, 7, 1000));
    assert_eq!(made.load(SeqCst), 0x01_01_01, "one exchange for each thread");
    if cfg!(target_os = "linux") {
        assert_eq!(report.tcp.unwrap().rtt.len(), 7);
    }
}

#[test]
fn a_warm_up_counts_for_nothing_but_its_errors() {
    let server = Server::echo();
    let mut plan = server.plan();
    (plan.warm_up, plan.goal) = (Duration::from_millis(20), Goal::Messages(10));
    let report = load::run(&plan, |_| Ok(Echo::new(64)), |_| ()).unwrap();
    assert_eq!((report.tally.messages, report.tally.sent, report.tally.connected), (10, 640, 1));

    let (_taken, address) = nobody();
    let mut plan = Plan::new(address);
    (plan.warm_up, plan.connections, plan.threads) = (PATIENCE, 2, 2);
    let report = load::run(&plan, |_| Ok(Echo::new(64)), |_| ()).unwrap();
    assert_eq!((report.tally.messages, report.tally.errors.count(&Failure::Refused)), (0, 2));
}

#[test]
fn intervals_follow_each_other_and_make_up_the_whole() {
    let server = Server::echo();
    let mut plan = server.plan();
    (plan.connections, plan.threads) = (4, 2);
    (plan.interval, plan.goal) = (Duration::from_millis(100), Goal::For(Duration::from_millis(450)));
    let mut told = Vec::new();
    let report = load::run(&plan, |_| Ok(Echo::new(64)), |interval| told.push(interval.clone())).unwrap();
    assert!(report.tally.errors.is_empty(), "{report:?}");
    let starts: Vec<_> = told.iter().map(|interval| interval.from).collect();
    let expected: Vec<_> = (0..told.len() as u32).map(|at| plan.interval * at).collect();
    assert_eq!(starts, expected);
    // What is left at the end is half an interval, so it is one of its own.
    assert_eq!(told.len(), 5, "{told:?}");
    let sum = |count: fn(&load::Tally) -> u64| told.iter().map(|interval| count(&interval.tally)).sum::<u64>();
    assert_eq!(sum(|tally| tally.messages), report.tally.messages);
    assert_eq!(sum(|tally| tally.latency.count()), report.tally.messages);
    assert_eq!(sum(|tally| tally.connected), 4);
    assert!(report.tally.elapsed >= Duration::from_millis(450));
}

#[test]
fn an_exchange_that_panics_ends_the_run() {
    struct Broken;
    impl Exchange for Broken {
        fn request(&mut self, _connection: u64, _number: u64) -> &[u8] {
            b"x"
        }
        fn reply(&mut self, _connection: u64, _number: u64, _input: &[u8]) -> Reply {
            panic!("as it shall")
        }
    }
    let server = Server::echo();
    let mut plan = server.plan();
    (plan.connections, plan.threads, plan.goal) = (2, 2, Goal::For(PATIENCE));
    for warm_up in [Duration::ZERO, PATIENCE] {
        plan.warm_up = warm_up;
        let error = load::run(&plan, |_| Ok(Broken), |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "a thread of the run panicked");
    }
}

#[test]
fn there_are_never_more_than_some_hundred_intervals() {
    let server = Server::echo();
    let mut plan = server.plan();
    (plan.interval, plan.most) = (Duration::from_nanos(1), Duration::from_secs(6));
    plan.goal = Goal::Messages(2000);
    let mut told = 0;
    let report = load::run(&plan, |_| Ok(Echo::new(64)), |_| told += 1).unwrap();
    // Each is a hundredth of a second.
    let most = report.tally.elapsed.as_millis() / 10 + 1;
    assert!(told >= 1 && told <= most, "{told} in {report:?}");
}

#[test]
fn an_exchange_that_cannot_be_made_ends_the_run() {
    let server = Server::echo();
    let mut plan = server.plan();
    (plan.connections, plan.threads, plan.goal) = (2, 2, Goal::For(PATIENCE));
    let make = |thread| if thread == 1 { Err(io::Error::other("not today")) } else { Ok(Echo::new(64)) };
    assert_eq!(load::run(&plan, make, |_| ()).unwrap_err().to_string(), "not today");
}

#[test]
fn a_unix_domain_server_is_measured_too() {
    let spot = Spot::new();
    let listener = std::os::unix::net::UnixListener::bind(&spot.0).unwrap();
    let server = std::thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
        }
    });
    let mut plan = Plan::new(spot.address());
    (plan.goal, plan.per_connection, plan.most) = (Goal::Messages(20), Some(10), PATIENCE);
    let report = load::run(&plan, |_| Ok(Echo::new(64)), |_| ()).unwrap();
    assert!(report.tally.errors.is_empty() && report.tcp.is_none(), "{report:?}");
    assert_eq!((report.tally.messages, report.tally.connected), (20, 2));
    server.join().unwrap();
}

#[test]
fn a_full_queue_of_a_unix_domain_server_is_waited_for() {
    let spot = Spot::new();
    let mut options = Options::default();
    options.backlog(1);
    let listener = listen(&spot.address(), &options).unwrap();
    let server = std::thread::spawn(move || {
        let served = |_| {
            let mut stream = UnixStream::from(OwnedFd::from(accept_next(&listener, PATIENCE).unwrap()));
            stream.set_nonblocking(false).unwrap();
            std::thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap())
        };
        (0..20).map(served).collect::<Vec<_>>().into_iter().for_each(|thread| drop(thread.join().unwrap()));
    });
    let mut plan = Plan::new(spot.address());
    (plan.connections, plan.goal, plan.most) = (20, Goal::Messages(100), PATIENCE);
    let tally = load::run(&plan, |_| Ok(Echo::new(64)), |_| ()).unwrap().tally;
    assert!(tally.errors.is_empty(), "{tally:?}");
    assert_eq!((tally.messages, tally.connected), (100, 20));
    server.join().unwrap();
}
