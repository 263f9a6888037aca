//! How a server is doing, and how it did.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use selkey::backend::Backend;
use selkey::{Deadline, Protocol, Reactor, Stats};

use super::output::say;

/// What the threads of a server have to tell, for the line that one of them prints.
pub struct Board {
    every: Duration,
    seats: Mutex<Vec<Seat>>,
}

#[derive(Clone)]
struct Seat {
    stats: Stats,
    turns: Histogram<u64>,
}

impl Board {
    pub fn new(every: Duration, threads: usize) -> Board {
        Board { every, seats: Mutex::new(vec![Seat { stats: Stats::default(), turns: turn_times() }; threads]) }
    }

    fn with<T>(&self, see: impl FnOnce(&mut Vec<Seat>) -> T) -> T {
        see(&mut self.seats.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Nanoseconds up to a minute, to two digits.
fn turn_times() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 2).expect("bounds that a histogram can have")
}

/// Lets this thread's loop keep the board up to date; the first one's prints it.
pub fn keep<P: Protocol + 'static, B: Backend + 'static>(
    reactor: &mut Reactor<P, B>,
    board: Arc<Board>,
    thread: usize,
) {
    // Longer than the histogram goes is its end.
    let told = board.clone();
    reactor.on_turn(move |time| told.with(|seats| seats[thread].turns.saturating_record(time.as_nanos() as u64)));
    again(reactor, board, thread, Instant::now(), Stats::default());
}

fn again<P: Protocol + 'static, B: Backend + 'static>(
    reactor: &mut Reactor<P, B>,
    board: Arc<Board>,
    thread: usize,
    since: Instant,
    before: Stats,
) {
    reactor.after(board.every, move |reactor| {
        let (now, mut all) = (Instant::now(), Stats::default());
        board.with(|seats| seats[thread].stats = reactor.stats().clone());
        if thread == 0 {
            let mut turns = turn_times();
            board.with(|seats| {
                for seat in seats {
                    all += &seat.stats;
                    // Both have the same bounds.
                    let _ = turns.add(mem::replace(&mut seat.turns, turn_times()));
                }
            });
            say(format_args!("{}", Status { stats: &all, before: &before, time: now - since, turns: &turns }));
        }
        again(reactor, board, thread, now, all);
    });
}

struct Status<'a> {
    stats: &'a Stats,
    before: &'a Stats,
    time: Duration,
    turns: &'a Histogram<u64>,
}

impl fmt::Display for Status<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { stats, before, time, turns } = self;
        let rate = |now: u64, before: u64| (now - before) as f64 / time.as_secs_f64();
        write!(
            f,
            "Status: {} connections, {:.0} requests/s, {:.0} bytes/s, {} bytes held, p99 turn {:.3} ms{}",
            stats.connections,
            rate(stats.requests, before.requests),
            rate(stats.received + stats.sent, before.received + before.sent),
            stats.held,
            turns.value_at_quantile(0.99) as f64 / 1e6,
            Trouble(stats),
        )
    }
}

/// What a server did from its start to its end.
pub struct Totals<'a>(pub &'a Stats);

impl fmt::Display for Totals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stats { accepted, requests, received, sent, .. } = self.0;
        write!(f, "Totals: {accepted} connections, {requests} requests, {received} bytes received, {sent} sent")?;
        write!(f, "{}", Trouble(self.0))
    }
}

/// What did not go well, as far as it happened.
struct Trouble<'a>(&'a Stats);

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.0;
        let expired = Deadline::ALL.iter().map(|&what| (stats.expired(what), expired(what)));
        for (count, what) in [(stats.refused, "refused"), (stats.turned_away, "turned away")]
            .into_iter()
            .chain(expired)
            .chain([(stats.reset, "reset"), (stats.overfull, "over a limit"), (stats.failed, "failed")])
            .filter(|(count, _)| *count > 0)
        {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}

fn expired(what: Deadline) -> &'static str {
    match what {
        Deadline::Open => "never heard",
        Deadline::Message => "unfinished in time",
        Deadline::Idle => "idle too long",
        Deadline::Stall => "too slow to read",
        Deadline::Drain => "cut when draining",
        _ => "expired",
    }
}
