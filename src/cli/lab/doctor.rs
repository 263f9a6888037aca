//! `lab doctor`: what this machine is like, line by line with what to do.

use std::io;

use selkey::lab::{self, Health};
use serde_json::{Value, json};
use textwrap::{Options, fill};

use super::{text, width};
use crate::cli::output::{columns, say};

const AFTER_HELP: &str = "\
low: experiments run, but large values are cut to it. lacking: something cannot be shown here, and the experiments that need it are
SKIPPED. Neither is a failure: the exit status is 0.

Example: selkey lab doctor";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Doctor {
    /// For programs: one object on one line
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(self) -> io::Result<()> {
        let checkups = lab::doctor();
        if self.json {
            let checkups: Vec<Value> = checkups
                .iter()
                .map(|checkup| {
                    json!({
                        "what": checkup.what,
                        "health": checkup.health.to_string(),
                        "found": checkup.found,
                        "advice": checkup.advice,
                    })
                })
                .collect();
            say(format_args!("{}", json!({ "environment": super::data::environment(), "checkups": checkups })));
            return Ok(());
        }
        say(format_args!("{}", text::environment()));
        let cells =
            |checkup: &lab::Checkup| [checkup.health.to_string(), checkup.what.to_owned(), checkup.found.clone()];
        let lines = columns(&checkups.iter().map(cells).collect::<Vec<_>>(), &[false; 3]);
        let hanging = Options::new(width()).initial_indent("         ").subsequent_indent("         ");
        for (line, checkup) in lines.lines().zip(&checkups) {
            say(format_args!("{}", fill(line, Options::new(width()).subsequent_indent("         "))));
            if !checkup.advice.is_empty() {
                say(format_args!("{}", fill(checkup.advice, &hanging)));
            }
        }
        let count = |health| checkups.iter().filter(|checkup| checkup.health == health).count();
        say(format_args!(
            "\n{} looked at: {} ok, {} low, {} lacking",
            checkups.len(),
            count(Health::Good),
            count(Health::Low),
            count(Health::Lacking)
        ));
        Ok(())
    }
}
