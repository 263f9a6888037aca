//! What a run comes to: messages, times, failures.

use std::collections::BTreeMap;
use std::time::Duration;
use std::{fmt, io};

use hdrhistogram::Histogram;

use crate::error::errno;

/// What was done, and what went wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tally {
    /// Messages answered, rightly.
    pub messages: u64,
    /// Bytes of requests sent.
    pub sent: u64,
    /// Bytes of right replies.
    pub received: u64,
    /// Connections that were made.
    pub connected: u64,
    /// Messages sent whose reply never came.
    pub unanswered: u64,
    /// Messages that were due and never sent (open loop).
    pub unsent: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// From sending a request, or in an open loop from when it was due, to its reply.
    pub latency: Times,
    /// How late requests were sent (open loop): by the generator where it was busy, or because every connection was waiting for the server.
    pub delay: Times,
    /// What went wrong.
    pub errors: Errors,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            messages: 0,
            sent: 0,
            received: 0,
            connected: 0,
            unanswered: 0,
            unsent: 0,
            elapsed: Duration::ZERO,
            latency: Times::new(),
            delay: Times::new(),
            errors: Errors::default(),
        }
    }

    /// Messages answered in a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Adds what another connection, thread or time came to; the longer time counts.
    pub fn add(&mut self, other: &Tally) {
        self.messages += other.messages;
        self.sent += other.sent;
        self.received += other.received;
        self.connected += other.connected;
        self.unanswered += other.unanswered;
        self.unsent += other.unsent;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.latency.add(&other.latency);
        self.delay.add(&other.delay);
        self.errors.add(&other.errors);
    }
}

/// Many times, kept as how many there were of each to three digits: the memory does not grow with their number. Above an hour they count as one.
#[derive(Clone)]
pub struct Times(Option<Box<Histogram<u64>>>);

/// An hour in nanoseconds.
const LONGEST: u64 = 3_600_000_000_000;

impl Times {
    pub(super) fn new() -> Times {
        Times(None)
    }

    fn histogram(&mut self) -> &mut Histogram<u64> {
        self.0.get_or_insert_with(|| {
            let made = Histogram::new_with_bounds(1, LONGEST, 3);
            Box::new(made.unwrap_or_else(|_| unreachable!("bounds that a histogram can have")))
        })
    }

    #[inline]
    pub(super) fn record(&mut self, nanos: u64, count: u64) {
        self.histogram().saturating_record_n(nanos, count);
    }

    pub(super) fn add(&mut self, other: &Times) {
        if let Some(other) = &other.0 {
            // Both have the same bounds.
            let _ = self.histogram().add(&**other);
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |times| times.len())
    }

    /// The time that this part of all did not exceed: 0.5 is the median, 1 the longest. Zero where there are none.
    pub fn quantile(&self, part: f64) -> Duration {
        Duration::from_nanos(self.0.as_ref().filter(|times| !times.is_empty()).map_or(0, |times| {
            // A histogram answers the end of the range in which a time lies; none was longer than the longest.
            times.value_at_quantile(part).min(times.max())
        }))
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.quantile(1.0)
    }

    /// The mean. Zero where there are none.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.0.as_ref().map_or(0, |times| times.mean() as u64))
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} times, median {:?}, longest {:?}", self.count(), self.quantile(0.5), self.max())
    }
}

/// What can go wrong with a connection or a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Failure {
    /// Nobody listens there.
    Refused,
    /// The peer reset the connection.
    Reset,
    /// The peer closed the connection, with or without replies still to come.
    Closed,
    /// A reply is not what it should be.
    Wrong,
    /// No connection or no reply in time.
    TimedOut,
    /// A datagram whose answer did not come in time.
    Lost,
    /// A datagram that answers nothing that is waited for: it came late, or twice.
    Unexpected,
    /// The run had to end before it was done, see [`Plan::most`](super::Plan::most).
    Overran,
    /// What the system said.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Refused => "refused",
            Failure::Reset => "reset",
            Failure::Closed => "closed early",
            Failure::Wrong => "wrong bytes",
            Failure::TimedOut => "timed out",
            Failure::Lost => "lost",
            Failure::Unexpected => "unexpected",
            Failure::Overran => "out of time",
            Failure::Other(what) => what,
        })
    }
}

impl Failure {
    /// Which one an error of the system is.
    pub(super) fn of(error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Failure::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Failure::Reset,
            io::ErrorKind::TimedOut => Failure::TimedOut,
            kind => Failure::Other(errno(error).map_or_else(|| kind.to_string(), text)),
        }
    }
}

fn text(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// How often what went wrong, with the first of each kind in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(BTreeMap<Failure, (u64, String)>);

impl Errors {
    pub(super) fn note(&mut self, failure: Failure, times: u64, first: impl FnOnce() -> String) {
        self.0.entry(failure).or_insert_with(|| (0, first())).0 += times;
    }

    fn add(&mut self, other: &Errors) {
        for (failure, (times, first)) in &other.0 {
            self.note(failure.clone(), *times, || first.clone());
        }
    }

    /// Each kind, how often it was, and the first of it in full.
    pub fn iter(&self) -> impl Iterator<Item = (&Failure, u64, &str)> {
        self.0.iter().map(|(failure, (times, first))| (failure, *times, first.as_str()))
    }

    /// How often that was.
    pub fn count(&self, failure: &Failure) -> u64 {
        self.0.get(failure).map_or(0, |(times, _)| *times)
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.values().map(|(times, _)| times).sum()
    }

    /// Whether nothing went wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
