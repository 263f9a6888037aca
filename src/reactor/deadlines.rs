//! Deadlines on one coarse clock.
//!
//! The kernel counts ticks, and a message costs the store of the current one. At each tick the loop looks at every connection: that needs no order to keep, no
//! place to take a connection out of when it goes, and costs a few nanoseconds for each connection, ten times a second. When none is left the clock stands still.
//!
//! What was stored since the last look at the clock may have happened up to this one: a turn can be long. So it counts from here, and the clock is looked at after
//! all that a turn has found ready: a loop that was held up does not take its own delay for the peer's.

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

/// Whether more than this time has passed since a moment. The parts of ticks at both ends do not count, so it is never early.
pub(super) fn over(since: Tick, now: Tick, ticks: u32) -> bool {
    now.wrapping_sub(since) & MASK > ticks.saturating_add(1)
}

/// Lets moments noted since the last look at the clock, `before`, count from the tick before `now`; `over` allows for the part of a tick since then.
pub(super) fn catch_up<'a>(before: Tick, now: Tick, moments: impl IntoIterator<Item = &'a mut Tick>) {
    for moment in moments {
        if *moment & MASK == before {
            *moment = (now.wrapping_sub(1) & MASK) | (*moment & MARK);
        }
    }
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

    /// Whether the loop reads the time itself.
    pub(super) fn is_read(&self) -> bool {
        self.ticker.is_none()
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
        if passed == 0 {
            return;
        }
        let shared = &mut self.desk.shared;
        let before = shared.now;
        shared.now = before.wrapping_add(passed as u32) & MASK;
        catch_up(before, shared.now, shared.draining.iter_mut());
        for place in 0..self.selector.places() {
            let Some((key, socket, Entry::Connection(connection))) = self.selector.at(place) else { continue };
            let shared = &mut self.desk.shared;
            connection.catch_up(before, shared.now);
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
    use std::net::TcpStream;

    use super::*;

    /// An echo over a loop that has to read the time itself.
    fn without_ticker() -> (Reactor<impl Protocol>, SocketAddr) {
        let mut reactor = Reactor::new().unwrap();
        if let Some(ticker) = reactor.clock.ticker.take() {
            reactor.selector.unregister(ticker).unwrap();
        }
        reactor.set_limits(Limits { header_timeout: TICK * 3, ..Limits::default() });
        let echo = |input: &[u8], _: &mut Out<'_, '_>| Flow::used(input.len());
        let address = reactor.listen("127.0.0.1:0", move |_| from_fn(echo)).unwrap();
        (reactor, address)
    }

    #[test]
    fn a_loop_that_reads_the_time_itself_keeps_deadlines_too() {
        let (mut reactor, address) = without_ticker();
        for round in 1..=2 {
            let start = Instant::now();
            let client = TcpStream::connect(address).unwrap();
            while reactor.stats().expired(Deadline::Open) < round {
                assert!(reactor.turn().unwrap());
            }
            assert!(start.elapsed() >= TICK * 3);
            drop(client);
            while reactor.stats().connections > 0 || reactor.clock.running {
                assert!(reactor.turn().unwrap());
            }
            assert_eq!(reactor.clock.timeout(), None, "it stands still");
        }
    }

    #[test]
    fn a_loop_that_reads_the_time_itself_ends_when_nothing_is_left() {
        let (mut reactor, address) = without_ticker();
        let _client = TcpStream::connect(address).unwrap();
        reactor.handle().drain();
        reactor.run().unwrap();
        assert_eq!((reactor.stats().accepted, reactor.stats().connections), (1, 0));
    }

    #[test]
    fn a_time_is_rounded_up_and_the_longest_is_for_ever() {
        let millis = |n| ticks(Duration::from_millis(n));
        assert_eq!((millis(0), millis(1), millis(100), millis(101)), (0, 1, 1, 2));
        assert_eq!(ticks(Duration::MAX), u32::MAX);
        assert!(!over(0, MASK, ticks(Duration::MAX)));
    }

    #[test]
    fn time_goes_on_where_the_clock_wraps() {
        assert!(!over(MASK - 1, 2, 3) && over(MASK - 1, 3, 3));
        assert!(over((MASK - 1) | MARK, 3, 3));
    }

    #[test]
    fn what_was_noted_since_the_last_look_counts_from_this_one() {
        let mut moments = [7, 7 | MARK, 6, 8, MASK];
        catch_up(7, 12, &mut moments);
        assert_eq!(moments, [11, 11 | MARK, 6, 8, MASK]);
        catch_up(12, 15, &mut moments);
        assert_eq!(moments, [11, 11 | MARK, 6, 8, MASK]);
        catch_up(MASK, 0, &mut moments);
        assert_eq!(moments, [11, 11 | MARK, 6, 8, MASK]);
    }
}
