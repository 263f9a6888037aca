//! The lab: what the texts tell about sockets, as experiments that run on this machine and say whether it holds here.
//!
//! An [`Experiment`] is one file: a question, what is claimed, the code that tries it on real sockets, why it is so, and where that is written. Each
//! [`Claim`] has a control: the same code with the option turned the other way, where the claim must not hold. A claim that passes its own control says nothing.
//!
//! ```
//! use selkey::lab::{self, Runs, Verdict};
//!
//! # fn main() -> std::io::Result<()> {
//! let report = lab::find("connect-twice")?.run(&Runs::default(), |_| ());
//! assert_eq!(report.verdict(), Verdict::Pass);
//! # Ok(())
//! # }
//! ```

mod doctor;
mod environment;
mod experiments;
mod figure;
mod ground;
mod report;
mod sweep;
mod trial;

use std::io;

use crate::error::nearest;
pub use doctor::{Checkup, Health, doctor};
pub use environment::environment;
pub use figure::{Axis, Figure, Series, Shape};
pub use report::{ClaimReport, ExperimentReport, Findings, Measure, Verdict};
pub use sweep::{Cell, Combination, Progress, Round, Side, Sweep};
pub use trial::{Finding, Obstacle, Runs, Seen, Trial, Unit, Way};

/// One phenomenon and what is said of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Experiment {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it answers, in one sentence.
    pub question: &'static str,
    /// What is said, each tried by itself.
    pub claims: &'static [Claim],
    /// Why it is so, in paragraphs between empty lines.
    pub explanation: &'static str,
    /// Where it is written: manual pages, RFCs.
    pub sources: &'static [&'static str],
}

/// One statement that can be tried.
#[derive(Debug)]
#[non_exhaustive]
pub struct Claim {
    /// The statement, in one sentence.
    pub says: &'static str,
    /// What is seen where it holds, in a few words.
    pub expected: &'static str,
    /// What is turned the other way in the control.
    pub control: &'static str,
    check: fn(&mut Trial) -> Finding,
}

/// Every experiment, in the order of the command line's list.
pub fn all() -> &'static [&'static Experiment] {
    experiments::ALL
}

/// The experiment of this name.
///
/// # Errors
/// There is none; the error names those that are near, or else all.
pub fn find(name: &str) -> io::Result<&'static Experiment> {
    let found = all().iter().find(|experiment| experiment.name == name);
    found.copied().ok_or_else(|| {
        let known = nearest(all().iter().map(|experiment| (experiment.name, experiment.name.to_owned())), name);
        io::Error::new(io::ErrorKind::InvalidInput, format!("no experiment is called {name:?}; {known}"))
    })
}
