//! One run of a claim: which way its option is turned, and what is written down meanwhile.

use std::fmt;
use std::io;
use std::time::Instant;

use crate::socket::options::{self, Value};
use crate::socket::{Setting, Socket, state};

use super::report::{ClaimReport, ExperimentReport, Findings, Verdict};
use super::{Claim, Experiment, Figure};

/// What a run was about to show and what it saw, or why it could not.
pub type Finding = Result<Seen, Obstacle>;

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In a few words, with the numbers.
    pub found: String,
    /// Whether it is what the claim says.
    pub holds: bool,
}

/// Why nothing could be seen.
#[derive(Debug)]
pub enum Obstacle {
    /// This system or this machine lacks what it takes: the claim is skipped, with this reason.
    Lacking(String),
    /// Something that should not fail did.
    Failed(io::Error),
}

impl From<io::Error> for Obstacle {
    /// What the system does not have is lacking; all else is a failure.
    fn from(error: io::Error) -> Obstacle {
        match error.kind() {
            io::ErrorKind::Unsupported => Obstacle::Lacking(error.to_string()),
            _ => Obstacle::Failed(error),
        }
    }
}

/// Which way the option of a claim is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As the claim says.
    Claimed,
    /// The other way, where the claim must not hold.
    Control,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes in a second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// Parts of one.
    Share,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Unit::Count => "",
            Unit::Bytes => "B",
            Unit::BytesPerSecond => "B/s",
            Unit::Seconds => "s",
            Unit::Share => "of 1",
        })
    }
}

/// One run of a claim. The code of the claim asks it which way things are turned and tells it what is worth writing down.
#[derive(Debug)]
pub struct Trial {
    way: Way,
    random: fastrand::Rng,
    findings: Findings,
}

impl Trial {
    /// The first value where the claim is tried, the second in its control.
    pub fn turn<T>(&self, claimed: T, control: T) -> T {
        match self.way {
            Way::Claimed => claimed,
            Way::Control => control,
        }
    }

    /// Numbers that are the same for the same seed.
    pub fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// Sets an option by its name and writes down what was asked and what was granted; `whose` says on which socket.
    ///
    /// # Errors
    /// Lacking where this system has no such option.
    pub fn set(
        &mut self,
        whose: &str,
        socket: &Socket,
        option: &str,
        value: impl Into<Value>,
    ) -> Result<Setting, Obstacle> {
        let setting = options::set(socket, option, value)?;
        self.findings.settings.push((whose.to_owned(), setting.clone()));
        Ok(setting)
    }

    /// Writes down a number.
    pub fn measure(&mut self, what: impl Into<String>, value: f64, unit: Unit) {
        self.findings.measures.push(super::Measure { what: what.into(), value, unit });
    }

    /// Writes down what the kernel tells of a TCP socket (TCP_INFO) at this moment; nothing where it tells nothing.
    pub fn state(&mut self, when: impl Into<String>, socket: &Socket) {
        if let Ok(state) = state(socket) {
            self.findings.states.push((when.into(), state));
        }
    }

    /// Adds a picture.
    pub fn figure(&mut self, figure: Figure) {
        self.findings.figures.push(figure);
    }
}

/// How an experiment is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runs {
    /// How often each claim is tried.
    pub repeats: u32,
    /// Where chance begins. The same seed chooses the same.
    pub seed: u64,
    /// Which way the options are turned.
    pub way: Way,
}

impl Default for Runs {
    fn default() -> Runs {
        Runs { repeats: 1, seed: 0, way: Way::Claimed }
    }
}

impl Experiment {
    /// Tries every claim in turn, and calls `tell` after each.
    pub fn run(&'static self, runs: &Runs, mut tell: impl FnMut(&ClaimReport)) -> ExperimentReport {
        let tried = |claim: &'static Claim| {
            let report = claim.run(runs);
            tell(&report);
            report
        };
        ExperimentReport { experiment: self, claims: self.claims.iter().map(tried).collect() }
    }
}

impl Claim {
    /// Tries it as often as asked. Only where it holds each time it passes.
    pub fn run(&'static self, runs: &Runs) -> ClaimReport {
        let start = Instant::now();
        let findings: Vec<Findings> = (0..runs.repeats.max(1)).map(|repeat| self.try_once(runs, repeat)).collect();
        ClaimReport { claim: self, findings, elapsed: start.elapsed() }
    }

    fn try_once(&self, runs: &Runs, repeat: u32) -> Findings {
        let random = fastrand::Rng::with_seed(runs.seed.wrapping_add(repeat.into()));
        let mut trial = Trial { way: runs.way, random, findings: Findings::default() };
        let (verdict, found) = match (self.check)(&mut trial) {
            Ok(Seen { found, holds: true }) => (Verdict::Pass, found),
            Ok(Seen { found, holds: false }) => (Verdict::Differs, found),
            Err(Obstacle::Lacking(why)) => (Verdict::Skipped, why),
            Err(Obstacle::Failed(error)) => (Verdict::Fail, error.to_string()),
        };
        Findings { verdict, found, ..trial.findings }
    }
}
