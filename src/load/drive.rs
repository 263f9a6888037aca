//! What the threads of a run have in common: a load that is driven, and a share of the whole.

use std::io;
use std::time::Duration;

use super::book::Tell;
use super::plan::Goal;
use super::tally::Tally;
use super::tcp::Tcp;

/// What is driven on each thread.
pub(super) trait Drive {
    fn go(&mut self, goal: Goal, tell: Option<(Duration, Tell)>) -> io::Result<Tally>;
    fn tcp(&self) -> Option<Tcp>;
}

/// Which of how many equal parts.
#[derive(Clone, Copy)]
pub(super) struct Share {
    pub(super) at: usize,
    pub(super) of: usize,
}

impl Share {
    /// Its part of a number; the parts of all make up the number.
    pub(super) fn part(self, number: u64) -> u64 {
        let of = self.of as u64;
        number / of + u64::from((self.at as u64) < number % of)
    }

    /// Its part of what a plan asks for; a rate with when its first message is due, which is between those of the others.
    pub(super) fn of_plan(self, goal: Goal, rate: Option<f64>) -> (Goal, Option<(f64, f64)>) {
        let goal = match goal {
            Goal::Messages(number) => Goal::Messages(self.part(number)),
            time => time,
        };
        (goal, rate.map(|rate| (rate / self.of as f64, self.at as f64 / rate)))
    }
}
