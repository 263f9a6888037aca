//! `lab sweep`: every combination of option values and sizes, measured.

mod table;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use selkey::lab::{Cell, Side, Sweep, Verdict};
use selkey::socket::raise_descriptor_limit;

use super::run::progress;
use super::text;
use crate::cli::output::{can_store, say, store};
use crate::cli::plot::svg;
use crate::cli::signals;
use crate::cli::usage::{bytes, refuse, seconds, within};

const AFTER_HELP: &str = "\
An echo over TCP on loopback, server and clients in one process. Combinations take turns, round after round; rates and times are
medians over the rounds, with quartiles. Linux grants other sizes of buffers than are asked for: both are shown, the client's first.
What this system lacks or refuses is SKIPPED. Ctrl-C ends it and shows what there is.

--json prints one object on one line; each of bytes_per_second, messages_per_second, p50 and p99 (seconds) is [quartile, median, quartile]:
  {\"environment\": {NAME: VALUE, ...}, \"on\", \"connections\", \"in_flight\", \"seconds\", \"rounds\", \"complete\": true or false,
   \"combinations\": [{\"settings\": {OPTION: ASKED, ...}, \"size\", \"verdict\", \"why\", \"rounds\",
     \"granted\": [{\"socket\", \"option\", \"asked\", \"granted\"}, ...],
     \"bytes_per_second\", \"messages_per_second\", \"p50\", \"p99\"}, ...]}

Example: selkey lab sweep --set TCP_NODELAY=on,off --size 64,64k --seconds 0.1";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct SweepArgs {
    /// An option and its values, like SO_SNDBUF=4k,64k,1m; once for each option
    #[arg(long, value_name = "OPTION=LIST")]
    set: Vec<String>,
    /// Sizes of messages, like 64,1k,64k
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = bytes, default_value = "64", allow_negative_numbers = true)]
    size: Vec<usize>,
    /// Whose sockets get the options
    #[arg(long, value_enum, default_value = "both")]
    on: On,
    /// Connections at once
    #[arg(long, value_name = "N", value_parser = within(1usize, 10_000), default_value = "1", allow_negative_numbers = true)]
    connections: usize,
    /// Messages sent on a connection and not come back yet
    #[arg(long, value_name = "N", value_parser = within(1usize, 10_000), default_value = "1", allow_negative_numbers = true)]
    in_flight: usize,
    /// How long each combination is measured, all rounds together
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "0.3", allow_negative_numbers = true)]
    seconds: Duration,
    /// How often each combination has its turn
    #[arg(long, value_name = "N", value_parser = within(1u32, 1000), default_value = "5", allow_negative_numbers = true)]
    rounds: u32,
    /// For programs; the form is described below
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// For spreadsheets: the table, with rates in bytes and messages a second and times in seconds
    #[arg(long)]
    csv: bool,
    /// Store throughput and latency over the size as a picture (SVG)
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum On {
    Client,
    Server,
    Both,
}

impl SweepArgs {
    pub fn run(self) -> io::Result<()> {
        let sweep = self.sweep().unwrap_or_else(|error| refuse(&error.to_string()));
        if let Some(file) = &self.plot {
            can_store(file)?;
        }
        raise_descriptor_limit()?;
        let stop = sweep.stop.clone();
        signals::on_first(self.json || self.csv, move || stop.stop())?;
        let is_text = !self.json && !self.csv;
        if is_text {
            say(format_args!("{}", text::environment()));
        }
        let bar = progress(0);
        let cells = sweep.run(|at| {
            bar.set_length(at.of as u64);
            bar.set_position(at.done as u64);
            bar.set_message(at.combination.to_string());
        })?;
        bar.finish_and_clear();
        if self.json {
            say(format_args!("{}", table::json(&sweep, &cells)));
        } else if self.csv {
            say(format_args!("{}", table::csv(&sweep, &cells)?.trim_end()));
        } else {
            say(format_args!("{}", table::text(&sweep, &cells).trim_end()));
        }
        if let Some(file) = &self.plot {
            store(file, svg(&table::figures(&sweep, &cells))?)?;
        }
        match cells.iter().filter(|cell| cell.verdict == Verdict::Fail).collect::<Vec<&Cell>>()[..] {
            [] => Ok(()),
            [first, ..] => Err(io::Error::other(format!("{}: {}", first.combination, first.why))),
        }
    }

    fn sweep(&self) -> io::Result<Sweep> {
        let on = match self.on {
            On::Client => Side::Client,
            On::Server => Side::Server,
            On::Both => Side::Both,
        };
        let mut sweep = Sweep {
            sizes: self.size.clone(),
            on,
            connections: self.connections,
            in_flight: self.in_flight,
            time: self.seconds,
            rounds: self.rounds,
            ..Sweep::default()
        };
        for set in &self.set {
            let Some((option, values)) = set.split_once('=') else {
                let what = format!("invalid value {set:?} for --set: expected OPTION=VALUE,VALUE,...");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            };
            sweep.vary(option, values.split(','))?;
        }
        sweep.combinations()?;
        Ok(sweep)
    }
}
