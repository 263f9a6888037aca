//! How two servers compare: a table for people, one line of JSON for programs.

use std::time::Duration;

use selkey::load::pair::{Figures, NOISE, Paired, Pairing, Scenario, Spread, Verdict};
use serde_json::{Value, json};

use super::{Compare, Protocol};
use crate::cli::output::columns;

/// The first side, and the second.
const A: usize = 0;
const B: usize = 1;

/// What a figure is called, for people and in JSON; the figure; what makes a number of it that is shown, and the unit that its name in JSON says.
type Row = (&'static str, &'static str, fn(&Figures) -> f64, fn(f64) -> String, f64);

const MICROS: f64 = 1e-3;

const ROWS: [Row; 4] = [
    ("CPU time of the server per message", "cpu_us", Figures::cpu, time, MICROS),
    ("messages a second", "messages_per_s", Figures::rate, count, 1.0),
    ("median answer", "p50_us", Figures::p50, time, MICROS),
    ("99 of 100 answers within", "p99_us", Figures::p99, time, MICROS),
];

const HEAD: [&str; 6] = ["", "a", "b", "b / a", "quartiles", "a / a"];
const RIGHT: [bool; 6] = [false, true, true, true, true, true];

fn time(nanos: f64) -> String {
    format!("{:.1?}", Duration::from_nanos(nanos as u64))
}

fn count(rate: f64) -> String {
    format!("{rate:.0}")
}

fn range(spread: Spread) -> String {
    format!("{:.2}–{:.2}", spread.low, spread.high)
}

pub fn text(asked: &Compare, pairing: &Pairing, measured: &[(Scenario, Paired)]) -> String {
    let Pairing { lots, rounds, slice, .. } = pairing;
    let mut text = format!("a: {}\nb: {}\n{lots} lots, {rounds} slices of {slice:?} in each\n", asked.a, asked.b);
    for (scenario, paired) in measured {
        let mut lines = vec![HEAD.map(str::to_owned).to_vec()];
        for (name, _, figure, shown, _) in ROWS {
            let side = |at| paired.figure(at, figure).map_or("-".to_owned(), |spread| shown(spread.median));
            let Some(ratio) = paired.ratio(B, A, figure) else { continue };
            let (ratio, spread, floor) = (format!("{:.3}", ratio.median), range(ratio), range(paired.floor(figure)));
            lines.push(vec![name.to_owned(), side(A), side(B), ratio, spread, floor]);
        }
        text += &format!("\n{scenario}\n{}{}\n", columns(&lines, &RIGHT), said(paired));
    }
    text
}

/// What the CPU time says.
fn said(paired: &Paired) -> String {
    let (low, high) = (1.0 - NOISE, 1.0 + NOISE);
    match verdict(paired) {
        Verdict::Inconclusive => format!("inconclusive: a against itself leaves {low:.2}–{high:.2}"),
        Verdict::Less => "b takes less CPU time for a message than a".to_owned(),
        Verdict::Same => "no difference in CPU time that noise would not make".to_owned(),
        Verdict::More => "b takes more CPU time for a message than a".to_owned(),
    }
}

fn verdict(paired: &Paired) -> Verdict {
    paired.ratio(B, A, Figures::cpu).map_or(Verdict::Inconclusive, |ratio| ratio.verdict(paired.floor(Figures::cpu)))
}

pub fn json(asked: &Compare, pairing: &Pairing, measured: &[(Scenario, Paired)]) -> Value {
    let scenarios: Vec<Value> = measured.iter().map(|(scenario, paired)| object(scenario, paired)).collect();
    json!({
        "a": asked.a,
        "b": asked.b,
        "protocol": if asked.protocol == Protocol::Echo { "echo" } else { "app" },
        "lots": pairing.lots,
        "rounds": pairing.rounds,
        "slice_s": pairing.slice.as_secs_f64(),
        "server_cpus": pairing.server_processors,
        "client_cpus": pairing.client_processors,
        "scenarios": scenarios,
    })
}

fn object(scenario: &Scenario, paired: &Paired) -> Value {
    let mut object = json!({
        "scenario": Some(scenario.name).filter(|name| !name.is_empty()),
        "connections": scenario.connections,
        "in_flight": scenario.in_flight,
        "size": scenario.size,
        "messages_per_connection": scenario.per_connection,
        "verdict": match verdict(paired) {
            Verdict::Inconclusive => "inconclusive",
            Verdict::Less => "less",
            Verdict::Same => "same",
            Verdict::More => "more",
        },
    });
    for (_, name, figure, _, unit) in ROWS {
        let side = |at| paired.figure(at, figure).map(|figure| spread(figure, unit));
        object[name] = json!({
            "a": side(A),
            "b": side(B),
            "ratio": paired.ratio(B, A, figure).map(|ratio| spread(ratio, 1.0)),
            "floor": spread(paired.floor(figure), 1.0),
        });
    }
    object
}

fn spread(spread: Spread, unit: f64) -> Value {
    json!({ "low": spread.low * unit, "median": spread.median * unit, "high": spread.high * unit })
}
