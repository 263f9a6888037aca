//! `bench`: servers under load, measured and checked.

mod app;
mod compare;
mod data;
mod options;
mod show;

use std::io;
use std::time::Duration;

use clap::Subcommand;
use selkey::load::{Echo, Exchange, Failure, Interval, Plan, Report, run, run_datagrams};
use selkey::socket::Options;

use super::output::{say, store};
use super::{plot, serving, signals, socket_options};
use options::{Common, PerConnection, Size};
use show::{Row, Shown};

const AFTER_HELP: &str = "\
In a closed loop (without --rate) the answer to one request lets the next go: a server that is slow is asked less often, and what others would have waited
meanwhile does not show. In an open loop (--rate) every message is due at a moment of its own, and its latency counts from then: a server that stands still for a
second shows as a second. Every reply is checked byte for byte.

Errors are counted by kind, and any of them is exit status 1 after the report; so is a rate of which less than 0.95 was reached. An interrupt ends the
run and reports what there is.";

#[derive(clap::Args)]
#[command(after_help = after_help())]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

fn after_help() -> String {
    format!("{AFTER_HELP}\n\nExample: selkey bench echo 127.0.0.1 65432 --connections 50 --duration 1")
}

#[derive(Subcommand)]
enum What {
    /// Messages to an echo server, and back
    #[command(
        override_usage = "selkey bench echo [OPTIONS] [HOST PORT | unix:PATH]",
        after_help = "Example: selkey bench echo 127.0.0.1 65432 --connections 50 --duration 1"
    )]
    Echo(EchoBench),
    /// Searches in the table of an application server
    #[command(
        override_usage = "selkey bench app [OPTIONS] [HOST PORT | unix:PATH]",
        after_help = "Example: selkey bench app 127.0.0.1 65432 --connections 50 --duration 1"
    )]
    App(AppBench),
    /// Connect to an echo server, one message there and back, close, again
    #[command(
        override_usage = "selkey bench connect [OPTIONS] [HOST PORT | unix:PATH]",
        after_help = "Example: selkey bench connect 127.0.0.1 65432 --messages 1000"
    )]
    Connect(ConnectBench),
    /// Datagrams to a UDP echo server, and back; lost ones are counted
    #[command(
        override_usage = "selkey bench udp [OPTIONS] [HOST PORT]",
        after_help = "Example: selkey bench udp 127.0.0.1 65432 --duration 1"
    )]
    Udp(UdpBench),
    /// Start two servers and measure them side by side
    Compare(compare::Compare),
}

#[derive(clap::Args)]
struct EchoBench {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    per_connection: PerConnection,
    #[command(flatten)]
    options: socket_options::Dialling,
}

#[derive(clap::Args)]
struct AppBench {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    per_connection: PerConnection,
    #[command(flatten)]
    options: socket_options::Dialling,
}

#[derive(clap::Args)]
struct ConnectBench {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    options: socket_options::Dialling,
}

#[derive(clap::Args)]
struct UdpBench {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    options: socket_options::Datagrams,
}

/// How long an answer is waited for: on a stream, where it is late but will come, and as a datagram.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(1));

impl Bench {
    pub fn run(self) -> io::Result<()> {
        match self.what {
            What::Echo(EchoBench { common, size: Size { size }, per_connection, options }) => {
                let what = format!("echo of {size} bytes");
                stream(common, what, per_connection.per_connection, options.0, || Ok(Echo::new(size)))
            }
            What::App(AppBench { common, per_connection: PerConnection { per_connection }, options }) => {
                let kept = per_connection != Some(1);
                stream(common, "app search".to_owned(), per_connection, options.0, || app::Searches::new(kept))
            }
            What::Connect(ConnectBench { common, size: Size { size }, options }) => {
                let what = format!("connect, echo of {size} bytes, close");
                stream(common, what, Some(1), options.0, || Ok(Echo::new(size)))
            }
            What::Compare(compare) => compare.run(),
            What::Udp(UdpBench { common, size: Size { size }, options }) => {
                let plan = common.plan(options.0, PATIENCE.1)?;
                let exchange = Echo::new(size);
                measure(&common, &format!("udp echo of {size} bytes"), &plan, |told| {
                    run_datagrams(&plan, |thread| serving::pin(&common.cpus, thread).map(|()| exchange.clone()), told)
                })
            }
        }
    }
}

fn stream<E: Exchange + Clone + Sync>(
    common: Common,
    what: String,
    per_connection: Option<u64>,
    options: Options,
    exchange: impl FnOnce() -> io::Result<E>,
) -> io::Result<()> {
    let exchange = exchange()?;
    let mut plan = common.plan(options, PATIENCE.0)?;
    plan.per_connection = per_connection;
    measure(&common, &what, &plan, |told| {
        run(&plan, |thread| serving::pin(&common.cpus, thread).map(|()| exchange.clone()), told)
    })
}

/// Runs it, and reports in the form that was asked for.
fn measure(
    common: &Common,
    what: &str,
    plan: &Plan,
    run: impl FnOnce(&mut dyn FnMut(&Interval)) -> io::Result<Report>,
) -> io::Result<()> {
    let is_data = common.json || common.csv;
    // After names were looked up: that has no deadline, and no stop.
    let stop = plan.stop.clone();
    signals::on_first(is_data, move || stop.stop())?;
    let mut shown = Shown::new(plan, what, !is_data, common.interval.is_some() || !common.is_short());
    let mut rows = Vec::new();
    let report = run(&mut |interval| {
        let row = Row::of(interval);
        shown.interval(&row);
        rows.push(row);
    });
    shown.clear();
    let report = report?;
    if let Some(file) = &common.plot {
        let figures = data::figures(&format!("{what} at {}", plan.address), &report, &rows);
        store(file, plot::svg(&figures)?)?;
    }
    if common.json {
        say(format_args!("{}", data::json(what, plan, &report, &rows)));
    } else if common.csv {
        say(format_args!("{}", data::csv(&rows)?.trim_end()));
    } else {
        show::report(plan, &report);
    }
    judge(&report)
}

/// Whether all went well.
fn judge(report: &Report) -> io::Result<()> {
    let errors = &report.tally.errors;
    if !errors.is_empty() {
        let kinds = errors.iter().map(|(failure, count, first)| match failure {
            Failure::Overran => first.to_owned(),
            _ if count == 1 => format!("{failure}: {first}"),
            _ => format!("{count} × {failure}, the first: {first}"),
        });
        return Err(io::Error::other(kinds.collect::<Vec<_>>().join("; ")));
    }
    match report.missed_rate {
        Some(rate) => {
            let reached = report.tally.rate();
            Err(io::Error::other(format!("rate {rate:.0}/s not reached: {reached:.0}/s")))
        }
        None => Ok(()),
    }
}
