//! What the benches share: slices measured in alternation, medians, an aligned table.
//!
//! Every variant is measured beside a reference, in slices that alternate, and what counts is the median of the rounds' ratios
//! (see `selkey::load::pair`). The reference against itself shows how much of a ratio is noise.

#![allow(dead_code)] // each bench uses its part

use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};
use std::{env, iter};

use selkey::load::pair::{Spread, alternate};

/// What the command line asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `cargo test --benches`, or `--test`: every body once, nothing is measured.
    Test,
    /// `--table`: the table alone.
    Table,
    /// The table, then criterion.
    Full,
}

impl Mode {
    pub fn from_args() -> Mode {
        let asked = |flag| env::args().skip(1).any(|arg| arg == flag);
        if asked("--table") {
            Mode::Table
        } else if asked("--test") || asked("--list") || !asked("--bench") {
            // `cargo bench` passes `--bench`, `cargo test` nothing. `--list` is criterion's, like every flag that is not named here.
            Mode::Test
        } else {
            Mode::Full
        }
    }
}

/// The first argument when it is not a flag: only what has it in its name is measured.
pub fn filter() -> Option<String> {
    env::args().skip(1).find(|arg| arg != "--bench").filter(|arg| !arg.starts_with('-'))
}

/// The quartiles, for the column that shows the noise.
pub fn range(spread: &Spread) -> String {
    format!("{}–{}", ratio(spread.low), ratio(spread.high))
}

/// Two digits behind the point, three where a hundredth is much.
pub fn ratio(value: f64) -> String {
    if value < 0.095 { format!("{value:.3}") } else { format!("{value:.2}") }
}

/// Runs `rounds` rounds of one slice each and answers, for every slice, its cost as a ratio to the first slice's of the same round.
///
/// A slice answers what one operation cost, in whatever unit.
pub fn paired(rounds: usize, slices: &mut [Box<dyn FnMut() -> f64 + '_>]) -> Vec<Spread> {
    let mut ratios = vec![Vec::with_capacity(rounds); slices.len()];
    paired_into(&mut ratios, rounds, slices);
    ratios.into_iter().map(|ratios| Spread::of(ratios).unwrap()).collect()
}

/// As [`paired`], adding to ratios from earlier, for slices that are made anew every few rounds.
pub fn paired_into(ratios: &mut [Vec<f64>], rounds: usize, slices: &mut [Box<dyn FnMut() -> f64 + '_>]) {
    let Ok(rounds) = alternate(rounds, slices.len(), |at| Ok::<_, Infallible>(slices[at]()));
    for costs in rounds {
        for (ratios, cost) in iter::zip(&mut *ratios, &costs) {
            ratios.push(cost / costs[0]);
        }
    }
}

/// Makes slices of about this length out of a body; each answers the seconds that one call took.
///
/// The number of calls is found here, once, so that the clock is read twice a slice.
pub fn timed<'a>(mut body: impl FnMut() + 'a, slice: Duration) -> Box<dyn FnMut() -> f64 + 'a> {
    let mut run = move |calls: u32| {
        let start = Instant::now();
        for _ in 0..calls {
            body();
        }
        start.elapsed().as_secs_f64() / f64::from(calls)
    };
    let mut calls = 1u32;
    let mut cost = run(calls);
    while cost * f64::from(calls) < slice.as_secs_f64() / 4.0 {
        calls *= 2;
        cost = run(calls);
    }
    let calls = (slice.as_secs_f64() / cost).ceil().max(1.0) as u32;
    Box::new(move || run(calls))
}

/// Lines with the first column flush left and the others flush right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, &width)) in iter::zip(row, &widths).enumerate() {
            text += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// One line on standard error that is written over again; nothing where that is no terminal.
pub struct Progress {
    shown: bool,
}

impl Progress {
    pub fn new() -> Progress {
        Progress { shown: io::stderr().is_terminal() }
    }

    pub fn show(&self, what: &str) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K{what}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}
