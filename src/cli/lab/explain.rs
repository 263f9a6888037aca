//! `lab list` and `lab explain`: what the experiments are about.

use std::io;

use selkey::lab::{self, Experiment};
use textwrap::{Options, fill};

use super::width;
use crate::cli::output::{columns, say};
use crate::cli::usage::refuse;

#[derive(clap::Args)]
#[command(after_help = "Example: selkey lab explain connect-twice")]
pub struct Explain {
    /// The experiment, as `lab list` calls it
    name: String,
}

impl Explain {
    pub fn run(self) -> io::Result<()> {
        say(format_args!("{}", explained(find(&self.name), width())));
        Ok(())
    }
}

/// The experiment of this name, or the end of the program.
pub fn find(name: &str) -> &'static Experiment {
    lab::find(name).unwrap_or_else(|error| refuse(&error.to_string()))
}

pub fn list() {
    let line = |experiment: &&Experiment| [experiment.name.to_owned(), experiment.question.to_owned()];
    let lines: Vec<_> = lab::all().iter().map(line).collect();
    say(format_args!("{}", columns(&lines, &[false; 2]).trim_end()));
}

fn explained(experiment: &Experiment, width: usize) -> String {
    let mut text = fill(&format!("{}: {}", experiment.name, experiment.question), width);
    for claim in experiment.claims {
        for (label, told) in
            [("\n\nClaim:    ", claim.says), ("\nExpected: ", claim.expected), ("\nControl:  ", claim.control)]
        {
            text += &fill(told, Options::new(width).initial_indent(label).subsequent_indent("          "));
        }
    }
    for paragraph in paragraphs(experiment) {
        text += &format!("\n\n{}", fill(&paragraph, width));
    }
    text += "\n";
    for source in experiment.sources {
        text += &format!(
            "\n{}",
            fill(source, Options::new(width).initial_indent("Source:   ").subsequent_indent("          "))
        );
    }
    text
}

/// The explanation's paragraphs, each on one line.
pub fn paragraphs(experiment: &Experiment) -> Vec<String> {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    experiment.explanation.split("\n\n").map(one_line).filter(|text| !text.is_empty()).collect()
}
