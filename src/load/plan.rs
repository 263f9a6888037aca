//! What is asked of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::socket::{Address, Options};

/// What is asked of a run; a [`Session`](super::Session) looks at the first part, [`run`](super::run) at all of it.
///
/// ```
/// use std::time::Duration;
/// use selkey::load::{Goal, Plan};
///
/// let mut plan = Plan::new(("127.0.0.1", 65432));
/// plan.connections = 50;
/// plan.goal = Goal::Messages(100_000);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// Whom to talk to.
    pub address: Address,
    /// Socket options of each connection.
    pub options: Options,
    /// Connections at once, over all threads. Default: 1.
    pub connections: usize,
    /// Requests sent on a connection and not answered yet, at most. Default: 1.
    pub in_flight: usize,
    /// Messages after which a connection is closed and dialled anew; then the time of the first message counts from the dial, and connections are dialled when
    /// they are needed. Default: none, connections are kept.
    pub per_connection: Option<u64>,
    /// In this time a connection must come about, and a reply to each request; one that does not come ends its connection. Up to 0.3 s late, never early.
    /// Default: 10 s.
    pub timeout: Duration,
    /// Messages a second over all connections and threads: each is due at a moment of its own, whatever became of those before, and its latency counts from
    /// then (open loop). Default: none, an answer is what lets the next request go (closed loop).
    pub rate: Option<f64>,
    /// When it is enough. Default: 5 s.
    pub goal: Goal,
    /// Everything is over after this, connecting and warming up included, whatever has not come. Default: an hour.
    pub most: Duration,
    /// Ends the run early.
    pub stop: Stop,
    /// Threads, each with its share of the connections and of the rate. Default: 1.
    pub threads: usize,
    /// The same before, not counted but for errors. Default: none.
    pub warm_up: Duration,
    /// How long the intervals are that are told while it runs; longer where there would be more than 600. Default: 1 s.
    pub interval: Duration,
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// After this time nothing more is sent, or in an open loop due: what is held up then is sent for one more second. What is under way is waited for.
    For(Duration),
    /// When so many messages were sent and answered.
    Messages(u64),
}

impl Plan {
    /// One connection to this address, one message in flight, for 5 s.
    pub fn new(address: impl Into<Address>) -> Plan {
        Plan {
            address: address.into(),
            options: Options::default(),
            connections: 1,
            in_flight: 1,
            per_connection: None,
            timeout: Duration::from_secs(10),
            rate: None,
            goal: Goal::For(Duration::from_secs(5)),
            most: Duration::from_secs(3600),
            stop: Stop::default(),
            threads: 1,
            warm_up: Duration::ZERO,
            interval: Duration::from_secs(1),
        }
    }
}

/// Ends a run early, from another thread or a signal: it is looked at ten times a second at least. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    /// That of whoever asked for the run, where this one is the run's own.
    outer: Option<Arc<AtomicBool>>,
}

impl Stop {
    /// Nothing more is sent or waited for.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked for.
    pub fn is_stopped(&self) -> bool {
        let is_set = |flag: &Arc<AtomicBool>| flag.load(Ordering::Relaxed);
        is_set(&self.asked) || self.outer.as_ref().is_some_and(is_set)
    }

    /// One that is stopped with this one, and alone.
    pub(super) fn inner(&self) -> Stop {
        Stop { asked: Arc::default(), outer: Some(self.asked.clone()) }
    }
}
