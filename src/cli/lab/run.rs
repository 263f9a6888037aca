//! `lab run`: experiments, as text, as data, as a page.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use indicatif::ProgressBar;
use selkey::lab::{self, Experiment, ExperimentReport, Figure, Runs, Verdict};
use textwrap::fill;

use super::explain::find;
use super::words::{self, Summary};
use super::{data, html, text, width};
use crate::cli::output::{can_store, cannot_write, say, store, styled};
use crate::cli::plot::svg;
use crate::cli::usage::within;

const AFTER_HELP: &str = "\
PASS: it was seen as claimed. DIFFERS: something else was seen, which says something about this machine. SKIPPED: this system lacks
what it takes. FAIL: an error broke it off; then, and only then, the exit status is 1.

--json prints one object on one line:
  {\"environment\": {NAME: VALUE, ...}, \"repeats\", \"seed\",
   \"experiments\": [{\"name\", \"question\", \"verdict\", \"claims\": [{\"says\", \"expected\", \"control\", \"verdict\", \"found\", \"seconds\",
     \"runs\": [{\"verdict\", \"found\", \"settings\": [{\"socket\", \"option\", \"asked\", \"granted\"}, ...],
       \"measures\": [{\"what\", \"value\", \"unit\"}, ...], \"states\": [{\"when\", \"tcp_info\": {...}}, ...], \"figures\": [...]}, ...]}, ...]}, ...]}
--csv prints a line for each number: experiment,claim,run,verdict,expected,found,measure,value,unit
Times are in seconds.

Example: selkey lab run connect-twice";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Run {
    /// Experiments as `lab list` calls them, or `all`
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Try each claim this often; it passes where it holds each time, numbers are shown as least, median and greatest
    #[arg(long, value_name = "N", value_parser = within(1u32, 10_000), default_value = "1", allow_negative_numbers = true)]
    repeat: u32,
    /// Where chance begins: the same seed chooses the same
    #[arg(long, value_name = "N", value_parser = within(0u64, u64::MAX), default_value = "0", allow_negative_numbers = true)]
    seed: u64,
    /// For programs; the form is described below
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// For spreadsheets; the columns are described below
    #[arg(long)]
    csv: bool,
    /// Store the figures of each experiment that has some as DIR/NAME.svg
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Store everything as a page for a browser, in one file that needs no other
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Run {
    pub fn run(self) -> io::Result<()> {
        let experiments = chosen(&self.names);
        // Before the time is spent.
        self.check_places()?;
        let runs = Runs { repeats: self.repeat, seed: self.seed, ..Runs::default() };
        let start = Instant::now();
        let reports = self.tried(&experiments, &runs);
        if self.json {
            say(format_args!("{}", data::json(&runs, &reports)));
        } else if self.csv {
            say(format_args!("{}", data::csv(&reports)?.trim_end()));
        } else {
            say(format_args!("{} in {:.1} s", Summary(&reports), start.elapsed().as_secs_f64()));
        }
        self.store(&runs, &reports)?;
        let failed: Vec<&str> = reports
            .iter()
            .filter(|report| report.verdict() == Verdict::Fail)
            .map(|report| report.experiment.name)
            .collect();
        match &failed[..] {
            [] => Ok(()),
            names => {
                Err(io::Error::other(format!("{} of {} failed: {}", names.len(), reports.len(), names.join(", "))))
            }
        }
    }

    /// Tries one after the other; text is shown as it comes.
    fn tried(&self, experiments: &[&'static Experiment], runs: &Runs) -> Vec<ExperimentReport> {
        let (is_text, width) = (!self.json && !self.csv, width());
        let bar = progress(experiments.iter().map(|experiment| experiment.claims.len() as u64).sum());
        let show = |line: &str| {
            if is_text {
                bar.suspend(|| say(format_args!("{line}")));
            }
        };
        show(&format!("{}repeats {}, seed {}\n", text::environment(), runs.repeats, runs.seed));
        let tried = experiments.iter().map(|experiment| {
            bar.set_message(experiment.name);
            show(&fill(&format!("{}: {}", experiment.name, experiment.question), width));
            let report = experiment.run(runs, |claim| {
                bar.inc(1);
                show(&text::claim(claim, width));
            });
            show("");
            report
        });
        let reports = tried.collect();
        bar.finish_and_clear();
        reports
    }

    fn check_places(&self) -> io::Result<()> {
        if let Some(directory) = &self.plot {
            fs::create_dir_all(directory).map_err(|error| cannot_write(directory, error))?;
        }
        self.html.as_deref().map_or(Ok(()), can_store)
    }

    fn store(&self, runs: &Runs, reports: &[ExperimentReport]) -> io::Result<()> {
        for report in reports {
            let figures = report.claims.iter().flat_map(|claim| words::telling(claim).figures.iter().cloned());
            let figures: Vec<Figure> = figures.collect();
            if let (Some(directory), false) = (&self.plot, figures.is_empty()) {
                let file = directory.join(report.experiment.name).with_extension("svg");
                store(&file, svg(&figures)?)?;
            }
        }
        if let Some(file) = &self.html {
            store(file, html::page(runs, reports)?)?;
        }
        Ok(())
    }
}

/// Those of these names, in this order.
fn chosen(names: &[String]) -> Vec<&'static Experiment> {
    let named = |name: &String| if name == "all" { lab::all().to_vec() } else { vec![find(name)] };
    names.iter().flat_map(named).collect()
}

/// On a terminal; nowhere else.
pub fn progress(steps: u64) -> ProgressBar {
    styled(ProgressBar::new(steps), "{wide_bar} {pos} of {len}, {eta} left  {msg}")
}
