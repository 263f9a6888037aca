//! `bench compare`: any two servers, paired.

mod report;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;
use selkey::load::pair::{Clients, PORT, Paired, Pairing, Scenario, Side, measure, processors};
use selkey::load::{Echo, Stop};

use super::app::Searches;
use super::options::{MOST_IN_FLIGHT, room_for, size};
use crate::cli::output::{say, styled};
use crate::cli::signals;
use crate::cli::usage::{refuse, seconds, within};

const AFTER_HELP: &str = "\
Both servers are started by this command and ended by it, without a shell; {port} stands for a free port of 127.0.0.1. Both are up at once and
measured in short slices that take turns, and so is a started twice: how far it is from itself is the noise, and where that leaves 0.97 to 1.03
the comparison is inconclusive. All are started anew for each lot, since the place of a process in memory is worth some per cent. CPU time is that
of the server with its threads, and of the processes that it has started when all clients are connected.

Scenarios: one, four, fifty, thousand (so many connections, a message of 64 bytes on its way on each), large (50 connections, 16 KiB),
pipelined (50 connections, 16 messages on their way on each), connect (a new connection for each message, one after the other).

--json prints one object on one line, with each figure of both, the ratio of b to a, and the floor, which is that of a to itself; all with their
quartiles. Exit status: 0 measured, 1 a server could not be started or answered wrong, 2 usage.

Example: selkey bench compare --a 'selkey multiconn-server 127.0.0.1 {port} --quiet' --b 'selkey multiconn-server 127.0.0.1 {port} --quiet --backend poll'";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Compare {
    /// The first server; {port} in the command is where it is to listen
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    a: String,
    /// The second server
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    b: String,
    /// What clients do, by name; several are measured one after the other [default: fifty]
    #[arg(long, value_name = "NAME", value_parser = names(), conflicts_with_all = ["connections", "in_flight", "size"])]
    scenario: Vec<String>,
    /// Instead of a scenario: connections at once [default: 1]
    #[arg(long, value_name = "N", value_parser = within(1usize, 100_000), allow_negative_numbers = true)]
    connections: Option<usize>,
    /// Instead of a scenario: messages on their way on each connection [default: 1]
    #[arg(long, value_name = "N", value_parser = within(1, MOST_IN_FLIGHT), allow_negative_numbers = true)]
    in_flight: Option<usize>,
    /// Instead of a scenario: bytes of a message, or with k or m behind [default: 64]
    #[arg(long, value_name = "B", value_parser = size)]
    size: Option<usize>,
    /// What both speak; a search of the application protocol has a size of its own
    #[arg(long, value_enum, default_value = "echo")]
    protocol: Protocol,
    /// How often both are started anew; the more, the quieter
    #[arg(long, value_name = "N", value_parser = within(1usize, 1000), default_value = "5", allow_negative_numbers = true)]
    lots: usize,
    /// Slices of each server in a lot, at least 5
    #[arg(long, value_name = "N", value_parser = within(5usize, 100_000), default_value = "8", allow_negative_numbers = true)]
    rounds: usize,
    /// How long a slice is, in seconds up to 10
    #[arg(long, value_name = "S", value_parser = short, default_value = "0.04", allow_negative_numbers = true)]
    slice: Duration,
    /// Processors for the servers, like 0 or 0,2 [default: the first that is free]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = within(0usize, 1023), allow_negative_numbers = true)]
    server_cpu: Vec<usize>,
    /// Processors for the clients [default: the first that is free then]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = within(0usize, 1023), allow_negative_numbers = true)]
    client_cpu: Vec<usize>,
    /// Give up when a server does not listen after so long
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "10", allow_negative_numbers = true)]
    start_timeout: Duration,
    /// For programs
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Protocol {
    Echo,
    App,
}

fn names() -> PossibleValuesParser {
    Scenario::ALL.map(|scenario| scenario.name).into()
}

fn short(text: &str) -> Result<Duration, String> {
    let slice = seconds(text).ok().filter(|time| (0.001..=10.0).contains(&time.as_secs_f64()));
    slice.ok_or_else(|| "expected seconds from 0.001 to 10".to_owned())
}

impl Compare {
    pub fn run(self) -> io::Result<()> {
        let commands = [words("--a", &self.a), words("--b", &self.b)];
        let pairing = self.pairing();
        let scenarios = self.scenarios()?;
        // a is there twice.
        let connections = scenarios.iter().map(|scenario| 3 * scenario.connections).max();
        room_for(connections.unwrap_or_default(), 3)?;
        let bar = progress();
        bar.set_length((scenarios.len() * pairing.lots * pairing.rounds) as u64);
        let stop = Stop::default();
        let asked = stop.clone();
        signals::on_first(self.json, move || asked.stop())?;
        let mut measured = Vec::new();
        for scenario in scenarios {
            let before = measured.len() * pairing.lots * pairing.rounds;
            let paired = self.measure(&commands, &pairing, &scenario, &mut |done| {
                bar.set_position((before + done) as u64);
                if stop.is_stopped() {
                    return Err(io::Error::new(ErrorKind::Interrupted, "interrupted before all was measured"));
                }
                Ok(())
            });
            measured.push((scenario, paired.inspect_err(|_| bar.finish_and_clear())?));
        }
        bar.finish_and_clear();
        if self.json {
            say(format_args!("{}", report::json(&self, &pairing, &measured)));
        } else {
            say(format_args!("{}", report::text(&self, &pairing, &measured).trim_end()));
        }
        Ok(())
    }

    fn measure(
        &self,
        commands: &[Vec<String>; 2],
        pairing: &Pairing,
        scenario: &Scenario,
        tell: &mut dyn FnMut(usize) -> io::Result<()>,
    ) -> io::Result<Paired> {
        let clients = |address: SocketAddr| -> io::Result<Clients> {
            match self.protocol {
                Protocol::Echo => scenario.clients(address, Echo::new(scenario.size)),
                Protocol::App => scenario.clients(address, Searches::new(true)?),
            }
        };
        let sides = commands.clone().map(|command| Side { command, lots: usize::MAX, clients: &clients });
        measure(pairing, &sides, &mut |done, _| tell(done))
    }

    fn pairing(&self) -> Pairing {
        let mut pairing = Pairing::default();
        (pairing.lots, pairing.rounds, pairing.slice) = (self.lots, self.rounds, self.slice);
        pairing.patience = self.start_timeout;
        (pairing.server_processors, pairing.client_processors) = (self.server_cpu.clone(), self.client_cpu.clone());
        // One that only nobody has is taken; where all are, it is left to the system.
        let mut free = processors().unwrap_or_default();
        free.retain(|cpu| !self.server_cpu.contains(cpu) && !self.client_cpu.contains(cpu));
        let mut free = free.into_iter();
        for list in [&mut pairing.server_processors, &mut pairing.client_processors] {
            if list.is_empty() {
                list.extend(free.next());
            }
        }
        pairing
    }

    fn scenarios(&self) -> io::Result<Vec<Scenario>> {
        let asked = [self.connections, self.in_flight, self.size];
        let mut scenarios: Vec<Scenario> = if asked.iter().any(Option::is_some) {
            let [connections, in_flight, size] =
                [(0, 1), (1, 1), (2, 64)].map(|(at, default)| asked[at].unwrap_or(default));
            vec![Scenario { name: "", connections, in_flight, size, per_connection: None }]
        } else if self.scenario.is_empty() {
            Scenario::named("fifty").into_iter().collect()
        } else {
            self.scenario.iter().filter_map(|name| Scenario::named(name)).collect()
        };
        if self.protocol == Protocol::App {
            if self.size.is_some() || self.scenario.iter().any(|name| name == "large") {
                refuse("a search of the application protocol has a size of its own");
            }
            let size = Searches::new(true)?.size();
            scenarios.iter_mut().for_each(|scenario| scenario.size = size);
        }
        Ok(scenarios)
    }
}

/// The command as words; what a shell does beyond quoting is not done.
fn words(option: &str, command: &str) -> Vec<String> {
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let words = words.unwrap_or_else(|| refuse(&format!("{option} '{}' is no command", command.escape_debug())));
    if !words.iter().skip(1).any(|word| word.contains(PORT)) {
        refuse(&format!("{option} '{}' does not say where {PORT} goes", command.escape_debug()));
    }
    words
}

/// On a terminal.
fn progress() -> ProgressBar {
    styled(ProgressBar::no_length(), "{wide_bar} {pos} of {len} rounds, {eta} left")
}
