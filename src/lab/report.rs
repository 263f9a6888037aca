//! What came of the runs.

use std::fmt;
use std::time::Duration;

use super::{Claim, Experiment, Figure, Unit};
use crate::socket::{Setting, State};

/// How a claim ended. In the order in which one outdoes the other in a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It was seen as claimed.
    #[default]
    Pass,
    /// This system or machine lacks what it takes to see it.
    Skipped,
    /// Something else was seen.
    Differs,
    /// The run broke off with an error, so nothing was seen.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Pass => "PASS",
            Verdict::Skipped => "SKIPPED",
            Verdict::Differs => "DIFFERS",
            Verdict::Fail => "FAIL",
        })
    }
}

/// What one run of a claim wrote down.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Findings {
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen, or why nothing was.
    pub found: String,
    /// Options that were set, and on whose socket: what was asked and what was granted.
    pub settings: Vec<(String, Setting)>,
    /// Numbers.
    pub measures: Vec<Measure>,
    /// What the kernel told of TCP sockets, and when.
    pub states: Vec<(String, State)>,
    /// Pictures.
    pub figures: Vec<Figure>,
}

/// A number with its meaning.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Measure {
    /// Of what.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of which.
    pub unit: Unit,
}

/// A claim and its runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClaimReport {
    /// Which.
    pub claim: &'static Claim,
    /// One for each time it was tried, at least one.
    pub findings: Vec<Findings>,
    /// How long all of them took.
    pub elapsed: Duration,
}

impl ClaimReport {
    /// The worst of its runs.
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|findings| findings.verdict).max().unwrap_or_default()
    }
}

/// An experiment and its claims.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExperimentReport {
    /// Which.
    pub experiment: &'static Experiment,
    /// In the experiment's order.
    pub claims: Vec<ClaimReport>,
}

impl ExperimentReport {
    /// The worst of its claims; `Skipped` does not outdo a claim that passed.
    pub fn verdict(&self) -> Verdict {
        let verdicts = || self.claims.iter().map(ClaimReport::verdict);
        match verdicts().max().unwrap_or_default() {
            Verdict::Skipped if verdicts().any(|verdict| verdict == Verdict::Pass) => Verdict::Pass,
            worst => worst,
        }
    }
}
