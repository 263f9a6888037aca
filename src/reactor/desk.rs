//! What all connections of a loop use in turn.

use std::time::Duration;

use super::deadlines::{Tick, ticks};
use super::limits::Limits;
use super::out::Queue;
use super::stats::Stats;

/// How much is received at once.
pub(super) const RECEIVE: usize = 64 << 10;

/// How long a peer's end is waited for after our last word.
const LINGER: Duration = Duration::from_secs(2);

/// Received into, and collected in.
pub(super) struct Desk {
    pub(super) input: Box<[u8; RECEIVE]>,
    pub(super) shared: Shared,
}

/// Everything but the bytes received, which a protocol borrows while it speaks.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) now: Tick,
    /// Since when the loop drains.
    pub(super) draining: Option<Tick>,
    pub(super) limits: Limits,
    pub(super) terms: Terms,
    pub(super) stats: Stats,
    /// The protocol said that the header of an unfinished message is whole.
    pub(super) header_done: bool,
}

/// The limits on time, in ticks.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) open: u32,
    pub(super) idle: u32,
    pub(super) stall: u32,
    pub(super) drain: u32,
    pub(super) linger: u32,
}

impl Desk {
    pub(super) fn new() -> Desk {
        // From a list, so that it never lies on the stack.
        let input = vec![0; RECEIVE].try_into().unwrap_or_else(|_| unreachable!("it has that length"));
        let limits = Limits::default();
        let shared = Shared {
            queue: Queue::default(),
            now: 0,
            draining: None,
            terms: Terms::of(&limits),
            limits,
            stats: Stats::default(),
            header_done: false,
        };
        Desk { input, shared }
    }
}

impl Shared {
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.terms = Terms::of(&limits);
        self.limits = limits;
    }
}

impl Terms {
    fn of(limits: &Limits) -> Terms {
        Terms {
            open: ticks(limits.header_timeout),
            idle: ticks(limits.idle_timeout),
            stall: ticks(limits.write_timeout),
            drain: ticks(limits.drain_timeout),
            linger: ticks(LINGER),
        }
    }
}
