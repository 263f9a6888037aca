//! `lab run`: text, data and a page of the same runs.

use std::fs;

use tempfile::tempdir;

use super::super::refusals::{FAILED, USAGE, refused};
use super::super::support::Program;
use super::{csv, json};
use crate::harness::python3;

const RUN: [&str; 3] = ["lab", "run", "connect-twice"];

#[test]
fn a_run_tells_the_machine_the_claims_and_the_sum() {
    let lines = Program::start(&[&RUN[..], &["--repeat", "3", "--seed", "7"]].concat()).succeed();
    let has = |wanted: &str| lines.iter().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == wanted);
    assert!(lines[0].starts_with("kernel "), "{lines:#?}");
    for wanted in [
        "repeats 3, seed 7",
        "connect-twice: What does a second connect on a connected socket answer?",
        "PASS A second connect on a connected TCP socket is EISCONN.",
        "expected EISCONN",
        "found EISCONN",
    ] {
        assert!(has(wanted), "{wanted:?} is missing in {lines:#?}");
    }
    assert!(lines.last().unwrap().starts_with("1 experiment: 1 PASS in "), "{lines:#?}");
}

#[test]
fn json_has_every_verdict_and_every_run() {
    let whole = json(&[&RUN[..], &["--json", "--repeat", "2", "--seed", "7"]].concat());
    assert_eq!((&whole["repeats"], &whole["seed"]), (&2.into(), &7.into()));
    assert!(whole["environment"]["kernel"].is_string(), "{whole}");
    let experiment = &whole["experiments"][0];
    assert_eq!((&experiment["name"], &experiment["verdict"]), (&"connect-twice".into(), &"PASS".into()));
    let claim = &experiment["claims"][0];
    assert_eq!((&claim["verdict"], &claim["found"]), (&"PASS".into(), &"EISCONN".into()));
    let runs = claim["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run["verdict"] == "PASS" && run["found"] == "EISCONN"), "{claim}");
    #[cfg(target_os = "linux")]
    assert_eq!(runs[0]["states"][0]["tcp_info"]["state"], "ESTABLISHED");
}

#[test]
fn csv_has_a_line_for_each_run_at_least() {
    let lines = csv(&[&RUN[..], &["--csv", "--repeat", "2"]].concat());
    let header = ["experiment", "claim", "run", "verdict", "expected", "found", "measure", "value", "unit"];
    assert_eq!(lines[0], header);
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, run) in lines[1..].iter().zip(["1", "2"]) {
        assert_eq!((&*line[0], &*line[2], &*line[3], &*line[5]), ("connect-twice", run, "PASS", "EISCONN"));
    }
}

/// Checks that a file is XML and tells the addresses in it, and of every element the name and the identity.
const ELEMENTS: &str = "\
import sys, xml.etree.ElementTree as tree
for element in tree.parse(sys.argv[1]).iter():
    for name in ('src', 'href', '{http://www.w3.org/1999/xlink}href', 'data', 'action', 'poster', 'srcset'):
        if name in element.attrib:
            print('refers', element.attrib[name])
    print(element.tag.split('}')[-1], element.attrib.get('id', ''))
";

#[test]
fn the_page_is_one_file_that_needs_no_other() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("report.html");
    let lines = Program::start(&[&RUN[..], &["--html", file.to_str().unwrap()]].concat()).succeed();
    assert!(lines.last().unwrap().starts_with("1 experiment: "), "{lines:#?}");
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for wanted in [">PASS<", "prefers-color-scheme: dark", "name=\"viewport\"", "EISCONN", "kernel", "connect(2)"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    for reference in ["http:", "https:", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(reference), "{reference}");
    }
    let Some(mut python3) = python3() else { return };
    let output = python3.args(["-c", ELEMENTS]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let identities: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("h2 ")).collect();
    assert_eq!(identities, ["connect-twice", "machine"]);
    let references: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("refers ")).collect();
    assert!(references.contains(&"#connect-twice"), "{references:?}");
    assert!(
        references.iter().all(|to| to.strip_prefix('#').is_some_and(|to| identities.contains(&to))),
        "{references:?}"
    );
}

/// Whether or not it comes out as claimed while other tests run: what is counted is drawn.
#[cfg(target_os = "linux")]
#[test]
fn figures_are_files_of_their_own_and_part_of_the_page() {
    let directory = tempdir().unwrap();
    let [page, pictures] = ["report.html", "pictures"].map(|name| directory.path().join(name));
    let run = ["lab", "run", "reuseport-spread", "connect-twice"];
    let places = ["--html", page.to_str().unwrap(), "--plot", pictures.to_str().unwrap()];
    Program::start(&[&run[..], &places].concat()).succeed();
    let files: Vec<_> = fs::read_dir(&pictures).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["reuseport-spread.svg"]);
    let picture = fs::read_to_string(pictures.join("reuseport-spread.svg")).unwrap();
    let page = fs::read_to_string(page).unwrap();
    let titles = |text: &str| text.matches("128 connections to one port").count();
    assert_eq!((titles(&picture), titles(&page), page.matches("<svg ").count()), (1, 1, 1));
    assert!(picture.contains("http://www.w3.org/2000/svg") && !page.contains("http:"));
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_before_anything_runs() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("report");
    for option in ["--html", "--plot"] {
        let said = refused(&[&RUN[..], &[option, below.to_str().unwrap()]].concat(), FAILED);
        assert!(said.starts_with(&format!("cannot write {}: ", below.display())), "{said}");
    }
}

#[test]
fn two_forms_at_once_and_numbers_that_are_none_are_usage_errors() {
    for more in [&["--json", "--csv"][..], &["--repeat", "0"], &["--repeat", "x"], &["--seed", "-1"]] {
        refused(&[&RUN[..], more].concat(), USAGE);
    }
}
