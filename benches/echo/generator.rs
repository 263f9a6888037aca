//! Whether our load generator keeps up with one that does nothing but the system calls.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use selkey::load::Echo;
use selkey::load::pair::{Clients, Figures, Pairing, Scenario, Side, Slice, Verdict, measure};

use crate::peers::ECHO;
use crate::peers::generator::Generator;
use crate::support::{Progress, range, ratio, table};

/// Of the bare one's rate.
const WANTED: f64 = 0.90;

/// The rate at which the same bare server is asked.
pub fn measured(pairing: &Pairing) -> String {
    let progress = Progress::new();
    let mut rows =
        vec![["The generator's rate / bare libc's", "floor", "ratio", "spread", ""].map(str::to_owned).to_vec()];
    for scenario in ["one", "fifty", "pipelined"].map(|name| Scenario::named(name).unwrap()) {
        progress.show(&format!("generator, {scenario}"));
        let ours = |address| scenario.clients(address, Echo::new(scenario.size));
        let bare = |address| Ok(bare(&scenario, address));
        let side = |clients| Side { command: ECHO[0].command().unwrap(), lots: usize::MAX, clients };
        let paired =
            measure(pairing, &[side(&bare as &dyn Fn(SocketAddr) -> io::Result<Clients>), side(&ours)], &mut |_, _| {
                Ok(())
            });
        let paired = paired.unwrap();
        let (rate, floor) = (paired.ratio(1, 0, Figures::rate).unwrap(), paired.floor(Figures::rate));
        let verdict = match floor.verdict(floor) {
            Verdict::Inconclusive if rate.low < WANTED => "inconclusive",
            _ if rate.median >= WANTED => "kept",
            _ => "missed",
        };
        let verdict = format!("{WANTED:.2} or more {verdict}");
        rows.push(vec![scenario.to_string(), range(&floor), ratio(rate.median), range(&rate), verdict]);
    }
    drop(progress);
    table(&rows) + "Both verify every byte; the bare one keeps no times.\n"
}

fn bare(scenario: &Scenario, address: SocketAddr) -> Clients {
    let mut generator = Generator::open(address.port(), scenario.connections, scenario.size, scenario.in_flight);
    Box::new(move |time| {
        let start = Instant::now();
        let messages = generator.slice(time);
        Ok(Slice { messages, elapsed: start.elapsed(), p50: Duration::ZERO, p99: Duration::ZERO })
    })
}
