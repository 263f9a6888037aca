//! The tables of peers: each scenario with every peer that is there.

use std::io;
use std::net::SocketAddr;

use selkey::load::Echo;
use selkey::load::pair::{Clients, Figures, NOISE, Pairing, Scenario, Side, Verdict, measure};
use selkey::socket::raise_descriptor_limit;

use crate::peers::{APP, ECHO, Peer};
use crate::searches::Searches;
use crate::support::{Mode, Progress, filter, range, ratio, table};

/// How much more CPU time than bare epoll selkey's echo may take.
const BOUNDS: [(&str, f64); 7] = [
    ("one", 1.05),
    ("four", 1.05),
    ("fifty", 1.03),
    ("thousand", 1.03),
    ("large", 1.03),
    ("pipelined", 1.03),
    ("connect", 1.03),
];

const LEGEND: &str = "\
CPU: time of the server for a message, as a ratio to the first peer's, whose spread is the floor: the quartiles against itself, over servers started
anew. selkey / peer: under 1 selkey takes less CPU time than the peer; less, more: the quartiles lie below or above the floor's.
messages/s, p50 and p99 are selkey's as a ratio to the peer's, too.
";

/// Whether a word picks scenarios.
pub fn is_scenario(filter: &str) -> bool {
    Scenario::ALL.iter().any(|scenario| scenario.name.contains(filter))
}

/// Every peer's echo.
pub fn echo(pairing: &Pairing) -> String {
    let picked = |scenario: &Scenario| filter().is_none_or(|word| word == "echo" || scenario.name.contains(&word));
    let scenarios = Scenario::ALL.into_iter().filter(picked).filter(fits);
    let clients = |scenario: &Scenario, address| scenario.clients(address, Echo::new(scenario.size));
    peers("Echo, all deadlines of selkey's armed", ECHO, scenarios, pairing, clients)
}

/// Every peer's application server.
pub fn app(pairing: &Pairing) -> String {
    let scenarios = ["one", "fifty", "pipelined"].map(|name| Scenario::named(name).unwrap());
    let asking = Searches::new(true).unwrap();
    let scenarios = scenarios.map(|scenario| Scenario { size: asking.size(), ..scenario }).into_iter();
    peers("Application protocol, a search on a kept connection", APP, scenarios, pairing, |scenario, address| {
        scenario.clients(address, asking.clone())
    })
}

/// The clients of all servers are in this process.
fn fits(scenario: &Scenario) -> bool {
    let room = raise_descriptor_limit().unwrap().saturating_sub(100) as usize / (ECHO.len() + 1);
    if scenario.connections > room {
        eprintln!("left out for want of descriptors: {scenario}");
    }
    scenario.connections <= room
}

fn peers(
    title: &str,
    peers: &[Peer],
    scenarios: impl Iterator<Item = Scenario>,
    pairing: &Pairing,
    clients: impl Fn(&Scenario, SocketAddr) -> io::Result<Clients>,
) -> String {
    let progress = Progress::new();
    let head = ["CPU", "spread", "selkey / peer", "spread", "", "messages/s", "p50", "p99"];
    let mut rows = vec![[title].iter().chain(&head).map(|word| (*word).to_owned()).collect::<Vec<_>>()];
    let (there, absent): (Vec<_>, Vec<_>) =
        peers.iter().map(|peer| (peer, peer.command())).partition(|(_, command)| command.is_some());
    if Mode::from_args() == Mode::Test {
        absent.iter().for_each(|(peer, _)| println!("skipped: {}, which is not installed", peer.name));
    }
    let selkey = there.iter().position(|(peer, _)| peer.name == "selkey").unwrap();
    for scenario in scenarios {
        let clients = |address| clients(&scenario, address);
        let sides = there.iter().map(|(peer, command)| Side {
            command: command.clone().unwrap(),
            lots: (pairing.lots * peer.lots).div_ceil(10),
            clients: &clients,
        });
        let sides: Vec<_> = sides.collect();
        let tell = &mut |done, all| {
            progress.show(&format!("{scenario}: {done} of {all}"));
            Ok(())
        };
        let paired = measure(pairing, &sides, tell).unwrap_or_else(|error| panic!("{scenario}: {error}"));
        let floor = paired.floor(Figures::cpu);
        rows.push(vec![scenario.to_string()]);
        for (at, (peer, _)) in there.iter().enumerate() {
            let cpu = paired.ratio(at, 0, Figures::cpu).unwrap();
            let spread = if at == 0 { floor } else { cpu };
            let mut row = vec![format!("  {}", peer.name), fine(cpu.median), range(&spread)];
            if at != selkey {
                let mine = paired.ratio(selkey, at, Figures::cpu).unwrap();
                let median = |figure: fn(&Figures) -> f64| ratio(paired.ratio(selkey, at, figure).unwrap().median);
                let verdict = match mine.verdict(floor) {
                    Verdict::Inconclusive => "inconclusive",
                    Verdict::Less => "less",
                    Verdict::Same => "the same",
                    Verdict::More => "more",
                };
                let others = [median(Figures::rate), median(Figures::p50), median(Figures::p99)];
                row.extend([fine(mine.median), range(&mine), verdict.to_owned()].into_iter().chain(others));
            } else if let Some((_, bound)) = BOUNDS.iter().find(|(name, _)| *name == scenario.name && at > 0) {
                let verdict = match floor.verdict(floor) {
                    Verdict::Inconclusive => "inconclusive",
                    _ if cpu.median <= *bound => "kept",
                    _ => "missed",
                };
                row.extend([String::new(), String::new(), format!("bound {bound:.2} {verdict}")]);
            }
            rows.push(row);
        }
        rows.extend(absent.iter().map(|(peer, _)| vec![format!("  {}", peer.name), "n/a".to_owned()]));
    }
    drop(progress);
    let (low, high) = (1.0 - NOISE, 1.0 + NOISE);
    table(&rows) + LEGEND + &format!("inconclusive: the floor leaves {low:.2}–{high:.2}, so this run says nothing.\n")
}

/// The bounds are hundredths, so what is held against them has a digit more.
fn fine(value: f64) -> String {
    if value < 2.0 { format!("{value:.3}") } else { ratio(value) }
}
