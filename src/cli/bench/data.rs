//! A run for programs: JSON, CSV, figures.

use std::io;
use std::time::Duration;

use selkey::lab::{Axis, Figure, Series, Shape};
use selkey::load::{Goal, Plan, Report, Times};
use serde_json::{Map, Value, json};

use super::super::output::csv_text;
use super::show::{QUANTILES, Row, quantiles};

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}

fn table(latency: [Duration; 6]) -> Map<String, Value> {
    QUANTILES.iter().zip(latency).map(|((_, name), time)| ((*name).to_owned(), micros(time).into())).collect()
}

fn times(times: &Times) -> Value {
    let mut table = table(quantiles(times));
    table.insert("mean".to_owned(), micros(times.mean()).into());
    table.into()
}

/// All of it as one object; times by their unit, which is in their names.
pub fn json(what: &str, plan: &Plan, report: &Report, rows: &[Row]) -> Value {
    let tally = &report.tally;
    let (duration, messages) = match plan.goal {
        Goal::For(time) => (Some(time.as_secs_f64()), None),
        Goal::Messages(number) => (None, Some(number)),
    };
    let interval = |row: &Row| {
        json!({
            "from_s": row.from.as_secs_f64(), "to_s": row.to().as_secs_f64(), "messages": row.messages, "messages_per_s": row.rate,
            "latency_us": row.latency.map(table), "errors": row.errors,
        })
    };
    let tcp = report.tcp.as_ref().map(|tcp| {
        json!({
            "connections": tcp.rtt.len(), "retransmits": tcp.retransmits,
            "rtt_us": {
                "min": tcp.rtt.first().copied().map(micros), "median": micros(tcp.median_rtt()), "max": tcp.rtt.last().copied().map(micros),
            },
        })
    });
    let error = |(failure, count, first): (&selkey::load::Failure, u64, &str)| json!({ "kind": failure.to_string(), "count": count, "first": first });
    json!({
        "what": what,
        "address": plan.address.to_string(),
        "loop": if plan.rate.is_some() { "open" } else { "closed" },
        "asked": {
            "connections": plan.connections, "in_flight": plan.in_flight, "threads": plan.threads, "per_connection": plan.per_connection,
            "rate": plan.rate, "duration_s": duration, "messages": messages, "warm_up_s": plan.warm_up.as_secs_f64(),
        },
        "messages": tally.messages,
        "unanswered": tally.unanswered,
        "unsent": tally.unsent,
        "connected": tally.connected,
        "bytes_sent": tally.sent,
        "bytes_received": tally.received,
        "elapsed_s": tally.elapsed.as_secs_f64(),
        "messages_per_s": tally.rate(),
        "latency_us": times(&tally.latency),
        "sent_late_us": plan.rate.map(|_| times(&tally.delay)),
        "tcp": tcp,
        "errors": tally.errors.iter().map(error).collect::<Vec<_>>(),
        "rate_reached": plan.rate.map(|_| report.missed_rate.is_none()),
        "stopped": report.stopped,
        "intervals": rows.iter().map(interval).collect::<Vec<_>>(),
    })
}

/// The intervals, one a line.
pub fn csv(rows: &[Row]) -> io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let latency = QUANTILES.map(|(_, name)| format!("{name}_us"));
    let head = ["from_s", "to_s", "messages", "messages_per_s"].into_iter().chain(latency.iter().map(String::as_str));
    writer.write_record(head.chain(["errors"]))?;
    for row in rows {
        let numbers = [row.from.as_secs_f64(), row.to().as_secs_f64()].map(|seconds| format!("{seconds:.3}"));
        let counts = [row.messages.to_string(), format!("{:.1}", row.rate)];
        let latency = row.latency.map_or_else(Default::default, |latency| latency.map(|time| micros(time).to_string()));
        let fields = numbers.into_iter().chain(counts).chain(latency).chain([row.errors.to_string()]);
        writer.write_record(fields)?;
    }
    csv_text(writer)
}

/// Latency by quantile, and how throughput and latency went.
pub fn figures(title: &str, report: &Report, rows: &[Row]) -> Vec<Figure> {
    let millis = |time: Duration| time.as_nanos().max(1) as f64 / 1e6;
    let over_time = |at: usize| {
        let answered = rows.iter().filter_map(|row| Some((row.to().as_secs_f64(), millis(row.latency?[at]))));
        answered.collect()
    };
    let by_quantile = quantiles(&report.tally.latency).into_iter().enumerate();
    let series = |name: &str, points| Series { name: name.to_owned(), points };
    let figure = |title: String, x, y, series| Figure { title, x, y, shape: Shape::Lines, series };
    let seconds = || Axis::linear("time (s)");
    let latency = || Axis::logarithmic("latency (ms)");
    vec![
        figure(
            title.to_owned(),
            Axis::names("part of the messages", QUANTILES.map(|(_, name)| name)),
            latency(),
            vec![series("latency", by_quantile.map(|(at, time)| (at as f64, millis(time))).collect())],
        ),
        figure(
            "Throughput".to_owned(),
            seconds(),
            Axis::linear("messages/s"),
            vec![series("answered", rows.iter().map(|row| (row.to().as_secs_f64(), row.rate)).collect())],
        ),
        figure(
            "Latency over time".to_owned(),
            seconds(),
            latency(),
            [0, 2, 5].map(|at| series(QUANTILES[at].1, over_time(at))).into(),
        ),
    ]
}
