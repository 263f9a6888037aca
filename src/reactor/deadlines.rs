//! Deadlines on one coarse clock.
//!
//! The kernel counts ticks, and a message costs the store of the current one. At each tick the loop looks at every connection: that needs no order to keep, no
//! place to take a connection out of when it goes, and costs a few nanoseconds for each connection, ten times a second. When none is left the clock stands still.

use std::time::{Duration, Instant};

use super::*;
use crate::selector::ticker;

/// How long a tick is.
const TICK: Duration = Duration::from_millis(100);

/// A moment, counted in ticks; it wraps after 6.8 years.
pub(super) type Tick = u32;

const MASK: Tick = u32::MAX >> 1;

/// The bit of a [`Tick`] that is free.
pub(super) const MARK: Tick = !MASK;

/// A time in ticks, rounded up. What is longer than the clock counts is for ever.
pub(super) fn ticks(time: Duration) -> u32 {
    let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
    if ticks < u128::from(MASK / 2) { ticks as u32 } else { u32::MAX }
}

/// Whether more than this time has passed since a moment; a part of a tick does not count, so it is never early.
pub(super) fn over(since: Tick, now: Tick, ticks: u32) -> bool {
    now.wrapping_sub(since) & MASK > ticks
}

/// What tells the time.
pub(super) struct Clock {
    /// `None`: the system has none to give, and the loop reads the time itself.
    ticker: Option<Key>,
    running: bool,
    /// The last tick, where the loop reads the time.
    last: Instant,
}

impl Clock {
    pub(super) fn new(ticker: Option<Key>) -> Clock {
        Clock { ticker, running: false, last: Instant::now() }
    }

    /// How many entries of the selector are the clock's.
    pub(super) fn entries(&self) -> usize {
        usize::from(self.ticker.is_some())
    }

    /// How long the loop may wait, where it has to look by itself.
    pub(super) fn timeout(&self) -> Option<Duration> {
        (self.running && self.ticker.is_none()).then(|| TICK.saturating_sub(self.last.elapsed()))
    }
}

impl<P: Protocol, B: Backend> Reactor<P, B> {
    /// Lets the clock run, or stand still.
    pub(super) fn tick_on(&mut self, on: bool) {
        if self.clock.running == on {
            return;
        }
        self.clock.running = on;
        match self.clock.ticker.and_then(|key| self.selector.get_key(key)) {
            // It fails for no descriptor that is a timer.
            Some(entry) => drop(ticker::set(entry.fileobj(), if on { TICK } else { Duration::ZERO })),
            None => (self.clock.last, self.look_up) = (Instant::now(), true),
        }
    }

    /// The ticker is readable.
    #[inline(never)]
    pub(super) fn tick(&mut self, key: Key) {
        let passed = self.selector.get_key(key).map_or(0, |entry| ticker::passed(entry.fileobj()));
        self.advance_clock(passed);
    }

    /// Looks at the time, where nothing tells it.
    pub(super) fn look_at_clock(&mut self) {
        if self.clock.timeout() == Some(Duration::ZERO) {
            let passed = (self.clock.last.elapsed().as_nanos() / TICK.as_nanos()) as u32;
            self.clock.last += TICK * passed;
            self.advance_clock(passed.into());
        }
    }

    fn advance_clock(&mut self, passed: u64) {
        let shared = &mut self.desk.shared;
        shared.now = shared.now.wrapping_add(passed as u32) & MASK;
        for place in 0..self.selector.places() {
            let Some((key, socket, Entry::Connection(connection))) = self.selector.at(place) else { continue };
            let shared = &mut self.desk.shared;
            let next = match connection.late(shared) {
                Some(what) => connection.expire(what, socket, key, shared),
                None if shared.draining.is_some() => connection.wind_down(socket),
                None => continue,
            };
            self.act(key, next);
        }
        if self.desk.shared.stats.connections == 0 {
            self.tick_on(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_rounded_up_and_the_longest_is_for_ever() {
        let millis = |n| ticks(Duration::from_millis(n));
        assert_eq!((millis(0), millis(1), millis(100), millis(101)), (0, 1, 1, 2));
        assert_eq!(ticks(Duration::MAX), u32::MAX);
        assert!(!over(0, MASK, ticks(Duration::MAX)));
    }

    #[test]
    fn time_goes_on_where_the_clock_wraps() {
        assert!(!over(MASK - 1, 1, 3) && over(MASK - 1, 2, 3));
        assert!(over((MASK - 1) | MARK, 2, 3));
    }
}
