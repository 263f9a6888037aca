//! Servers side by side: the same echo by every peer, the application protocol by three, and our load generator beside one with libc alone.
//!
//! `cargo bench --bench echo` prints ratios (noisy, so paired, with the noise floor) and below them what can be counted exactly where strace and valgrind are
//! installed: system calls and user-space instructions; then criterion runs. Behind `--`, a first word that is no flag picks the tables and
//! scenarios that have it in their name, and `--table` leaves the counting and criterion out.

#[path = "echo/cells.rs"]
mod cells;
#[path = "echo/counts.rs"]
mod counts;
#[path = "echo/generator.rs"]
mod generator;
#[path = "echo/options.rs"]
mod options;
mod peers;
#[path = "../src/cli/bench/app.rs"]
mod searches;
mod support;
#[path = "echo/throughput.rs"]
mod throughput;

use std::env;

use peers::{APP, ECHO, Peer};
use selkey::load::pair::Pairing;
use support::{Mode, filter};

/// Measures, and answers a table.
type Section = fn(&Pairing) -> String;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "serve", name, port] => return Peer::serve(ECHO, name, port),
        [_, "serve-app", name, port] => return Peer::serve(APP, name, port),
        _ => {}
    }
    let mode = Mode::from_args();
    let sections: [(&str, Section); 4] = [
        ("echo", cells::echo),
        ("app", cells::app),
        ("generator", generator::measured),
        ("options", options::measured),
    ];
    for (name, section) in sections {
        // The name of a scenario picks the echo.
        if filter().is_none_or(|filter| filter == name || (name == "echo" && cells::is_scenario(&filter))) {
            let text = section(&pairing(mode, if name == "echo" { 10 } else { 5 }));
            if mode != Mode::Test {
                println!("{text}");
            }
        }
    }
    if mode == Mode::Full {
        println!("{}", counts::counted());
        throughput::run();
    }
}

/// Slices of each server; where nothing is measured everything is done once.
fn pairing(mode: Mode, lots: usize) -> Pairing {
    let mut pairing = Pairing::default();
    (pairing.lots, pairing.rounds) = (lots, 10);
    if mode == Mode::Test {
        (pairing.lots, pairing.rounds) = (1, 1);
        pairing.slice /= 40;
    }
    pairing
}
