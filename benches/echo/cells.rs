//! The rows of the tables: what is done, and how much more than bare epoll it may cost.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use selkey::socket::raise_descriptor_limit;

use crate::clients::Load;
use crate::peers::PEERS;
use crate::server::Server;
use crate::support::{self, Progress, Spread, ratio, table};

pub struct Cell {
    name: &'static str,
    load: Load,
    /// Above this ratio a server costs too much.
    bound: f64,
}

const fn exchange(name: &'static str, connections: usize, size: usize, in_flight: usize, bound: f64) -> Cell {
    Cell { name, load: Load::Exchange { connections, size, in_flight }, bound }
}

const CELLS: [Cell; 7] = [
    exchange("1 connection", 1, 64, 1, 1.05),
    exchange("4 connections", 4, 64, 1, 1.05),
    exchange("50 connections", 50, 64, 1, 1.03),
    exchange("1000 connections", 1_000, 64, 1, 1.03),
    exchange("50 connections, 16 KiB", 50, 16 << 10, 1, 1.03),
    exchange("50 connections, 16 in flight", 50, 64, 16, 1.03),
    Cell { name: "connect, echo, close", load: Load::Connect { size: 64 }, bound: 1.03 },
];

/// What is counted.
const COUNTED: [&Cell; 2] = [&CELLS[0], &CELLS[6]];

/// Servers are started anew for each lot: where a process lies in memory is worth some per cent, and no variant shall keep the better place.
const LOTS: usize = 9;
/// Slices of each server in a lot, and how long one is.
const ROUNDS: usize = 12;
const SLICE: Duration = Duration::from_millis(40);

/// Where the reference against itself leaves 1 ± this, nothing can be said.
const NOISE: f64 = 0.03;

/// Every cell whose name has the filter in it.
pub fn chosen() -> Vec<&'static Cell> {
    // The reference counts twice, and a server wants more than its connections.
    let connections = raise_descriptor_limit().unwrap().saturating_sub(100) as usize / (PEERS.len() + 1);
    let filter = support::filter().unwrap_or_default();
    let fits = |cell: &&Cell| match cell.load {
        Load::Exchange { connections: wanted, .. } if wanted > connections => {
            eprintln!("left out for want of descriptors: {}", cell.name);
            false
        }
        _ => true,
    };
    CELLS.iter().filter(|cell| cell.name.contains(&filter)).filter(fits).collect()
}

/// Every cell with every server once; nothing is measured.
pub fn run_once(cells: &[&Cell]) {
    for cell in cells {
        for (name, _) in PEERS {
            let server = Server::start(name, &[]);
            assert!(cell.load.start(server.port)() > 0);
        }
    }
}

/// The table of ratios: messages of 64 bytes, one in flight on each connection, unless the row says otherwise.
pub fn cpu_ratios(cells: &[&Cell]) -> String {
    let progress = Progress::new();
    let mut rows = vec![vec!["64-byte messages".to_owned(), "floor".to_owned()]];
    for (name, _) in &PEERS[1..] {
        rows[0].extend([name, "spread", "bound", ""].map(str::to_owned));
    }
    // The reference twice: how far it is from itself is the noise.
    let names: Vec<&str> = PEERS[..1].iter().chain(PEERS).map(|(name, _)| *name).collect();
    for cell in cells {
        progress.show(cell.name);
        let mut lots = vec![Vec::new(); names.len()];
        for lot in 0..LOTS {
            measure_lot(cell, &names, lot, &mut lots);
        }
        let spreads: Vec<Spread> = lots.into_iter().map(Spread::of).collect();
        let floor = spreads[1];
        let mut row = vec![cell.name.to_owned(), range(floor)];
        for spread in &spreads[2..] {
            let verdict = cell.verdict(floor, spread).to_owned();
            row.extend([fine(spread.median), range(*spread), ratio(cell.bound), verdict]);
        }
        rows.push(row);
    }
    drop(progress);
    let (low, high) = (1.0 - NOISE, 1.0 + NOISE);
    table(&rows)
        + "floor: the quartiles of bare against itself, over servers started anew.\n"
        + &format!("inconclusive: the floor leaves {low:.2}–{high:.2}, so this run says nothing about the bound.\n")
}

/// The bounds are hundredths, so what is held against them has a digit more.
fn fine(value: f64) -> String {
    format!("{value:.3}")
}

fn range(spread: Spread) -> String {
    format!("{}–{}", fine(spread.low), fine(spread.high))
}

impl Cell {
    fn verdict(&self, floor: Spread, spread: &Spread) -> &'static str {
        if floor.low < 1.0 - NOISE || floor.high > 1.0 + NOISE {
            "inconclusive"
        } else if spread.median <= self.bound {
            "kept"
        } else {
            "missed"
        }
    }
}

/// Servers started anew, in another order each time; their slices alternate. A lot's ratio is the median of its rounds.
fn measure_lot(cell: &Cell, names: &[&str], lot: usize, ratios: &mut [Vec<f64>]) {
    let many = names.len();
    let mut slices: Vec<_> = (0..many).map(|at| slice(cell, names[(at + lot) % many])).collect();
    slices.rotate_right(lot % many);
    for (ratios, spread) in ratios.iter_mut().zip(support::paired(ROUNDS, &mut slices)) {
        ratios.push(spread.median);
    }
}

/// A server with its clients; each call answers the nanoseconds of its CPU time that one message or connection took.
fn slice(cell: &Cell, name: &str) -> Box<dyn FnMut() -> f64> {
    let server = Server::start(name, &[]);
    let mut once = cell.load.start(server.port);
    let mut run = move || {
        let (before, start, mut done) = (server.cpu_time(), Instant::now(), 0);
        while start.elapsed() < SLICE {
            done += once();
        }
        (server.cpu_time() - before).as_nanos() as f64 / done as f64
    };
    // Unmeasured: what is done at the first message only.
    run();
    Box::new(run)
}

/// The table of what is the same in every run.
pub fn exact_counts() -> String {
    let mut rows = vec![["", "", "system calls", "instructions", "ratio"].map(str::to_owned).to_vec()];
    for cell in COUNTED {
        let mut first = None;
        for (name, _) in PEERS {
            let calls = count(cell, name, &["strace", "-c", "-o", "OUT"], |text| {
                let total = text.lines().find(|line| line.trim_end().ends_with("total"))?;
                total.split_whitespace().nth(3)?.parse().ok()
            });
            let instructions =
                count(cell, name, &["valgrind", "--tool=callgrind", "--callgrind-out-file=OUT"], |text| {
                    text.lines().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
                });
            let show = |count: Option<f64>| count.map_or("n/a".into(), |count| format!("{count:.1}"));
            let reference = *first.get_or_insert(instructions);
            let against = reference.zip(instructions).map(|(bare, this)| this / bare);
            let against = against.map_or("n/a".into(), ratio);
            rows.push(vec![cell.name.to_owned(), name.to_string(), show(calls), show(instructions), against]);
        }
    }
    table(&rows)
}

/// Runs a server under a tool that counts, twice, and answers how much more it counted for how many more.
fn count(cell: &Cell, name: &str, tool: &[&str], read: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    let out = env::temp_dir().join(format!("selkey-count-{}", process::id()));
    let tool: Vec<String> = tool.iter().map(|word| word.replace("OUT", out.to_str().unwrap())).collect();
    Command::new(&tool[0]).arg("--version").stdout(Stdio::null()).status().ok()?;
    let counted = |times: usize| {
        let mut server = Server::start(name, &tool);
        let mut once = cell.load.start(server.port);
        let done: usize = (0..times).map(|_| once()).sum();
        server.end();
        let text = fs::read_to_string(&out).ok()?;
        fs::remove_file(&out).ok()?;
        Some((done as f64, read(&text)?))
    };
    let ((few, less), (many, more)) = (counted(500)?, counted(2_500)?);
    Some((more - less) / (many - few))
}
