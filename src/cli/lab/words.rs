//! What the runs of a claim come to, in words: the same for the terminal and for the page.

use std::collections::{BTreeMap, BTreeSet};
use std::{fmt, iter};

use selkey::lab::{ClaimReport, ExperimentReport, Findings, Unit, Verdict};
use selkey::socket::{State, TcpState};

/// The first run that ended as the whole did.
pub fn telling(report: &ClaimReport) -> &Findings {
    let verdict = report.verdict();
    report.findings.iter().find(|findings| findings.verdict == verdict).unwrap_or(&report.findings[0])
}

/// What was seen, and in how many of several runs.
pub fn found(report: &ClaimReport) -> String {
    let told = telling(report);
    let (alike, all) =
        (report.findings.iter().filter(|findings| findings.verdict == told.verdict).count(), report.findings.len());
    if alike == all {
        told.found.clone()
    } else {
        format!("{} ({} in {alike} of {all} runs)", told.found, told.verdict)
    }
}

/// What there is to tell of a claim besides what it says: names and values.
pub fn rows(report: &ClaimReport) -> Vec<(String, String)> {
    let told = telling(report);
    let mut rows = vec![("expected".to_owned(), report.claim.expected.to_owned()), ("found".to_owned(), found(report))];
    rows.extend(measures(report).into_iter().map(|(what, unit, values)| (what.to_owned(), spread(&values, unit))));
    rows.extend(told.settings.iter().map(|(whose, setting)| {
        let value = format!("asked {:<10} granted {}", setting.asked, setting.granted);
        (format!("{whose} {}", setting.option.name), value)
    }));
    rows.extend(states(told));
    rows
}

/// The numbers of the same name from all runs, smallest first.
fn measures(report: &ClaimReport) -> Vec<(&str, Unit, Vec<f64>)> {
    let mut all: Vec<(&str, Unit, Vec<f64>)> = Vec::new();
    for measure in report.findings.iter().flat_map(|findings| &findings.measures) {
        match all.iter_mut().find(|(what, unit, _)| (*what, *unit) == (&measure.what, measure.unit)) {
            Some((.., values)) => values.push(measure.value),
            None => all.push((&measure.what, measure.unit, vec![measure.value])),
        }
    }
    all.iter_mut().for_each(|(.., values)| values.sort_by(f64::total_cmp));
    all
}

/// The least, the median and the greatest of sorted values, or the only one.
fn spread(values: &[f64], unit: Unit) -> String {
    match values {
        [] => String::new(),
        [one] => amount(*one, unit),
        [least, .., most] => {
            let median = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
            let [least, median, most] = [*least, median, *most].map(|value| amount(value, unit));
            format!("{least} – {median} – {most} (least, median, most of {})", values.len())
        }
    }
}

/// What TCP_INFO told at each moment: where the connection stood, and what was not the same whenever it was told. A listener's queue is always of interest.
fn states(findings: &Findings) -> Vec<(String, String)> {
    let mut values: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, value) in findings.states.iter().flat_map(|(_, state)| state.entries()) {
        values.entry(name).or_default().insert(value);
    }
    let moment = |(when, state): &(String, State)| {
        let telling = |name: &str| state.state == TcpState::Listen || values[name].len() > 1;
        let told = state.entries().into_iter().filter(|(name, _)| telling(name));
        let words = iter::once(state.state.to_string()).chain(told.map(|(name, value)| format!("{name} {value}")));
        (format!("TCP_INFO {when}"), words.collect::<Vec<_>>().join(", "))
    };
    findings.states.iter().map(moment).collect()
}

/// A number as people read it: times and rates with three digits, bytes whole.
pub fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
        Unit::Bytes if value.fract() == 0.0 => format!("{value:.0} bytes"),
        Unit::Count => digits(value),
        Unit::Bytes => format!("{} bytes", digits(value)),
        Unit::BytesPerSecond => scaled(value, &[(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")]),
        Unit::Seconds => scaled(value, &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")]),
        Unit::Share => format!("{} %", digits(value * 100.0)),
    }
}

/// In the largest unit of which there is at least one; else in the smallest.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let fitting = units.iter().find(|(size, _)| value.abs() >= *size).or(units.last());
    fitting.map_or_else(String::new, |(size, name)| format!("{} {name}", digits(value / size)))
}

/// Three digits that say something.
pub fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// How many experiments ended how.
pub struct Summary<'a>(pub &'a [ExperimentReport]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.len();
        write!(f, "{all} {}:", if all == 1 { "experiment" } else { "experiments" })?;
        let verdicts = [Verdict::Pass, Verdict::Skipped, Verdict::Differs, Verdict::Fail];
        let counts = verdicts.map(|verdict| (self.count(verdict), verdict));
        let mut gap = "";
        for (count, verdict) in counts.iter().filter(|(count, _)| *count > 0) {
            write!(f, "{gap} {count} {verdict}")?;
            gap = ",";
        }
        Ok(())
    }
}

impl Summary<'_> {
    pub fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|report| report.verdict() == verdict).count()
    }
}
