//! One direction of a stream under its rules: bytes go in with the time, and come out in pieces when these are due. No I/O, and no clock of its own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::rules::{Chance, Rules, later, time_at};
use crate::buffer::Buffer;

/// What may wait for a peer that takes nothing, beside what is under way.
const WAITING: usize = 64 << 10;

/// Most that one direction of one connection holds before its sender is not read any more.
const MOST: usize = 1 << 20;

/// What an arrival costs besides its bytes, so that many small ones are no way around the limit.
const ARRIVAL: usize = 32;

/// The longest piece where no rule says it.
const PIECE: usize = 32 << 10;

/// A rate cuts pieces so that each takes no longer than this.
const GRAIN: Duration = Duration::from_millis(10);

/// How late a piece may be for the next ones to make up for it. A peer that did not read for longer gets what waited at the rate, and not at once.
const CATCH_UP: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Pipe {
    bytes: Buffer,
    /// When which of the bytes came, in order.
    arrivals: VecDeque<(Instant, usize)>,
    /// When the sender said that no more comes.
    ended: Option<Instant>,
    /// Before this nothing passes: the connection began frozen.
    began: Instant,
    /// When the last piece was due, which is when the next may begin to pass.
    clear: Instant,
    /// The part of chance in the delay of the next piece, of the whole that the rule was made with.
    jitter: Option<(Duration, Duration)>,
    chance: Chance,
    /// How many bytes have passed.
    passed: u64,
    /// The end has passed.
    over: bool,
    /// The rest falls into a hole.
    lost: bool,
}

/// What is to come out next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A piece of this length, then.
    Piece(Instant, usize),
    /// The end, then.
    End(Instant),
    /// A reset, at once.
    Reset,
    /// Nothing, unless something comes in.
    Nothing,
}

impl Pipe {
    pub(super) fn new(now: Instant, seed: u64) -> Pipe {
        Pipe {
            bytes: Buffer::default(),
            arrivals: VecDeque::new(),
            ended: None,
            began: now,
            clear: now,
            jitter: None,
            chance: Chance::new(seed),
            passed: 0,
            over: false,
            lost: false,
        }
    }

    pub(super) fn put(&mut self, bytes: &[u8], now: Instant) {
        if !self.over && !bytes.is_empty() {
            self.bytes.append(bytes);
            self.arrivals.push_back((now, bytes.len()));
        }
    }

    pub(super) fn end(&mut self, now: Instant) {
        self.ended.get_or_insert(now);
    }

    /// How much is held, in bytes and what they cost besides.
    pub(super) fn held(&self) -> usize {
        self.bytes.len() + self.arrivals.len() * ARRIVAL
    }

    /// Whether nothing is under way, and nothing will be unless it is put in.
    pub(super) fn is_silent(&self) -> bool {
        self.bytes.len() == 0 && (self.ended.is_none() || self.over)
    }

    /// Whether its sender should not be read: more is held than can be under way by these rules, and some for a peer that does not take it.
    pub(super) fn is_full(&self, rules: &Rules) -> bool {
        self.held() >= limit(rules)
    }

    /// Whether its sender should be read again. A little below, so that it is not asked about every piece.
    pub(super) fn has_room(&self, rules: &Rules) -> bool {
        self.held() + WAITING / 2 <= limit(rules)
    }

    /// What comes out next by these rules. `thaw` is until when nothing passes at all.
    pub(super) fn next(&mut self, rules: &Rules, thaw: Option<Instant>) -> Due {
        if rules.reset_after.is_some_and(|most| self.passed >= most) {
            return Due::Reset;
        }
        if rules.drop_after.is_some_and(|most| self.passed >= most) {
            (self.lost, self.over) = (true, true);
            (self.bytes, self.arrivals) = Default::default();
        }
        if self.over {
            return Due::Nothing;
        }
        let first = self.arrivals.front().copied();
        let Some((came, length)) = first.or(self.ended.map(|ended| (ended, 0))) else { return Due::Nothing };
        let due = later(came, rules.delay.saturating_add(self.jitter(rules.jitter)));
        let due = due.max(self.clear).max(later(self.began, rules.freeze)).max(thaw.unwrap_or(due));
        if length == 0 {
            return Due::End(due);
        }
        let left =
            |most: Option<u64>| most.map_or(usize::MAX, |most| (most - self.passed).try_into().unwrap_or(usize::MAX));
        let grain = rules.rate.map_or(PIECE, |rate| (rate as f64 * GRAIN.as_secs_f64()) as usize);
        let cut = length.min(rules.chunk.unwrap_or(PIECE)).min(PIECE).min(grain).max(1);
        let cut = cut.min(left(rules.reset_after)).min(left(rules.drop_after));
        Due::Piece(later(due, time_at(rules.rate, cut)), cut)
    }

    /// What chance adds for the piece that is next: drawn once for each, and again where the rule has changed.
    fn jitter(&mut self, most: Duration) -> Duration {
        match self.jitter {
            Some((drawn, of)) if of == most => drawn,
            _ => {
                let drawn = self.chance.below(most);
                self.jitter = Some((drawn, most));
                drawn
            }
        }
    }

    /// The end that [`next`](Pipe::next) said is passed on.
    pub(super) fn pass_end(&mut self) {
        self.over = true;
    }

    /// Whether what comes in falls into a hole, and nobody is to know.
    pub(super) fn is_hole(&self) -> bool {
        self.lost
    }

    /// How many bytes have passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Hands out the piece that [`next`](Pipe::next) said.
    pub(super) fn pass(&mut self, due: Instant, length: usize, now: Instant, take: impl FnOnce(&[u8])) {
        take(&self.bytes.as_slice()[..length]);
        self.bytes.consume(length);
        if self.bytes.len() == 0 {
            // An idle connection holds no memory for what once passed.
            self.bytes = Buffer::default();
        }
        if let Some((_, left)) = self.arrivals.front_mut() {
            *left -= length;
            if *left == 0 {
                self.arrivals.pop_front();
            }
        }
        self.clear = due.max(now.checked_sub(CATCH_UP).unwrap_or(due));
        self.jitter = None;
        self.passed += length as u64;
    }
}

/// How much a direction may hold: what waits, and what is under way at the rate.
fn limit(rules: &Rules) -> usize {
    let under_way = match rules.rate {
        _ if rules.longest().is_zero() => 0,
        None => MOST,
        Some(rate) => (rate as f64 * rules.longest().as_secs_f64()) as usize,
    };
    WAITING.saturating_add(under_way).min(MOST)
}
