//! A sweep: every combination of option values and message sizes, measured in turn.

mod bench;

use std::time::Duration;
use std::{fmt, io};

use super::Verdict;
use crate::load::Stop;
use crate::socket::options::{self, SocketOption, Value};
use crate::socket::{Options, Setting};

/// What is measured: an echo over TCP on loopback, with every combination of these option values and message sizes.
///
/// Client and server are two threads of this process. The combinations take turns, one slice of time each, and that several times over, so that what else the
/// machine does meets all of them alike.
///
/// ```
/// use selkey::lab::Sweep;
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let mut sweep = Sweep { sizes: vec![64, 1024], ..Sweep::default() };
/// sweep.vary("TCP_NODELAY", ["on", "off"])?;
/// # sweep.time = Duration::from_millis(10);
/// for cell in sweep.run(|_| ())? {
///     let [_, median, _] = cell.quartiles(|round| round.bytes_per_second).unwrap_or_default();
///     println!("{}: {median:.0} B/s", cell.combination);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Options and their values. Filled in by [`vary`](Sweep::vary).
    pub settings: Vec<(&'static SocketOption, Vec<Value>)>,
    /// Bytes in a message. Default: 64.
    pub sizes: Vec<usize>,
    /// Whose sockets get the options. Default: both.
    pub on: Side,
    /// Connections at once. Default: 1.
    pub connections: usize,
    /// Messages sent on a connection and not come back yet. Default: 1.
    pub in_flight: usize,
    /// How long each combination is measured, all rounds together. Default: 0.3 s.
    pub time: Duration,
    /// In how many slices. Default: 5.
    pub rounds: u32,
    /// Ends it early; what was measured is kept.
    pub stop: Stop,
}

/// The end of a connection that gets the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that connects.
    Client,
    /// The listener and what it accepts.
    Server,
    /// Both ends.
    Both,
}

/// One value of each option, and one size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Combination {
    /// The options with their values, in the order in which they were asked for.
    pub settings: Vec<(&'static SocketOption, Value)>,
    /// Bytes in a message.
    pub size: usize,
}

/// A combination and what came of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cell {
    /// Which.
    pub combination: Combination,
    /// `Skipped` where this system lacks or refuses an option, `Fail` where the echo broke off.
    pub verdict: Verdict,
    /// Why, where it is not `Pass`.
    pub why: String,
    /// What was asked and what was granted, on a `client` and a `server` socket.
    pub settings: Vec<(&'static str, Setting)>,
    /// One for each slice; fewer where the sweep was ended.
    pub rounds: Vec<Round>,
}

/// What one slice of time came to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Round {
    /// Bytes that came back in a second.
    pub bytes_per_second: f64,
    /// Messages that came back in a second.
    pub messages_per_second: f64,
    /// The time from sending to having back that half of the messages did not exceed.
    pub p50: Duration,
    /// The same of 99 in 100.
    pub p99: Duration,
}

/// Where a sweep is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Slices that are over.
    pub done: usize,
    /// Slices in all.
    pub of: usize,
    /// What the last one measured.
    pub combination: &'a Combination,
}

impl Default for Sweep {
    fn default() -> Sweep {
        Sweep {
            settings: Vec::new(),
            sizes: vec![64],
            on: Side::Both,
            connections: 1,
            in_flight: 1,
            time: Duration::from_millis(300),
            rounds: 5,
            stop: Stop::default(),
        }
    }
}

impl Sweep {
    /// The most combinations of one sweep.
    pub const MOST: usize = 1000;
    /// The most bytes that may be under way at once: connections × messages in flight × the largest size.
    pub const MOST_BYTES: usize = 64 << 20;

    /// Turns an option through these values, which are read as [`SocketOption::check`] does.
    ///
    /// # Errors
    /// The option is not known, was named before, or does not take a value; the error says what there is.
    pub fn vary(&mut self, option: &str, values: impl IntoIterator<Item = impl Into<Value>>) -> io::Result<&mut Sweep> {
        let option = options::find(option)?;
        if self.settings.iter().any(|(known, _)| known == &option) {
            return refused(format!("{} is set twice; one list has all its values", option.name));
        }
        let values = values.into_iter().map(|value| option.check(value)).collect::<io::Result<Vec<Value>>>()?;
        self.settings.push((option, values));
        Ok(self)
    }

    /// Every combination: the first option changes slowest, the size fastest.
    ///
    /// # Errors
    /// More than [`MOST`](Sweep::MOST), none, or more than [`MOST_BYTES`](Sweep::MOST_BYTES) under way.
    pub fn combinations(&self) -> io::Result<Vec<Combination>> {
        let lists = self.settings.iter().map(|(_, values)| values.len()).chain([self.sizes.len()]);
        let count = lists.fold(1usize, usize::saturating_mul);
        if !(1..=Sweep::MOST).contains(&count) {
            return refused(format!("{count} combinations; a sweep is of 1 to {}", Sweep::MOST));
        }
        let largest = self.sizes.iter().max().copied().unwrap_or(0);
        let under_way = largest.saturating_mul(self.in_flight).saturating_mul(self.connections);
        if !(1..=Sweep::MOST_BYTES).contains(&under_way) {
            let what = "bytes under way (connections × in flight × size)";
            return refused(format!("{under_way} {what}; a sweep is of 1 to {}", Sweep::MOST_BYTES));
        }
        let combination = |mut index: usize| {
            let mut digit = |base: usize| (index % base, index /= base).0;
            let size = self.sizes[digit(self.sizes.len())];
            let settings = self.settings.iter().rev();
            let mut settings: Vec<_> =
                settings.map(|(option, values)| (*option, values[digit(values.len())].clone())).collect();
            settings.reverse();
            Combination { settings, size }
        };
        Ok((0..count).map(combination).collect())
    }

    /// Measures, and calls `tell` after each slice. What this system lacks or refuses is skipped.
    ///
    /// # Errors
    /// As [`combinations`](Sweep::combinations); nothing was measured then.
    pub fn run(&self, mut tell: impl FnMut(Progress<'_>)) -> io::Result<Vec<Cell>> {
        let new = |combination| Cell {
            combination,
            verdict: Verdict::Pass,
            why: String::new(),
            settings: Vec::new(),
            rounds: Vec::new(),
        };
        let mut cells: Vec<Cell> = self.combinations()?.into_iter().map(new).collect();
        let (rounds, count) = (self.rounds.max(1) as usize, cells.len());
        for (done, (round, at)) in (0..rounds).flat_map(|round| (0..count).map(move |at| (round, at))).enumerate() {
            let cell = &mut cells[at];
            if self.stop.is_stopped() {
                break;
            }
            if cell.verdict == Verdict::Pass {
                bench::measure(self, cell, round == 0);
            }
            tell(Progress { done: done + 1, of: rounds * count, combination: &cell.combination });
        }
        Ok(cells)
    }

    /// The options of either end.
    fn options(&self, combination: &Combination, side: Side) -> io::Result<Options> {
        let mut options = Options::default();
        if [side, Side::Both].contains(&self.on) {
            for (option, value) in &combination.settings {
                options.set(option.name, value.clone())?;
            }
        }
        Ok(options)
    }
}

fn refused<T>(what: String) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

impl Cell {
    /// Of a number of all rounds: what a quarter of them, half and three quarters do not exceed. `None` where there is no round.
    pub fn quartiles(&self, number: impl Fn(&Round) -> f64) -> Option<[f64; 3]> {
        let mut numbers: Vec<f64> = self.rounds.iter().map(number).collect();
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1)?;
        Some([0.25, 0.5, 0.75].map(|part| {
            // Between two of them where it falls there.
            let place = part * last as f64;
            let (low, high) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
            low + (high - low) * place.fract()
        }))
    }
}

/// `SO_SNDBUF=4096 TCP_NODELAY=on size=64`
impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.iter().try_for_each(|(option, value)| write!(f, "{}={value} ", option.name))?;
        write!(f, "size={}", self.size)
    }
}
