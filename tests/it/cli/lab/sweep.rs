//! `lab sweep`: every combination measured, and what there is when it is ended.

use std::fs;
use std::time::Duration;

use selkey::lab::{Sweep, Verdict};
#[cfg(target_os = "linux")]
use serde_json::Value;
use tempfile::tempdir;

use super::super::refusals::{USAGE, refused};
use super::super::support::Program;
#[cfg(target_os = "linux")]
use super::super::support::cpu;
use super::{csv, json};
#[cfg(target_os = "linux")]
use crate::harness::await_that;

const TINY: [&str; 8] = ["lab", "sweep", "--set", "TCP_NODELAY=on,off", "--seconds", "0.02", "--rounds", "2"];

#[test]
fn every_combination_has_what_was_asked_granted_and_measured() {
    let whole = json(&[&TINY[..], &["--set", "SO_SNDBUF=16k", "--size", "64,1k", "--json"]].concat());
    assert_eq!(whole["complete"], true, "{whole}");
    let combinations = whole["combinations"].as_array().unwrap();
    let told: Vec<_> = combinations
        .iter()
        .map(|cell| (cell["settings"]["TCP_NODELAY"].as_str().unwrap(), cell["size"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("on", 64), ("on", 1024), ("off", 64), ("off", 1024)]);
    for cell in combinations {
        assert_eq!((&cell["verdict"], &cell["rounds"]), (&"PASS".into(), &2.into()), "{cell}");
        assert_eq!(cell["settings"]["SO_SNDBUF"], "16384");
        for measure in ["bytes_per_second", "messages_per_second", "p50", "p99"] {
            let quartiles: Vec<f64> = cell[measure].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
            assert!(quartiles.len() == 3 && quartiles[0] > 0.0 && quartiles.is_sorted(), "{measure}: {cell}");
        }
        let granted = |socket: &str, option: &str| {
            let all = cell["granted"].as_array().unwrap();
            let one = all.iter().find(|setting| setting["socket"] == socket && setting["option"] == option);
            one.unwrap_or_else(|| panic!("{socket} {option} in {cell}"))["granted"].as_str().unwrap().to_owned()
        };
        for socket in ["client", "server"] {
            assert_eq!(granted(socket, "TCP_NODELAY"), cell["settings"]["TCP_NODELAY"].as_str().unwrap());
            assert!(granted(socket, "SO_SNDBUF").parse::<u64>().unwrap() >= 16384, "{cell}");
        }
    }
}

#[test]
fn options_go_to_the_side_that_was_asked_for() {
    for (side, other) in [("client", "server"), ("server", "client")] {
        let whole = json(&[&TINY[..], &["--on", side, "--json"]].concat());
        let granted = whole["combinations"][0]["granted"].as_array().unwrap();
        let has = |whose: &str| granted.iter().any(|setting| setting["socket"] == whose);
        assert!(has(side) && !has(other), "{whole}");
    }
}

#[test]
fn the_table_and_the_lines_for_spreadsheets_have_the_same_combinations() {
    let lines = Program::start(&[&TINY[..], &["--connections", "3", "--in-flight", "2"]].concat()).succeed();
    let lines: Vec<Vec<&str>> = lines.iter().map(|line| line.split_whitespace().collect()).collect();
    let head = lines.iter().position(|line| line.starts_with(&["TCP_NODELAY", "granted", "size", "MB/s"])).unwrap();
    let rows = &lines[head + 1..];
    assert_eq!((rows.len(), &rows[0][..3], &rows[1][..3]), (2, &["on", "on", "64"][..], &["off", "off", "64"][..]));

    let lines = csv(&[&TINY[..], &["--csv"]].concat());
    assert_eq!(lines[0][..4], ["TCP_NODELAY", "TCP_NODELAY granted", "size", "verdict"]);
    let median = lines[0].iter().position(|name| name == "bytes_per_second").unwrap();
    assert_eq!(lines.len(), 3);
    assert!(lines[1..].iter().all(|line| line[3] == "PASS" && line[median].parse::<f64>().unwrap() > 0.0), "{lines:?}");
}

#[test]
fn what_the_system_refuses_is_skipped_with_the_reason_and_the_rest_is_measured() {
    let whole = json(&["lab", "sweep", "--set", "SO_BROADCAST=on", "--json"]);
    let cell = &whole["combinations"][0];
    assert_eq!((&cell["verdict"], &cell["rounds"], &whole["complete"]), (&"SKIPPED".into(), &0.into(), &true.into()));
    assert!(cell["why"].as_str().unwrap().contains("SO_BROADCAST on"), "{cell}");
    #[cfg(target_os = "linux")]
    {
        let arguments = ["lab", "sweep", "--set", "TCP_CONGESTION=no-such,reno", "--seconds", "0.02", "--rounds", "1"];
        let lines = Program::start(&arguments).succeed();
        let told = lines.last().unwrap();
        assert!(told.starts_with("SKIPPED TCP_CONGESTION=no-such size=64: ") && !told.contains("reno"), "{lines:#?}");
    }
}

#[test]
fn a_picture_has_a_line_for_each_combination() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("sweep.svg");
    Program::start(&[&TINY[..], &["--size", "64,1k", "--plot", file.to_str().unwrap()]].concat()).succeed();
    let picture = fs::read_to_string(&file).unwrap();
    for wanted in ["<svg", "TCP_NODELAY=on", "TCP_NODELAY=off", "throughput (MB/s)", "p99"] {
        assert!(picture.contains(wanted), "{wanted}");
    }
}

/// Slices of 20 ms, most of a minute of them.
#[cfg(target_os = "linux")]
const LONG: [&str; 8] = ["lab", "sweep", "--size", "64,1k", "--seconds", "20", "--rounds", "1000"];

#[cfg(target_os = "linux")]
#[test]
fn what_was_measured_before_an_interrupt_is_kept() {
    // A slice uses no more than two processors for its time, so by then some are over.
    let ended = |program: Program| {
        await_that("some slices are measured", || cpu(program.pid()) > Duration::from_millis(500));
        program.signal(libc::SIGINT);
        program.end()
    };
    let ended_text = ended(Program::start(&LONG));
    assert_eq!((ended_text.status, ended_text.errors.len()), (Some(0), 0), "{ended_text:?}");
    let last = ended_text.lines.last().unwrap();
    let measured = last.strip_prefix("Ended early: ").and_then(|last| last.strip_suffix(" of 2000 slices measured"));
    assert!(measured.unwrap_or_else(|| panic!("{ended_text:?}")).parse::<u32>().unwrap() > 0, "{ended_text:?}");
    assert!(ended_text.lines.iter().any(|line| line == "Caught keyboard interrupt, exiting"), "{ended_text:?}");

    // Standard output is data: the word is beside it.
    let ended = ended(Program::start(&[&LONG[..], &["--json"]].concat()));
    assert_eq!((ended.status, &ended.errors[..]), (Some(0), &["Caught keyboard interrupt, exiting".to_owned()][..]));
    let whole: Value = serde_json::from_str(&ended.lines.concat()).unwrap();
    let measured = |cell: &Value| cell["rounds"].as_u64().unwrap();
    assert_eq!(whole["complete"], false);
    assert!(
        (1..2000).contains(&whole["combinations"].as_array().unwrap().iter().map(measured).sum::<u64>()),
        "{whole}"
    );
}

#[test]
fn a_sweep_that_is_stopped_keeps_the_slices_before() {
    let mut sweep = Sweep { sizes: vec![1, 2, 3], time: Duration::from_millis(10), ..Sweep::default() };
    sweep.vary("TCP_NODELAY", [true, false]).unwrap();
    let stop = sweep.stop.clone();
    let mut told = Vec::new();
    let cells = sweep.run(|at| {
        told.push((at.done, at.of, at.combination.size));
        if at.done == 8 {
            stop.stop();
        }
    });
    // The second round had begun.
    let cells = cells.unwrap();
    let rounds: Vec<(usize, usize)> = cells.iter().map(|cell| (cell.combination.size, cell.rounds.len())).collect();
    assert_eq!(rounds, [(1, 2), (2, 2), (3, 1), (1, 1), (2, 1), (3, 1)]);
    assert_eq!(told[..2], [(1, 30, 1), (2, 30, 2)]);
    assert_eq!((told.len(), cells[3].combination.to_string().as_str()), (8, "TCP_NODELAY=off size=1"));
    assert!(cells.iter().all(|cell| cell.verdict == Verdict::Pass), "{cells:?}");
}

#[test]
fn what_cannot_be_swept_is_a_usage_error_on_one_line() {
    for (arguments, words) in [
        (&["--set", "SO_SNDBUFF=4k"][..], &["SO_SNDBUFF", "near it: SO_SNDBUF"][..]),
        (&["--set", "SO_SNDBUF"], &["SO_SNDBUF", "OPTION=VALUE"]),
        (&["--set", "SO_SNDBUF=4k,big"], &["SO_SNDBUF takes a size", "big"]),
        (&["--set", "TCP_NODELAY=on", "--set", "nodelay=off"], &["TCP_NODELAY is set twice"]),
        (
            &[
                "--set",
                "TCP_KEEPCNT=1,2,3,4,5,6,7,8,9,10",
                "--set",
                "SO_PRIORITY=0,1,2,3,4,5",
                "--size",
                "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
            ],
            &["1020 combinations", "1 to 1000"],
        ),
        (&["--size", "16m", "--connections", "5"], &["bytes under way"]),
        (&["--size", "0"], &["'0'", "--size"]),
        (&["--sise", "64"], &["--sise", "--size"]),
    ] {
        let said = refused(&[&["lab", "sweep"], arguments].concat(), USAGE);
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
}
