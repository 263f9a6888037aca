//! How the cells of a sweep look: aligned columns, data, lines in a picture.

use std::io;

use selkey::lab::{Axis, Cell, Figure, Round, Series, Shape, Side, Sweep, Verdict};
use serde_json::{Map, Value, json};

use super::super::data;
use super::super::words::digits;
use crate::cli::output::{columns, csv_text};

/// What is measured: its name in data, its heading in the table, the unit of that, and where it is in a round.
type Measured = (&'static str, &'static str, f64, fn(&Round) -> f64);

const MEASURES: [Measured; 4] = [
    ("bytes_per_second", "MB/s", 1e6, |round| round.bytes_per_second),
    ("messages_per_second", "messages/s", 1.0, |round| round.messages_per_second),
    ("p50", "p50 µs", 1e-6, |round| round.p50.as_secs_f64()),
    ("p99", "p99 µs", 1e-6, |round| round.p99.as_secs_f64()),
];

pub fn text(sweep: &Sweep, cells: &[Cell]) -> String {
    let settings = sweep.settings.iter().flat_map(|(option, _)| [option.name, "granted"]);
    let measures = MEASURES.iter().flat_map(|(_, heading, ..)| [Some(*heading), has_quartiles(heading)]).flatten();
    let header: Vec<String> = settings.chain(["size"]).chain(measures).map(str::to_owned).collect();
    let right = vec![true; header.len()];
    let lines: Vec<Vec<String>> = [header].into_iter().chain(cells.iter().map(line)).collect();
    let mut text = columns(&lines, &right);
    let reasons = cells.iter().filter(|cell| cell.verdict != Verdict::Pass);
    reasons.for_each(|cell| text += &format!("{} {}: {}\n", cell.verdict, cell.combination, cell.why));
    if let Some((measured, of)) = unfinished(sweep, cells) {
        text += &format!("Ended early: {measured} of {of} slices measured\n");
    }
    text
}

/// Those of messages would only say again what those of bytes say.
fn has_quartiles(heading: &str) -> Option<&'static str> {
    (heading != "messages/s").then_some("quartiles")
}

fn line(cell: &Cell) -> Vec<String> {
    let settings = cell.combination.settings.iter();
    let settings = settings.flat_map(|(option, asked)| [asked.to_string(), granted(cell, option.name)]);
    let mut line: Vec<String> = settings.chain([cell.combination.size.to_string()]).collect();
    for (_, heading, unit, measure) in MEASURES {
        let Some(quartiles) = cell.quartiles(measure) else {
            line.push(if cell.verdict == Verdict::Pass { "-".to_owned() } else { cell.verdict.to_string() });
            break;
        };
        let [low, median, high] = quartiles.map(|number| digits(number / unit));
        line.push(median);
        line.extend(has_quartiles(heading).map(|_| format!("{low} – {high}")));
    }
    line
}

/// On the client, and on the server where that is something else.
fn granted(cell: &Cell, option: &str) -> String {
    let mut values: Vec<String> = cell
        .settings
        .iter()
        .filter(|(_, setting)| setting.option.name == option)
        .map(|(_, setting)| setting.granted.to_string())
        .collect();
    values.dedup();
    if values.is_empty() { "-".to_owned() } else { values.join(" / ") }
}

/// How many slices were measured, and how many there would be, where those are not the same.
fn unfinished(sweep: &Sweep, cells: &[Cell]) -> Option<(usize, usize)> {
    let possible = cells.iter().filter(|cell| cell.verdict == Verdict::Pass);
    let of = possible.clone().count() * sweep.rounds as usize;
    let measured = possible.map(|cell| cell.rounds.len()).sum();
    (measured < of).then_some((measured, of))
}

/// On one line.
pub fn json(sweep: &Sweep, cells: &[Cell]) -> String {
    let on = match sweep.on {
        Side::Client => "client",
        Side::Server => "server",
        Side::Both => "both",
    };
    let whole = json!({
        "environment": data::environment(),
        "on": on,
        "connections": sweep.connections,
        "in_flight": sweep.in_flight,
        "seconds": sweep.time.as_secs_f64(),
        "rounds": sweep.rounds,
        "complete": unfinished(sweep, cells).is_none(),
        "combinations": cells.iter().map(object).collect::<Vec<_>>(),
    });
    whole.to_string()
}

fn object(cell: &Cell) -> Value {
    let settings =
        cell.combination.settings.iter().map(|(option, value)| (option.name.to_owned(), json!(value.to_string())));
    let mut object = json!({
        "settings": settings.collect::<Map<_, _>>(),
        "size": cell.combination.size,
        "verdict": cell.verdict.to_string(),
        "why": cell.why,
        "rounds": cell.rounds.len(),
        "granted": cell.settings.iter().map(|(whose, setting)| data::setting(whose, setting)).collect::<Vec<_>>(),
    });
    for (name, _, _, measure) in MEASURES {
        object[name] = json!(cell.quartiles(measure));
    }
    object
}

/// A line for each combination.
pub fn csv(sweep: &Sweep, cells: &[Cell]) -> io::Result<String> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = Vec::new();
    for (option, _) in &sweep.settings {
        header.extend([option.name.to_owned(), format!("{} granted", option.name)]);
    }
    header.extend(["size", "verdict", "why", "rounds"].map(str::to_owned));
    for (name, ..) in MEASURES {
        header.extend([format!("{name} lower quartile"), name.to_owned(), format!("{name} upper quartile")]);
    }
    lines.write_record(&header)?;
    for cell in cells {
        let mut line = Vec::new();
        for (option, asked) in &cell.combination.settings {
            line.extend([asked.to_string(), granted(cell, option.name)]);
        }
        line.extend([
            cell.combination.size.to_string(),
            cell.verdict.to_string(),
            cell.why.clone(),
            cell.rounds.len().to_string(),
        ]);
        for (.., measure) in MEASURES {
            line.extend(
                cell.quartiles(measure)
                    .map_or_else(Default::default, |numbers| numbers.map(|number| number.to_string())),
            );
        }
        lines.write_record(&line)?;
    }
    csv_text(lines)
}

/// Throughput and latency over the size; a line for each combination of options.
pub fn figures(sweep: &Sweep, cells: &[Cell]) -> Vec<Figure> {
    let [(.., throughput), _, (.., p50), (.., p99)] = MEASURES;
    let figures = [
        ("Throughput", "throughput (MB/s)", 1e6, throughput),
        ("Latency: the median", "p50 (µs)", 1e-6, p50),
        ("Latency: 99 of 100 are not longer", "p99 (µs)", 1e-6, p99),
    ];
    let line = |cells: &[Cell], unit: f64, measure| Series {
        name: options(&cells[0]),
        points: cells
            .iter()
            .filter_map(|cell| Some((cell.combination.size as f64, cell.quartiles(measure)?[1] / unit)))
            .collect(),
    };
    figures
        .map(|(title, y, unit, measure)| Figure {
            title: title.to_owned(),
            x: Axis::logarithmic("size of a message (B)"),
            y: Axis::logarithmic(y),
            shape: Shape::Lines,
            // The size changes fastest.
            series: cells.chunks(sweep.sizes.len()).map(|cells| line(cells, unit, measure)).collect(),
        })
        .into()
}

fn options(cell: &Cell) -> String {
    let settings = cell.combination.settings.iter().map(|(option, value)| format!("{}={value}", option.name));
    let settings: Vec<String> = settings.collect();
    if settings.is_empty() { "as the system has it".to_owned() } else { settings.join(" ") }
}
