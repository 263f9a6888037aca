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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What comes out until so much later, piece by piece, with how many milliseconds after `start` each is due.
    fn drain(pipe: &mut Pipe, rules: &Rules, start: Instant, most: Duration) -> (Vec<(u128, Vec<u8>)>, Due) {
        let mut pieces = Vec::new();
        loop {
            match pipe.next(rules, None) {
                Due::Piece(due, length) if due <= start + most => {
                    let mut piece = Vec::new();
                    pipe.pass(due, length, due, |bytes| piece.extend_from_slice(bytes));
                    pieces.push(((due - start).as_millis(), piece));
                }
                other => return (pieces, other),
            }
        }
    }

    fn pipe() -> (Pipe, Instant) {
        let start = Instant::now();
        (Pipe::new(start, 7), start)
    }

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n ^ (n >> 8)) as u8).collect()
    }

    #[test]
    fn without_rules_what_came_goes_at_once_and_the_end_behind_it() {
        let (mut pipe, start) = pipe();
        assert_eq!(pipe.next(&Rules::default(), None), Due::Nothing);
        pipe.put(b"Hello", start);
        pipe.end(start + MS);
        let (pieces, then) = drain(&mut pipe, &Rules::default(), start, MS);
        assert_eq!((pieces, then), (vec![(0, b"Hello".to_vec())], Due::End(start + MS)));
        assert!(!pipe.is_silent());
        pipe.pass_end();
        assert_eq!((pipe.next(&Rules::default(), None), pipe.is_silent()), (Due::Nothing, true));
    }

    #[test]
    fn chunks_are_exact_and_none_spans_two_arrivals() {
        let (mut pipe, start) = pipe();
        let rules = Rules { chunk: Some(4), ..Rules::default() };
        pipe.put(b"0123456789", start);
        pipe.put(b"abcd", start);
        let (pieces, _) = drain(&mut pipe, &rules, start, MS);
        let pieces: Vec<&[u8]> = pieces.iter().map(|(_, piece)| piece.as_slice()).collect();
        assert_eq!(pieces, [&b"0123"[..], b"4567", b"89", b"abcd"]);
    }

    #[test]
    fn jitter_keeps_the_order_is_never_early_and_the_same_for_a_seed() {
        let rules = Rules { delay: 20 * MS, jitter: 30 * MS, chunk: Some(3), ..Rules::default() };
        let run = |seed| {
            let start = Instant::now();
            let mut pipe = Pipe::new(start, seed);
            for n in 0..100 {
                pipe.put(&numbered(1000)[n * 10..][..10], start + n as u32 * MS);
            }
            let (pieces, _) = drain(&mut pipe, &rules, start, 1000 * MS);
            assert_eq!(pieces.iter().flat_map(|(_, piece)| piece.clone()).collect::<Vec<_>>(), numbered(1000));
            assert!(pieces.is_sorted_by_key(|(due, _)| *due));
            // Four pieces of each arrival, ten of which came each 10 ms.
            assert!(pieces.iter().enumerate().all(|(at, (due, _))| (20..=50).contains(&(due - at as u128 / 4))));
            pieces
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn a_rate_is_kept_and_lateness_made_good_but_not_a_long_stall() {
        let (mut pipe, start) = pipe();
        let rules = Rules { rate: Some(10_000), ..Rules::default() };
        pipe.put(&numbered(5000), start);
        // A piece passes when its last byte does: 100 bytes take 10 ms.
        let (pieces, _) = drain(&mut pipe, &rules, start, 100 * MS);
        assert!(
            pieces.iter().enumerate().all(|(at, (due, piece))| *due == 10 * (at as u128 + 1) && piece.len() == 100)
        );
        assert_eq!(pieces.len(), 10);
        let due = |pipe: &mut Pipe| match pipe.next(&rules, None) {
            Due::Piece(due, _) => (due - start).as_millis(),
            other => panic!("{other:?}"),
        };
        // 50 ms late: the next is due as if it were not.
        pipe.pass(start + 110 * MS, 100, start + 160 * MS, |_| ());
        assert_eq!(due(&mut pipe), 120);
        // A second late: what is missing is not sent all at once.
        pipe.pass(start + 120 * MS, 100, start + 1120 * MS, |_| ());
        assert_eq!(due(&mut pipe), 1120 - 100 + 10);
    }

    #[test]
    fn a_reset_comes_after_exactly_that_many_bytes() {
        for most in [0, 1, 7, 64, 99, 100] {
            let (mut pipe, start) = pipe();
            let rules = Rules { reset_after: Some(most), chunk: Some(8), ..Rules::default() };
            pipe.put(&numbered(60), start);
            pipe.put(&numbered(40), start);
            let (pieces, then) = drain(&mut pipe, &rules, start, MS);
            assert_eq!((pieces.iter().map(|(_, piece)| piece.len() as u64).sum::<u64>(), then), (most, Due::Reset));
        }
    }

    #[test]
    fn what_falls_into_a_hole_is_neither_held_nor_told() {
        let (mut pipe, start) = pipe();
        let rules = Rules { drop_after: Some(6), ..Rules::default() };
        pipe.put(&numbered(10), start);
        let (pieces, then) = drain(&mut pipe, &rules, start, MS);
        assert_eq!((pieces, then), (vec![(0, numbered(6))], Due::Nothing));
        pipe.put(&numbered(10), start);
        pipe.end(start);
        assert_eq!((pipe.next(&rules, None), pipe.held()), (Due::Nothing, 0));
        assert!(pipe.is_hole() && pipe.is_silent());
    }

    #[test]
    fn nothing_passes_while_it_is_frozen() {
        let (mut pipe, start) = pipe();
        pipe.put(b"x", start);
        let rules = Rules { freeze: 300 * MS, ..Rules::default() };
        assert_eq!(pipe.next(&rules, None), Due::Piece(start + 300 * MS, 1));
        assert_eq!(pipe.next(&rules, Some(start + 500 * MS)), Due::Piece(start + 500 * MS, 1));
        assert_eq!(pipe.next(&Rules::default(), Some(start)), Due::Piece(start, 1));
    }

    #[test]
    fn a_changed_rule_counts_for_what_is_under_way() {
        let (mut pipe, start) = pipe();
        pipe.put(b"x", start);
        let slow = Rules { delay: Duration::MAX, jitter: Duration::MAX, ..Rules::default() };
        assert!(matches!(pipe.next(&slow, None), Due::Piece(due, 1) if due > start + 1000 * MS));
        assert_eq!(pipe.next(&Rules::default(), None), Due::Piece(start, 1));
    }

    #[test]
    fn as_much_is_held_as_can_be_under_way_and_64_kib() {
        let (delay, rate) = (100 * MS, Some(1_000_000));
        assert_eq!(limit(&Rules::default()), 64 << 10);
        assert_eq!(limit(&Rules { rate, ..Rules::default() }), 64 << 10);
        assert_eq!(limit(&Rules { delay, rate, ..Rules::default() }), (64 << 10) + 100_000);
        assert_eq!(limit(&Rules { delay, ..Rules::default() }), 1 << 20);
        assert_eq!(limit(&Rules { delay: Duration::MAX, rate, ..Rules::default() }), 1 << 20);
        let (mut pipe, start) = pipe();
        // An arrival of one byte counts for 33.
        for _ in 0..(64 << 10) / 33 {
            pipe.put(b"x", start);
            assert!(!pipe.is_full(&Rules::default()));
        }
        pipe.put(b"x", start);
        assert!(pipe.is_full(&Rules::default()) && !pipe.has_room(&Rules::default()));
    }
}
