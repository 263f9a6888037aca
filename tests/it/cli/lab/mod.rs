//! `lab` as a program: what it lists, explains and finds.

mod run;
mod sweep;

use selkey::lab;
use serde_json::Value;

use super::refusals::{USAGE, refused};
use super::support::Program;

/// What a run that must succeed prints, as JSON on one line.
fn json(args: &[&str]) -> Value {
    let lines = Program::start(args).succeed();
    assert_eq!(lines.len(), 1, "{lines:?}");
    serde_json::from_str(&lines[0]).unwrap()
}

/// What it prints, as the fields of lines that all have as many.
fn csv(args: &[&str]) -> Vec<Vec<String>> {
    let text = Program::start(args).succeed().join("\n");
    let lines = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes()).into_records();
    lines.map(|line| line.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn the_list_has_every_experiment_with_its_question() {
    let lines = Program::start(&["lab", "list"]).succeed();
    assert_eq!(lines.len(), lab::all().len());
    for (line, experiment) in lines.iter().zip(lab::all()) {
        assert!(line.starts_with(&format!("{} ", experiment.name)) && line.ends_with(experiment.question), "{line}");
    }
}

#[test]
fn an_explanation_has_all_there_is_and_fits() {
    for experiment in lab::all() {
        let lines = Program::start(&["lab", "explain", experiment.name]).succeed();
        assert!(lines.iter().all(|line| line.chars().count() <= 100), "{lines:#?}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        let told = words(&lines.join(" "));
        let claims = experiment.claims.iter().flat_map(|claim| [claim.says, claim.expected, claim.control]);
        let parts = claims.chain([experiment.question]).chain(experiment.explanation.split("\n\n"));
        for part in parts.chain(experiment.sources.iter().copied()) {
            assert!(told.contains(&words(part)), "{}: {part:?} is missing in\n{told}", experiment.name);
        }
    }
}

#[test]
fn an_experiment_that_is_not_known_is_a_usage_error_that_names_what_is() {
    for command in ["explain", "run"] {
        let near = refused(&["lab", command, "connect-twise"], USAGE);
        assert!(near.contains("\"connect-twise\"; near it: connect-twice"), "{near}");
        let far = refused(&["lab", command, "?"], USAGE);
        assert!(lab::all().iter().all(|experiment| far.contains(experiment.name)), "{far}");
    }
    refused(&["lab", "rum"], USAGE);
    refused(&["lab", "run"], USAGE);
}

#[test]
fn the_doctor_looks_at_the_machine_and_says_what_to_do() {
    let whole = json(&["lab", "doctor", "--json"]);
    let checkups = whole["checkups"].as_array().unwrap();
    let known = ["descriptors", "processors", "loopback", "IPv6", "TCP_INFO", "socket options"];
    for what in known {
        assert!(checkups.iter().any(|checkup| checkup["what"] == what), "{what} is missing in {whole}");
    }
    for checkup in checkups {
        let is_well = checkup["health"] == "ok";
        assert_eq!(checkup["advice"] == "", is_well, "{checkup}");
    }
    assert!(whole["environment"]["kernel"].is_string());
    // The same in words.
    let lines = Program::start(&["lab", "doctor"]).succeed();
    let count = format!("{} looked at: ", checkups.len());
    assert!(lines.last().unwrap().starts_with(&count), "{lines:#?}");
    for what in known {
        assert!(lines.iter().any(|line| line.contains(what)), "{what} is missing in {lines:#?}");
    }
}
