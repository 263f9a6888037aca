//! What the measurements have in common on the command line.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use selkey::load::{Goal, Plan};
use selkey::socket::{Address, Options, raise_descriptor_limit};

use crate::cli::address;
use crate::cli::usage::{bytes, refuse, seconds, seconds_or_none, within};

/// More in flight than this, and messages of one window would be alike.
pub const MOST_IN_FLIGHT: usize = 4000;

/// No message is longer.
const LONGEST: usize = 64 << 20;

/// How much longer than it should a run may take.
const LATE: Duration = Duration::from_secs(60);

/// How long a run may take whose length is not given.
const LONG: Duration = Duration::from_secs(300);

/// Descriptors of a thread besides its connections, and of the program.
const BESIDES: (u64, u64) = (4, 16);

#[derive(clap::Args)]
pub struct Common {
    /// The server's address [default: 127.0.0.1 65432]
    #[arg(value_name = "ADDRESS", allow_negative_numbers = true)]
    address: Vec<String>,
    /// Connections at once
    #[arg(short, long, value_name = "C", value_parser = within(1usize, 1_000_000), default_value = "1", allow_negative_numbers = true)]
    connections: usize,
    /// Requests on their way on each connection
    #[arg(short = 'p', long, value_name = "P", value_parser = within(1, MOST_IN_FLIGHT), default_value = "1", allow_negative_numbers = true)]
    in_flight: usize,
    /// Send for this many seconds [default: 5]
    #[arg(short, long, value_name = "S", value_parser = seconds, allow_negative_numbers = true, conflicts_with = "messages")]
    duration: Option<Duration>,
    /// Send this many messages
    #[arg(short = 'n', long, value_name = "N", value_parser = within(1u64, u64::MAX / 2), allow_negative_numbers = true)]
    messages: Option<u64>,
    /// Messages a second, each due at its moment however slow the answers are [default: as fast as answers come]
    #[arg(short, long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Seconds of the same before, uncounted but for errors [default: 0.2, with --messages 0]
    #[arg(long, value_name = "S", value_parser = seconds_or_none, allow_negative_numbers = true)]
    warm_up: Option<Duration>,
    /// Threads, each with its share of connections and rate
    #[arg(short, long, value_name = "N", value_parser = within(1usize, 1024), default_value = "1", allow_negative_numbers = true)]
    threads: usize,
    /// Processors to keep the threads on, one after the other, like 0,2,3
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = within(0usize, 1023), allow_negative_numbers = true)]
    pub cpus: Vec<usize>,
    /// Seconds to wait for a connection, and for each reply [default: 10, for datagrams 1]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,
    /// End after this many seconds whatever has not come [default: 60 more than --duration, with --messages 300]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    max_seconds: Option<Duration>,
    /// Seconds from one line about the run to the next [default: 1, and no lines where it takes less than 2]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    pub interval: Option<Duration>,
    /// Print one JSON object, and nothing else
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print the intervals as CSV, and nothing else
    #[arg(long)]
    pub csv: bool,
    /// Draw latency and throughput as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
}

/// Messages that are echoed.
#[derive(clap::Args)]
pub struct Size {
    /// Bytes of a message
    #[arg(short, long, value_name = "B", value_parser = size, default_value = "64", allow_negative_numbers = true)]
    pub size: usize,
}

/// Connections that are not kept.
#[derive(clap::Args)]
pub struct PerConnection {
    /// Close each connection after this many messages and dial it anew; the first one's time counts from the dial
    #[arg(long, value_name = "N", value_parser = within(1u64, u64::MAX), allow_negative_numbers = true)]
    pub per_connection: Option<u64>,
}

pub fn size(text: &str) -> Result<usize, String> {
    bytes(text).and_then(|size| if size > LONGEST { Err("expected no more than 64m".to_owned()) } else { Ok(size) })
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (1e-3..=1e9).contains(rate));
    rate.ok_or_else(|| "expected messages a second, like 1000 or 0.5".to_owned())
}

/// Whether there are descriptors for so many connections, on so many loops.
pub fn room_for(connections: usize, loops: usize) -> io::Result<()> {
    let limit = raise_descriptor_limit()?;
    if connections as u64 + BESIDES.0 * loops as u64 + BESIDES.1 > limit {
        let what = format!("{connections} connections at once, but the limit is {limit} descriptors (ulimit -n)");
        return Err(io::Error::new(io::ErrorKind::QuotaExceeded, what));
    }
    Ok(())
}

impl Common {
    /// Whether it is a short run, which needs no lines while it goes on.
    pub fn is_short(&self) -> bool {
        self.messages.is_none() && self.duration() <= Duration::from_secs(2)
    }

    fn duration(&self) -> Duration {
        self.duration.unwrap_or(Duration::from_secs(5))
    }

    pub fn plan(&self, options: Options, timeout: Duration) -> io::Result<Plan> {
        let address = address::of_client(&self.address, ("127.0.0.1", 65432));
        let mut plan = Plan::new(address);
        plan.options = options;
        (plan.connections, plan.in_flight, plan.rate) = (self.connections, self.in_flight, self.rate);
        plan.timeout = self.timeout.unwrap_or(timeout);
        if self.threads > self.connections {
            refuse("--threads: each needs a connection of its own, see --connections");
        }
        plan.threads = self.threads;
        (plan.goal, plan.warm_up, plan.most) = match self.messages {
            Some(number) => (Goal::Messages(number), Duration::ZERO, LONG),
            None => (Goal::For(self.duration()), Duration::from_millis(200), self.duration().saturating_add(LATE)),
        };
        if let Some(time) = self.warm_up {
            plan.warm_up = time;
        }
        plan.most = self.max_seconds.unwrap_or(plan.most.saturating_add(plan.warm_up));
        plan.interval = match (self.interval, &plan.goal) {
            (Some(interval), _) => interval,
            // For a curve a few points are not enough.
            (None, Goal::For(time)) if self.csv || self.plot.is_some() => (*time / 20).min(Duration::from_secs(1)),
            (None, _) => Duration::from_secs(1),
        };
        room_for(self.connections, self.threads)?;
        plan.address = Address::resolved(&plan.address)?;
        Ok(plan)
    }
}
