//! Timers: what a loop shall do at a moment.

use std::collections::BTreeMap;
use std::time::Instant;

use super::*;

/// The name of a timer that [`Reactor::after`] set. It is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    at: Instant,
    number: u64,
}

type Job<P, B> = Box<dyn FnOnce(&mut Reactor<P, B>)>;

/// In the order in which they are due.
pub(super) struct Timers<P, B> {
    jobs: BTreeMap<TimerKey, Job<P, B>>,
    made: u64,
}

impl<P, B> Timers<P, B> {
    pub(super) fn new() -> Timers<P, B> {
        Timers { jobs: BTreeMap::new(), made: 0 }
    }

    /// How long until the first is due; `None` where there is none.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.jobs.first_key_value().map(|(first, _)| first.at.saturating_duration_since(Instant::now()))
    }
}

impl<P: Protocol, B: Backend> Reactor<P, B> {
    /// Calls `job` from the loop once this time has passed, never early: where nothing else is to do as exactly as the system wakes a sleeper, else after the turn
    /// that is under way. Linux wakes one up to 50 µs late unless told otherwise (the timer slack, prctl(2)); with epoll before Linux 5.11 it is a millisecond.
    ///
    /// A timer that is set keeps [`run`](Reactor::run) from ending, unless the loop [drains](super::Handle::drain). A time too long for the clock is for ever.
    ///
    /// ```
    /// use std::time::Duration;
    /// use selkey::{Protocol, Reactor};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
    /// let late = reactor.after(Duration::from_secs(3600), |_| unreachable!());
    /// reactor.after(Duration::from_millis(2), move |reactor| assert!(reactor.cancel(late)));
    /// reactor.run()?; // ends when neither is left
    /// # Ok(())
    /// # }
    /// ```
    pub fn after(&mut self, time: Duration, job: impl FnOnce(&mut Reactor<P, B>) + 'static) -> TimerKey {
        let now = Instant::now();
        // Thirty years are for ever, and fit every clock.
        let at = now.checked_add(time).unwrap_or_else(|| now + Duration::from_secs(1 << 30));
        let key = TimerKey { at, number: self.timers.made };
        self.timers.made += 1;
        self.timers.jobs.insert(key, Box::new(job));
        self.look_up = true;
        key
    }

    /// Takes a timer back. Answers whether it was still to come; nothing is left of it then.
    pub fn cancel(&mut self, timer: TimerKey) -> bool {
        self.timers.jobs.remove(&timer).is_some()
    }

    /// Runs the jobs that are due now; those that they set come later. Answers whether there were any.
    pub(super) fn run_due(&mut self) -> bool {
        if self.timers.jobs.is_empty() {
            return false;
        }
        let now = Instant::now();
        let (made, mut ran) = (self.timers.made, false);
        while let Some(first) = self.timers.jobs.first_entry()
            && first.key().at <= now
            && first.key().number < made
        {
            first.remove()(self);
            ran = true;
        }
        ran
    }
}
