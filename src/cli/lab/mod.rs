//! `lab`: experiments with sockets, on the command line.

mod data;
mod doctor;
mod explain;
mod html;
mod run;
mod sweep;
mod text;
mod words;

use std::io::{self, IsTerminal, stdout};

use clap::Subcommand;

#[derive(clap::Args)]
#[command(after_help = "Example: selkey lab run connect-twice")]
pub struct Lab {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The experiments and what each of them answers
    #[command(after_help = "Example: selkey lab list")]
    List,
    /// Try what is claimed, on sockets of this machine
    Run(run::Run),
    /// What an experiment claims, why it is so, and where that is written
    Explain(explain::Explain),
    /// Measure an echo with every combination of option values and message sizes
    Sweep(sweep::SweepArgs),
    /// What on this machine is low or missing for experiments, and what to do about it
    Doctor(doctor::Doctor),
}

impl Lab {
    pub fn run(self) -> io::Result<()> {
        match self.what {
            What::List => {
                explain::list();
                Ok(())
            }
            What::Run(run) => run.run(),
            What::Explain(explain) => explain.run(),
            What::Sweep(sweep) => sweep.run(),
            What::Doctor(doctor) => doctor.run(),
        }
    }
}

/// How long lines may be.
const WIDTH: usize = 100;

/// The terminal's width, where there is one.
fn width() -> usize {
    if stdout().is_terminal() { textwrap::termwidth() } else { WIDTH }
}
