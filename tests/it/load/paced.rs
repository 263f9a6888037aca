//! Open loops: what is due when, and from when latency counts.

use std::thread::sleep;
use std::time::Duration;

use selkey::load::{self, Echo, Goal};
use selkey::{Flow, from_fn};

use super::support::{Server, echo};

/// How long a server here stands still.
const STALL: Duration = Duration::from_millis(300);

#[test]
fn what_a_server_holds_up_counts_from_when_it_was_due() {
    let make = |_: usize| {
        let mut left = 50;
        from_fn(move |input, out| {
            left -= 1;
            if left == 0 {
                sleep(STALL);
            }
            echo(input, out)
        })
    };
    let server = Server::start(make);
    let mut plan = server.plan();
    // 100 are due before the stall, or 49 answered; some 300 while it lasts.
    (plan.rate, plan.goal) = (Some(1000.0), Goal::Messages(600));
    let report = load::run(&plan, |_| Ok(Echo::new(64)), |_| ()).unwrap();
    let tally = &report.tally;
    assert!(tally.errors.is_empty() && tally.messages == 600 && tally.unsent == 0, "{report:?}");
    assert!(tally.latency.max() >= STALL && tally.delay.max() >= STALL / 2, "{report:?}");
    // In a closed loop one message is late; here a fifth is by a third of the stall at least.
    assert!(tally.latency.quantile(0.8) >= STALL / 3, "{report:?}");

    let server = Server::start(make);
    let mut session = server.session(1, 1, 64);
    let tally = session.until(Goal::Messages(600)).unwrap();
    assert!(tally.latency.max() >= STALL && tally.latency.quantile(0.8) < STALL / 3, "{tally:?}");
    assert_eq!(tally.delay.count(), 0);
}

#[test]
fn messages_go_out_no_sooner_than_they_are_due() {
    let server = Server::echo();
    for (threads, per_connection) in [(1, None), (3, None), (1, Some(1)), (2, Some(3))] {
        let mut plan = server.plan();
        (plan.connections, plan.in_flight, plan.threads, plan.per_connection) = (6, 2, threads, per_connection);
        (plan.rate, plan.goal) = (Some(2000.0), Goal::Messages(201));
        let report = load::run(&plan, |_| Ok(Echo::new(64)), |_| ()).unwrap();
        let tally = report.tally;
        assert!(tally.errors.is_empty(), "{tally:?}");
        assert_eq!((tally.messages, tally.delay.count(), tally.unsent), (201, 201, 0));
        // The last one is due 200 intervals after the first one.
        assert!(tally.elapsed >= Duration::from_millis(100), "{tally:?}");
        assert!(tally.latency.max() >= tally.delay.quantile(0.5));
    }
}

#[test]
fn a_rate_that_cannot_be_is_told() {
    let server = Server::start(|_| {
        from_fn(|input, out| {
            sleep(Duration::from_millis(1));
            out.lend(input);
            Flow::used(input.len())
        })
    });
    let mut plan = server.plan();
    (plan.rate, plan.goal) = (Some(1e6), Goal::For(Duration::from_millis(50)));
    let report = load::run(&plan, |_| Ok(Echo::new(64)), |_| ()).unwrap();
    assert!(report.tally.errors.is_empty(), "{report:?}");
    assert_eq!(report.missed_rate, Some(1e6));
    assert_eq!(report.tally.messages + report.tally.unsent, 50_000);
    assert!(report.tally.elapsed < Duration::from_secs(10), "{report:?}");
}

#[test]
fn a_slow_rate_is_kept_with_one_message() {
    let server = Server::echo();
    let mut plan = server.plan();
    (plan.rate, plan.goal, plan.connections) = (Some(10.0), Goal::For(Duration::from_millis(250)), 2);
    let report = load::run(&plan, |_| Ok(Echo::new(64)), |_| ()).unwrap();
    assert_eq!((report.tally.messages, report.tally.unsent), (3, 0), "{report:?}");
}
