//! The book of one thread: what is due, what is under way, what has come.

use std::mem;
use std::time::{Duration, Instant};

use super::plan::Goal;
use super::tally::{Failure, Tally};

/// Moments and times in nanoseconds since the book was opened.
type Nanos = u64;

const NEVER: Nanos = Nanos::MAX;

/// How long what was due before the end is sent after it: what a stall shortly before held up.
const GRACE: Nanos = 1_000_000_000;

/// Longer than any turn.
const HELD_UP: Nanos = 500_000_000;

pub(super) type Tell = Box<dyn FnMut(Tally)>;

pub(super) struct Book {
    epoch: Instant,
    /// The last look at the clock.
    pub(super) last: Nanos,
    /// The last look from between two turns, and whether it came so late that what came meanwhile is not read yet.
    looked: Nanos,
    held_up: bool,
    /// Whether a reply came since this was last put back.
    pub(super) progress: bool,
    start: Nanos,
    /// Nothing is sent, or due, from here on.
    until: Nanos,
    /// Messages that may still be sent.
    left: u64,
    pace: Option<Pace>,
    /// Messages sent, or about to be on a connection that is being dialled, and not answered.
    pub(super) in_flight: u64,
    pub(super) tally: Tally,
    /// A latency, and how many in a row had it: what was sent at once often comes back at once.
    alike: (Nanos, u64),
    /// Where the interval ends that the tally is of.
    roll_at: Nanos,
    began: Nanos,
    interval: Nanos,
    tell: Option<Tell>,
}

/// What is due when.
#[derive(Clone, Copy)]
struct Pace {
    /// Nanoseconds from one message to the next.
    every: f64,
    /// Where the first one is, from the start.
    first: f64,
    dealt: u64,
    /// When the next one is due.
    due: Nanos,
}

/// A message on its way.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    /// From when its latency counts.
    pub(super) due: Nanos,
    pub(super) at: Nanos,
}

pub(super) fn nanos(time: Duration) -> Nanos {
    Nanos::try_from(time.as_nanos()).unwrap_or(NEVER)
}

impl Book {
    pub(super) fn new() -> Book {
        Book {
            epoch: Instant::now(),
            last: 0,
            looked: 0,
            held_up: false,
            progress: false,
            start: 0,
            until: 0,
            left: 0,
            pace: None,
            in_flight: 0,
            tally: Tally::new(),
            alike: (0, 0),
            roll_at: NEVER,
            began: 0,
            interval: NEVER,
            tell: None,
        }
    }

    #[inline]
    pub(super) fn now(&mut self) -> Nanos {
        self.last = self.epoch.elapsed().as_nanos() as Nanos;
        self.last
    }

    /// From now on. `rate` is this thread's part, `first` when its first message is due, both in seconds; `tell` is told each interval.
    pub(super) fn begin(&mut self, goal: Goal, rate: Option<(f64, f64)>, tell: Option<(Duration, Tell)>) {
        let now = self.now();
        (self.start, self.began, self.looked) = (now, now, now);
        (self.until, self.left) = match goal {
            Goal::For(time) => (now.saturating_add(nanos(time)), u64::MAX),
            Goal::Messages(number) => (NEVER, number),
        };
        self.pace = rate.map(|(rate, first)| Pace { every: 1e9 / rate, first: first * 1e9, dealt: 0, due: 0 });
        if let Some(pace) = &mut self.pace {
            pace.due = pace.at(self.start);
        }
        (self.interval, self.tell) = match tell {
            Some((interval, tell)) => (nanos(interval).max(1), Some(tell)),
            None => (NEVER, None),
        };
        self.roll_at = self.next_roll(now);
    }

    /// Where the interval ends that begins here: what is left at the end is no interval of its own where it is less than half of one.
    fn next_roll(&self, from: Nanos) -> Nanos {
        let end = from.saturating_add(self.interval);
        if end.saturating_add(self.interval / 2) > self.until { NEVER } else { end }
    }

    /// What was done since it began, or since the last interval that was told.
    pub(super) fn end(&mut self) -> Tally {
        let now = self.now();
        self.roll(now);
        if let Some(pace) = self.pace.take() {
            self.tally.unsent = match self.until {
                NEVER => self.left,
                until => pace.number_before(self.start, until).saturating_sub(pace.dealt),
            };
        }
        // What is still under way is not waited for.
        self.tally.unanswered += self.in_flight;
        (self.left, self.until, self.roll_at, self.tell) = (0, 0, NEVER, None);
        self.close(now)
    }

    fn close(&mut self, at: Nanos) -> Tally {
        self.record_alike();
        let mut tally = mem::replace(&mut self.tally, Tally::new());
        tally.elapsed = Duration::from_nanos(at - self.began);
        self.began = at;
        tally
    }

    /// Tells the intervals that are over.
    fn roll(&mut self, now: Nanos) {
        while now >= self.roll_at {
            let part = self.close(self.roll_at);
            if let Some(tell) = &mut self.tell {
                tell(part);
            }
            self.roll_at = self.next_roll(self.roll_at);
        }
    }

    /// Looks at the clock where nothing has come that did.
    pub(super) fn look(&mut self) -> Nanos {
        let now = self.now();
        (self.held_up, self.looked) = (now - self.looked > HELD_UP, now);
        if now >= self.roll_at {
            self.roll(now);
        }
        now
    }

    /// Whether it is for the book to see that a reply is late: the loop takes a connection on which something is sent for one that is heard of. A generator
    /// that was held up itself does not take that for the server's delay.
    pub(super) fn sees_lateness(&self) -> bool {
        self.pace.is_some() && !self.held_up
    }

    pub(super) fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    /// Whether nothing more will be sent.
    pub(super) fn is_over(&self, now: Nanos) -> bool {
        self.left == 0
            || match &self.pace {
                None => now >= self.until,
                Some(pace) if pace.due >= self.until => now >= self.until,
                Some(_) => now >= self.until.saturating_add(GRACE),
            }
    }

    /// When the next message is due, or the last moment for one is over, where they have times of their own.
    pub(super) fn next_due(&self, now: Nanos) -> Option<Nanos> {
        self.pace.filter(|_| !self.is_over(now)).map(|pace| pace.due.min(self.until))
    }

    /// How many messages are due and not sent.
    pub(super) fn backlog(&self, now: Nanos) -> u64 {
        let Some(pace) = self.pace.filter(|_| !self.is_over(now)) else { return 0 };
        let due = pace.number_before(self.start, now.saturating_add(1).min(self.until));
        due.saturating_sub(pace.dealt).min(self.left)
    }

    /// One more message, if there is one to send: from when its latency counts.
    #[inline]
    pub(super) fn next(&mut self, now: Nanos) -> Option<Sent> {
        if self.left == 0 {
            return None;
        }
        let due = match &self.pace {
            None if now < self.until => now,
            Some(pace) if pace.due <= now && !self.is_over(now) => self.deal(now),
            _ => return None,
        };
        self.left -= 1;
        self.in_flight += 1;
        Some(Sent { due, at: now })
    }

    fn deal(&mut self, now: Nanos) -> Nanos {
        let Some(pace) = &mut self.pace else { return now };
        let due = pace.due;
        pace.dealt += 1;
        pace.due = pace.at(self.start);
        due
    }

    /// A message goes out.
    #[inline]
    pub(super) fn sent(&mut self, message: Sent, bytes: usize) {
        self.tally.sent += bytes as u64;
        if self.pace.is_some() {
            self.tally.delay.record(message.at - message.due, 1);
        }
    }

    /// The right reply came.
    #[inline]
    pub(super) fn answered(&mut self, message: Sent, now: Nanos, bytes: usize) {
        if now >= self.roll_at {
            self.roll(now);
        }
        self.progress = true;
        self.in_flight -= 1;
        self.tally.messages += 1;
        self.tally.received += bytes as u64;
        let time = now - message.due;
        if time != self.alike.0 {
            self.record_alike();
            self.alike.0 = time;
        }
        self.alike.1 += 1;
    }

    #[inline]
    fn record_alike(&mut self) {
        if let (time, count @ 1..) = self.alike {
            self.tally.latency.record(time, count);
            self.alike.1 = 0;
        }
    }

    /// Of so many messages on their way nothing will be heard.
    pub(super) fn give_up(&mut self, messages: u64) {
        self.in_flight -= messages;
        self.tally.unanswered += messages;
    }

    pub(super) fn fail(&mut self, failure: Failure, first: impl FnOnce() -> String) {
        self.tally.errors.note(failure, 1, first);
    }
}

impl Pace {
    /// When the next message is due.
    fn at(&self, start: Nanos) -> Nanos {
        start.saturating_add((self.first + self.dealt as f64 * self.every) as Nanos)
    }

    /// How many messages are due before a moment.
    fn number_before(&self, start: Nanos, moment: Nanos) -> u64 {
        let time = moment.saturating_sub(start) as f64 - self.first;
        (time / self.every).ceil().max(0.0) as u64
    }
}
