//! `bench compare`: servers that it starts, measures side by side and ends, whatever they do.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::cli::refusals::refused;
use crate::cli::support::{Program, selkey};
use crate::harness::await_that;

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const FEW: [&str; 6] = ["--lots", "1", "--rounds", "5", "--slice", "0.002"];
const FIGURES: [&str; 4] = ["cpu_us", "messages_per_s", "p50_us", "p99_us"];

/// A command of this program.
fn server(name: &str) -> String {
    let program = shlex::try_quote(selkey().get_program().to_str().unwrap()).unwrap().into_owned();
    format!("{program} {name} 127.0.0.1 {{port}} --quiet")
}

fn echo() -> String {
    server("multiconn-server")
}

/// A shell that writes its number to a file and then runs this; the port is `$0`.
fn shell(file: &Path, script: &str) -> String {
    let script = format!("echo $$ > {}; {script}", shlex::try_quote(file.to_str().unwrap()).unwrap());
    format!("sh -c {} {{port}}", shlex::try_quote(&script).unwrap())
}

fn args<'a>(a: &'a str, b: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["bench", "compare", "--a", a, "--b", b], &FEW[..], more].concat()
}

fn compare(a: &str, b: &str, more: &[&str]) -> Value {
    let lines = Program::start(&args(a, b, &[more, &["--json"]].concat())).succeed();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    serde_json::from_str(&lines[0]).unwrap()
}

fn fails(a: &str, b: &str, more: &[&str]) -> String {
    refused(&args(a, b, more), FAILED)
}

/// The process that wrote its number there has ended, and everything in its group.
fn is_gone(file: &Path) -> bool {
    let leader: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    // SAFETY: no signal is sent.
    unsafe { libc::killpg(leader, 0) < 0 || all_are_zombies(leader) }
}

/// Who started them is gone, so that it depends on the system when they are waited for.
fn all_are_zombies(group: i32) -> bool {
    let stats = fs::read_dir("/proc").unwrap().flatten().map(|entry| fs::read_to_string(entry.path().join("stat")));
    stats.flatten().all(|stat| {
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[2] != group.to_string() || fields[0] == "Z"
    })
}

#[test]
fn two_servers_are_measured_in_every_scenario_asked_for() {
    let (a, b) = (echo(), echo() + " --backend poll");
    let compared = compare(&a, &b, &["--scenario", "one", "--scenario", "connect"]);
    assert_eq!((&compared["a"], &compared["b"]), (&a.into(), &b.into()));
    assert_eq!(compared["protocol"], "echo");
    assert_eq!((&compared["lots"], &compared["rounds"]), (&1.into(), &5.into()));
    assert_eq!(compared["slice_s"], 0.002);
    assert!(compared["server_cpus"].is_array() && compared["client_cpus"].is_array());
    let scenarios = compared["scenarios"].as_array().unwrap();
    let names: Vec<&Value> = scenarios.iter().map(|scenario| &scenario["scenario"]).collect();
    assert_eq!(names, ["one", "connect"]);
    assert_eq!(scenarios[1]["messages_per_connection"], 1);
    for scenario in scenarios {
        assert_eq!(
            (&scenario["connections"], &scenario["in_flight"], &scenario["size"]),
            (&1.into(), &1.into(), &64.into())
        );
        assert!(["inconclusive", "less", "same", "more"].iter().any(|verdict| scenario["verdict"] == *verdict));
        for figure in FIGURES {
            for what in ["a", "b", "ratio", "floor"] {
                let spread = &scenario[figure][what];
                let [low, median, high] = ["low", "median", "high"].map(|name| spread[name].as_f64().unwrap());
                assert!(0.0 < low && low <= median && median <= high, "{figure} {what}: {spread}");
            }
        }
    }
}

#[test]
fn people_read_a_table() {
    let (a, b) = (echo(), echo());
    let lines = Program::start(&args(&a, &b, &["--connections", "2", "--in-flight", "3", "--size", "1k"])).succeed();
    for start in
        ["a: ", "b: ", "2 connections, 3 in flight, 1 KiB", "CPU time of the server per message ", "median answer "]
    {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start}: {lines:#?}");
    }
}

#[test]
fn a_search_is_measured_too() {
    let compared = compare(&server("app-server"), &server("app-server"), &["--protocol", "app", "--in-flight", "2"]);
    assert!(compared["scenarios"][0]["messages_per_s"]["b"]["low"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_time_of_processes_that_a_server_started_counts() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("shell");
    let program = shlex::try_quote(selkey().get_program().to_str().unwrap()).unwrap().into_owned();
    // The shell itself waits, and takes no time at all.
    let b = shell(&file, &format!("{program} multiconn-server 127.0.0.1 $0 --quiet & wait"));
    let compared = compare(&echo(), &b, &["--scenario", "one"]);
    assert!(compared["scenarios"][0]["cpu_us"]["b"]["low"].as_f64().unwrap() > 0.0);
    await_that("the end of the server", || is_gone(&file));
}

#[test]
fn a_server_that_cannot_be_started_is_named() {
    let said = fails(&echo(), "/no/such/server {port}", &[]);
    assert!(said.contains("/no/such/server") && said.contains("No such file"), "{said}");
    let said = fails("sh -c 'echo first >&2; echo \"the last\" >&2; exit 3' {port}", &echo(), &[]);
    assert!(said.contains("exit status: 3") && said.ends_with("the last") && !said.contains('\n'), "{said}");
}

#[test]
fn a_server_that_does_not_listen_is_ended_with_all_that_it_started() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("deaf");
    // Signals that can be ignored are.
    let deaf = shell(&file, "trap '' TERM; echo here >&2; sleep 1000 & wait; sleep 1000");
    let said = fails(&deaf, &echo(), &["--start-timeout", "0.5"]);
    assert!(said.contains("does not listen") && said.ends_with("here"), "{said}");
    await_that("the end of the server", || is_gone(&file));
}

#[test]
fn a_wrong_answer_ends_the_comparison_and_the_servers() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("wrong");
    let wrong = shell(&file, &format!("exec {}", server("hello-server").replace("{port}", "$0")));
    let said = fails(&echo(), &wrong, &[]);
    assert!(said.contains("hello-server") && said.contains("wrong bytes"), "{said}");
    await_that("the end of the server", || is_gone(&file));
}

#[test]
fn another_port_is_taken_when_the_first_is_in_use() {
    let directory = tempdir().unwrap();
    let first = shlex::try_quote(directory.path().join("first").to_str().unwrap()).unwrap().into_owned();
    let refuse = format!("mkdir {first} 2>/dev/null && {{ echo address in use >&2; exit 1; }}");
    let serve = format!("exec {}", server("multiconn-server").replace("{port}", "$0"));
    let b = shell(&directory.path().join("shell"), &format!("{refuse}; {serve}"));
    compare(&echo(), &b, &[]);
    assert!(directory.path().join("first").exists());
}

#[test]
fn an_interrupt_ends_the_servers_too() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("shell");
    let b = shell(&file, &format!("exec {}", server("multiconn-server").replace("{port}", "$0")));
    let program = Program::start(&["bench", "compare", "--a", &echo(), "--b", &b, "--lots", "1000"]);
    await_that("the start of the server", || fs::read_to_string(&file).is_ok_and(|number| number.ends_with('\n')));
    program.signal(libc::SIGINT);
    let ended = program.end();
    assert!(ended.status == Some(FAILED) && ended.errors.len() == 1, "{ended:?}");
    assert!(ended.errors[0].contains("interrupted"), "{ended:?}");
    await_that("the end of the server", || is_gone(&file));
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let echo = &*echo();
    for (a, b, more, names) in [
        ("selkey multiconn-server", echo, &[][..], "{port}"),
        (echo, "{port}", &[], "{port}"),
        (echo, "", &[], "--b"),
        ("a 'b {port}", echo, &[], "--a"),
        (echo, echo, &["--scenario", "two"], "two"),
        (echo, echo, &["--scenario", "one", "--connections", "2"], "--connections"),
        (echo, echo, &["--protocol", "app", "--size", "2"], "size"),
        (echo, echo, &["--lots", "0"], "--lots"),
        (echo, echo, &["--client-cpu", "x"], "--client-cpu"),
    ] {
        let said = refused(&[&["bench", "compare", "--a", a, "--b", b], more].concat(), USAGE);
        assert!(said.contains(names), "{said}");
    }
    let said = refused(&["bench", "compare", "--a", echo, "--b", echo, "--rounds", "4"], USAGE);
    assert!(said.contains("from 5"), "{said}");
}
