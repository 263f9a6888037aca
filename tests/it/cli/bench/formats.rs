//! The report for people and for programs.

use std::fs;

use tempfile::tempdir;

use super::{Server, bench, json};
use crate::cli::support::{Program, at};
use crate::harness::Spot;

#[test]
fn people_read_what_is_measured_and_what_it_came_to() {
    let server = Server::start(&["--quiet"]);
    let lines = bench("echo", &server, &["-c", "3", "-n", "300"]).succeed();
    let headline = format!(
        "echo of 64 bytes at {}: 3 connections, 1 in flight, 1 thread, 300 messages; closed loop",
        server.address
    );
    assert_eq!(lines[0], headline);
    let names: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(names, ["p50", "p90", "p99", "p99.9", "p99.99", "max"], "{lines:?}");
    assert_eq!(lines[2].split_whitespace().count(), 7, "{lines:?}");
    let starts: Vec<_> = lines[2..].iter().map(|line| line.split(' ').next().unwrap()).collect();
    let expected: &[_] = if cfg!(target_os = "linux") {
        &["latency", "throughput", "messages", "tcp"]
    } else {
        &["latency", "throughput", "messages"]
    };
    assert_eq!(starts, expected, "{lines:?}");
    assert!(lines[4].starts_with("messages    300 in "), "{lines:?}");
    // The one line of the server is the same run seen from there.
    let ended = server.program.interrupt();
    assert!(!ended.is_empty());
}

#[test]
fn an_open_loop_says_so() {
    let server = Server::start(&["--quiet"]);
    // A busy machine may be late with so short a run.
    let lines = bench("echo", &server, &["--rate", "1000", "-n", "100"]).end().lines;
    assert!(lines[0].ends_with("open loop at 1000/s, latency from the intended send time"), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("sent late ")), "{lines:?}");
}

#[test]
fn json_has_every_figure() {
    let server = Server::named("app-server", &["--quiet"]);
    let options = ["-c", "4", "-p", "2", "-t", "2", "-n", "500", "--json"];
    let report = json(&bench("app", &server, &options).succeed());
    assert_eq!(report["what"], "app search");
    assert_eq!(
        (&report["loop"], &report["messages"], &report["connected"]),
        (&"closed".into(), &500.into(), &4.into())
    );
    assert_eq!((&report["unanswered"], &report["unsent"], &report["stopped"]), (&0.into(), &0.into(), &false.into()));
    let asked = &report["asked"];
    let counts = ["connections", "in_flight", "threads", "messages"].map(|name| asked[name].as_u64());
    assert_eq!(counts, [Some(4), Some(2), Some(2), Some(500)]);
    let latency = &report["latency_us"];
    let times = ["p50", "p90", "p99", "p99.9", "p99.99", "max"].map(|name| latency[name].as_f64().unwrap());
    assert!(times[0] > 0.0 && times.is_sorted(), "{latency}");
    assert!(report["messages_per_s"].as_f64().unwrap() > 0.0 && report["elapsed_s"].as_f64().unwrap() > 0.0);
    assert_eq!(report["errors"].as_array().map(Vec::len), Some(0));
    let intervals = report["intervals"].as_array().unwrap();
    assert_eq!(intervals.iter().map(|row| row["messages"].as_u64().unwrap()).sum::<u64>(), 500);
    if cfg!(target_os = "linux") {
        assert_eq!(report["tcp"]["connections"], 4);
    }
}

#[test]
fn csv_has_a_line_for_each_interval() {
    let server = Server::start(&["--quiet"]);
    let lines = bench("echo", &server, &["-d", "0.4", "--interval", "0.1", "--csv"]).succeed();
    let mut reader = csv::Reader::from_reader(lines.join("\n").into_bytes().leak() as &[u8]);
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let expected = "from_s to_s messages messages_per_s p50_us p90_us p99_us p99.9_us p99.99_us max_us errors";
    assert_eq!(head, expected.split(' ').collect::<Vec<_>>());
    let rows: Vec<Vec<f64>> =
        reader.records().map(|record| record.unwrap().iter().map(|field| field.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(rows.windows(2).all(|pair| pair[0][1] == pair[1][0]), "each begins where the last ended: {rows:?}");
    assert_eq!(rows[0][0], 0.0);
}

#[test]
fn a_plot_is_an_svg_with_its_three_figures() {
    let (server, directory) = (Server::start(&["--quiet"]), tempdir().unwrap());
    let file = directory.path().join("run.svg");
    bench("echo", &server, &["-d", "0.2", "--plot", file.to_str().unwrap()]).succeed();
    let svg = fs::read_to_string(file).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    for text in ["echo of 64 bytes", "p99.9", "Throughput", "Latency over time"] {
        assert!(svg.contains(text), "{text}");
    }
}

#[test]
fn connections_are_counted_where_they_are_what_is_measured() {
    let server = Server::start(&["--quiet"]);
    let lines = bench("connect", &server, &["-n", "50", "-c", "2"]).succeed();
    assert!(lines.iter().any(|line| line.starts_with("connections 50 made, ")), "{lines:?}");
    let ended = server.program;
    ended.signal(libc::SIGTERM);
    assert!(ended.end().totals[0].starts_with("Totals: 50 connections, 50 requests, "));
}

#[test]
fn app_requests_on_connections_of_their_own_ask_for_no_more() {
    let server = Server::named("app-server", &["--quiet"]);
    let report = json(&bench("app", &server, &["-n", "20", "--per-connection", "1", "--json"]).succeed());
    assert_eq!((&report["messages"], &report["connected"]), (&20.into(), &20.into()));
}

#[test]
fn a_unix_domain_server_is_measured_too() {
    let spot = Spot::new();
    let _server = at("multiconn-server", &spot, &["--quiet"]);
    let address = spot.address().to_string();
    let report = json(&Program::start(&["bench", "echo", &address, "-n", "100", "-c", "20", "--json"]).succeed());
    assert_eq!((&report["messages"], &report["tcp"]), (&100.into(), &serde_json::Value::Null));
}
