//! What programs read: one object of JSON, or lines of CSV.

use std::io;

use selkey::lab::{self, ClaimReport, ExperimentReport, Figure, Findings, Runs};
use selkey::socket::{Setting, State};
use serde_json::{Map, Value, json};

use super::words;
use crate::cli::output::csv_text;

pub fn environment() -> Value {
    lab::environment().into_iter().map(|(name, value)| (name, Value::String(value))).collect::<Map<_, _>>().into()
}

/// On one line.
pub fn json(runs: &Runs, reports: &[ExperimentReport]) -> String {
    let experiments: Vec<Value> = reports
        .iter()
        .map(|report| {
            json!({
                "name": report.experiment.name,
                "question": report.experiment.question,
                "verdict": report.verdict().to_string(),
                "claims": report.claims.iter().map(claim).collect::<Vec<_>>(),
            })
        })
        .collect();
    let whole = json!({
        "environment": environment(),
        "repeats": runs.repeats,
        "seed": runs.seed,
        "experiments": experiments,
    });
    whole.to_string()
}

fn claim(report: &ClaimReport) -> Value {
    json!({
        "says": report.claim.says,
        "expected": report.claim.expected,
        "control": report.claim.control,
        "verdict": report.verdict().to_string(),
        "found": words::found(report),
        "seconds": report.elapsed.as_secs_f64(),
        "runs": report.findings.iter().map(findings).collect::<Vec<_>>(),
    })
}

fn findings(findings: &Findings) -> Value {
    let settings = findings.settings.iter().map(|(whose, setting)| self::setting(whose, setting));
    let measures = findings
        .measures
        .iter()
        .map(|measure| json!({ "what": measure.what, "value": measure.value, "unit": measure.unit.to_string() }));
    let states = findings.states.iter().map(|(when, told)| json!({ "when": when, "tcp_info": state(told) }));
    json!({
        "verdict": findings.verdict.to_string(),
        "found": findings.found,
        "settings": settings.collect::<Vec<_>>(),
        "measures": measures.collect::<Vec<_>>(),
        "states": states.collect::<Vec<_>>(),
        "figures": findings.figures.iter().map(figure).collect::<Vec<_>>(),
    })
}

pub fn setting(whose: &str, setting: &Setting) -> Value {
    json!({
        "socket": whose,
        "option": setting.option.name,
        "asked": setting.asked.to_string(),
        "granted": setting.granted.to_string(),
    })
}

/// Times in seconds. What the kernel did not tell is null.
fn state(state: &State) -> Value {
    json!({
        "state": state.state.name(),
        "unread": state.unread,
        "unacknowledged": state.unacknowledged,
        "unsent": state.unsent,
        "queued": state.queued,
        "backlog": state.backlog,
        "rtt": state.rtt.map(|time| time.as_secs_f64()),
        "rtt_variance": state.rtt_variance.map(|time| time.as_secs_f64()),
        "retransmits": state.retransmits,
        "total_retransmits": state.total_retransmits,
        "cwnd": state.cwnd,
        "ssthresh": state.ssthresh,
        "mss": state.mss,
        "bytes_acked": state.bytes_acked,
        "bytes_received": state.bytes_received,
        "segments_sent": state.segments_sent,
        "window_scale": state.window_scale,
        "delivery_rate": state.delivery_rate,
    })
}

fn figure(figure: &Figure) -> Value {
    let series = figure.series.iter().map(|series| json!({ "name": series.name, "points": series.points }));
    json!({
        "title": figure.title,
        "x": { "label": figure.x.label, "names": figure.x.names },
        "y": { "label": figure.y.label, "names": figure.y.names },
        "series": series.collect::<Vec<_>>(),
    })
}

/// A line for each number of each run; a run without numbers has one line where these columns are empty.
pub fn csv(reports: &[ExperimentReport]) -> io::Result<String> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    let header = ["experiment", "claim", "run", "verdict", "expected", "found", "measure", "value", "unit"];
    lines.write_record(header)?;
    for report in reports {
        for claim in &report.claims {
            for (run, findings) in claim.findings.iter().enumerate() {
                let (run, verdict) = ((run + 1).to_string(), findings.verdict.to_string());
                let told =
                    [report.experiment.name, claim.claim.says, &run, &verdict, claim.claim.expected, &findings.found];
                let measures = findings
                    .measures
                    .iter()
                    .map(|measure| [measure.what.clone(), measure.value.to_string(), measure.unit.to_string()]);
                let measures: Vec<_> = measures.collect();
                let empty = measures.is_empty().then(Default::default);
                for measure in measures.into_iter().chain(empty) {
                    lines.write_record(told.into_iter().chain(measure.iter().map(String::as_str)))?;
                }
            }
        }
    }
    csv_text(lines)
}
