//! What peers do wrong: counted, named, and the run ends.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use selkey::load::{Echo, Failure, Goal, Plan, Session};
use selkey::{Flow, from_fn};

use super::support::{Server, echo};
use crate::harness::{PATIENCE, nobody};

#[test]
fn nobody_there_is_counted_for_each_connection() {
    let (_taken, address) = nobody();
    let mut plan = Plan::new(address);
    plan.connections = 3;
    for per_connection in [None, Some(1)] {
        plan.per_connection = per_connection;
        let tally = Session::open(&plan, Echo::new(64)).unwrap().slice(PATIENCE).unwrap();
        assert_eq!((tally.errors.total(), tally.errors.count(&Failure::Refused)), (3, 3), "{tally:?}");
        let (_, _, first) = tally.errors.iter().next().unwrap();
        assert!(first.contains(&address.to_string()), "{first}");
        assert_eq!((tally.messages, tally.connected, tally.unanswered), (0, 0, 0));
    }
}

#[test]
fn a_server_that_closes_in_mid_run_ends_its_connections_only() {
    let server = Server::start(|number| {
        let mut left = if number == 0 { 5 } else { u32::MAX };
        from_fn(move |input, out| {
            left -= 1;
            if left == 0 { Flow::Close } else { echo(input, out) }
        })
    });
    let mut session = server.session(2, 1, 64);
    let tally = session.until(Goal::Messages(100)).unwrap();
    assert_eq!((tally.errors.total(), tally.errors.count(&Failure::Closed)), (1, 1), "{tally:?}");
    // The one that was lost is not sent again.
    assert_eq!((tally.messages, tally.unanswered), (99, 1));
    let (_, _, first) = tally.errors.iter().next().unwrap();
    assert_eq!(first, "closed; replies to come: 1");
    let tally = session.until(Goal::Messages(10)).unwrap();
    assert_eq!((tally.messages, tally.errors.total()), (10, 0));
}

#[test]
fn wrong_bytes_are_found_wherever_they_are() {
    for wrong in [0, 63] {
        let server = Server::start(move |_| {
            let mut left = 10;
            from_fn(move |input, out| {
                left -= 1;
                let mut reply = input.to_vec();
                reply[wrong] ^= u8::from(left == 0);
                out.write(&reply);
                Flow::used(input.len())
            })
        });
        let tally = server.session(1, 1, 64).slice(PATIENCE).unwrap();
        assert_eq!((tally.messages, tally.errors.count(&Failure::Wrong)), (9, 1), "{tally:?}");
        let (_, _, first) = tally.errors.iter().next().unwrap();
        assert_eq!(first, format!("byte {wrong} of the echo of message 9 differs"));
    }
}

#[test]
fn a_reply_too_much_or_one_that_is_swapped_is_wrong() {
    let twice = Server::start(|_| {
        from_fn(|input, out| {
            out.lend(input);
            out.lend(input);
            Flow::used(input.len())
        })
    });
    let tally = twice.session(1, 1, 64).slice(PATIENCE).unwrap();
    assert_eq!((tally.messages, tally.errors.count(&Failure::Wrong)), (1, 1), "{tally:?}");
    let swapping = Server::start(|_| {
        from_fn(|input, out| {
            if input.len() < 128 {
                return Flow::More { used: 0, need: 128 };
            }
            out.lend(&input[64..128]);
            out.lend(&input[..64]);
            Flow::used(128)
        })
    });
    let tally = swapping.session(1, 2, 64).slice(PATIENCE).unwrap();
    assert_eq!((tally.messages, tally.errors.count(&Failure::Wrong)), (0, 1), "{tally:?}");
    assert_eq!(tally.unanswered, 2);
}

#[test]
fn a_reset_is_a_reset() {
    let server = Server::start(|_| from_fn(|_, _| Flow::Abort));
    let tally = server.session(2, 1, 64).slice(PATIENCE).unwrap();
    assert_eq!((tally.errors.total(), tally.errors.count(&Failure::Reset)), (2, 2), "{tally:?}");
}

#[test]
fn a_silent_server_is_not_waited_for_longer_than_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut plan = Plan::new(listener.local_addr().unwrap());
    (plan.connections, plan.in_flight, plan.timeout) = (2, 3, Duration::from_millis(100));
    let tally = Session::open(&plan, Echo::new(64)).unwrap().until(Goal::Messages(6)).unwrap();
    assert_eq!((tally.errors.total(), tally.errors.count(&Failure::TimedOut)), (2, 2), "{tally:?}");
    assert_eq!((tally.messages, tally.unanswered), (0, 6));
    assert!(tally.elapsed >= plan.timeout);
}

#[test]
fn a_run_ends_when_its_time_is_over_or_it_is_stopped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut plan = Plan::new(listener.local_addr().unwrap());
    (plan.timeout, plan.most) = (PATIENCE, Duration::from_millis(50));
    let tally = Session::open(&plan, Echo::new(64)).unwrap().slice(PATIENCE).unwrap();
    assert_eq!((tally.errors.total(), tally.errors.count(&Failure::Overran)), (1, 1), "{tally:?}");
    plan.most = PATIENCE;
    let (stop, start) = (plan.stop.clone(), Instant::now());
    let mut session = Session::open(&plan, Echo::new(64)).unwrap();
    let stopping = std::thread::spawn(move || stop.stop());
    let tally = session.slice(PATIENCE).unwrap();
    stopping.join().unwrap();
    assert!(tally.errors.is_empty() && tally.messages == 0 && start.elapsed() < PATIENCE, "{tally:?}");
}
