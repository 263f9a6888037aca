//! Closed loops: counts, windows, slices.

use std::time::Duration;

use selkey::load::{Echo, Goal, Session};

use super::support::Server;

#[test]
fn every_message_asked_for_is_sent_and_answered_once() {
    let server = Server::echo();
    for (connections, in_flight, size, messages) in
        [(1, 1, 64, 100), (3, 1, 1, 50), (4, 16, 64, 1001), (2, 3, 100_000, 40), (1, 1000, 64, 5000)]
    {
        let mut session = server.session(connections, in_flight, size);
        for _ in 0..2 {
            let tally = session.until(Goal::Messages(messages)).unwrap();
            assert!(tally.errors.is_empty(), "{tally:?}");
            let bytes = messages * size as u64;
            assert_eq!((tally.messages, tally.sent, tally.received), (messages, bytes, bytes));
            assert_eq!((tally.latency.count(), tally.unanswered, tally.unsent), (messages, 0, 0));
            assert!(tally.latency.quantile(0.5) <= tally.latency.max() && tally.latency.max() <= tally.elapsed);
        }
    }
}

#[test]
fn a_slice_lasts_as_long_as_asked_and_leaves_nothing_on_the_way() {
    let server = Server::echo();
    let (mut session, mut messages) = (server.session(8, 4, 64), 0);
    for slice in 0..5 {
        let time = Duration::from_millis(20);
        let tally = session.slice(time).unwrap();
        assert!(tally.errors.is_empty(), "{tally:?}");
        assert!(tally.elapsed >= time);
        assert_eq!(tally.connected, if slice == 0 { 8 } else { 0 });
        assert_eq!(tally.unanswered, 0);
        messages += tally.messages;
    }
    assert!(messages > 0);
}

#[test]
fn connections_are_dialled_anew_after_so_many_messages() {
    let server = Server::echo();
    let mut plan = server.plan();
    (plan.connections, plan.per_connection) = (3, Some(2));
    let mut session = Session::open(&plan, Echo::new(10)).unwrap();
    let tally = session.until(Goal::Messages(60)).unwrap();
    assert!(tally.errors.is_empty(), "{tally:?}");
    assert_eq!(tally.messages, 60);
    // The last one of each may have been left with one message only.
    assert!((30..=33).contains(&tally.connected), "{tally:?}");
}

#[test]
fn more_connections_than_a_server_can_take_at_once() {
    let server = Server::echo();
    let mut session = server.session(300, 1, 64);
    let tally = session.until(Goal::Messages(3000)).unwrap();
    assert!(tally.errors.is_empty(), "{tally:?}");
    assert_eq!((tally.messages, tally.connected), (3000, 300));
}
