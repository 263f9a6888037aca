//! What the server program's options are worth: spinning before a sleep, and a second thread.

use selkey::load::Echo;
use selkey::load::pair::{Figures, Pairing, Scenario, Side, Spread, measure, processors};

use crate::peers::ECHO;
use crate::support::{Mode, range, ratio, table};

/// The rows, each with the reference against itself.
pub fn measured(pairing: &Pairing) -> String {
    let all = processors().unwrap_or_default();
    let mut rows = vec![["The server program's options", "floor", "ratio", "spread", ""].map(str::to_owned).to_vec()];
    if all.len() > 1 || Mode::from_args() == Mode::Test {
        let scenario = Scenario::named("one").unwrap();
        let busy = program(&["--busy-poll", "50"]);
        let [floor, slower] = pair(pairing, &scenario, [ECHO[0].command().unwrap(), busy], Figures::p50);
        // How much sooner, so the other way round.
        let sooner =
            |spread: Spread| Spread { low: 1.0 / spread.high, median: 1.0 / spread.median, high: 1.0 / spread.low };
        let name = "median answer sooner than bare epoll's, --busy-poll 50";
        rows.push(row(name, [floor, slower].map(sooner), "1.30 or more"));
    } else {
        eprintln!("left out for want of processors: --busy-poll");
    }
    let scenario = Scenario { connections: 200, ..Scenario::named("fifty").unwrap() };
    let mut anywhere = pairing.clone();
    anywhere.server_processors = all;
    let threads = ["1", "2"].map(|number| program(&["--threads", number]));
    let ratios = pair(&anywhere, &scenario, threads, Figures::cpu);
    rows.push(row("CPU time of --threads 2 against 1, 200 connections", ratios, "1.10 or less"));
    table(&rows)
}

fn program(options: &[&str]) -> Vec<String> {
    let words = [env!("CARGO_BIN_EXE_selkey"), "multiconn-server", "127.0.0.1", "{port}", "--quiet"];
    words.iter().chain(options).map(|word| (*word).to_owned()).collect()
}

/// The floor, and the second against the first.
fn pair(
    pairing: &Pairing,
    scenario: &Scenario,
    commands: [Vec<String>; 2],
    figure: fn(&Figures) -> f64,
) -> [Spread; 2] {
    let clients = |address| scenario.clients(address, Echo::new(scenario.size));
    let sides = commands.map(|command| Side { command, lots: usize::MAX, clients: &clients });
    let paired = measure(pairing, &sides, &mut |_, _| Ok(())).unwrap();
    [paired.floor(figure), paired.ratio(1, 0, figure).unwrap()]
}

fn row(name: &str, [floor, spread]: [Spread; 2], wanted: &str) -> Vec<String> {
    vec![name.to_owned(), range(&floor), ratio(spread.median), range(&spread), wanted.to_owned()]
}
