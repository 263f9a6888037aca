//! A server that stands still, seen in an open loop.

use std::thread;
use std::time::{Duration, Instant};

use super::{Server, bench, json};

#[test]
fn a_server_stopped_for_a_second_shows_as_a_second() {
    let mut server = Server::start(&[]);
    let options = ["-c", "4", "--rate", "500", "-n", "1500", "--interval", "0.1", "--json"];
    let run = bench("echo", &server, &options);
    // Then it has begun, and goes on for three seconds.
    for _ in 0..4 {
        while !server.program.line().starts_with("Accepted ") {}
    }
    thread::sleep(Duration::from_millis(200));
    server.program.freeze();
    let stopped = Instant::now();
    thread::sleep(Duration::from_secs(1));
    server.program.signal(libc::SIGCONT);
    let stopped = stopped.elapsed();
    // A busy machine may be late at its end, too.
    let report = json(&run.end().lines);
    assert_eq!(report["messages"], 1500);
    // Some 500 of the 1500 were due while it was stopped, those at the beginning of that for a second.
    let micros = |name: &str| report["latency_us"][name].as_f64().unwrap();
    assert!(stopped >= Duration::from_secs(1));
    assert!(micros("p99.9") >= 500_000.0 && micros("max") >= 900_000.0, "{report}");
    assert!(micros("p90") >= 100_000.0, "{report}");
    // What is not there has no latency, not one of 0.
    let silent = |interval: &serde_json::Value| interval["messages"] == 0 && interval["latency_us"].is_null();
    assert!(report["intervals"].as_array().unwrap().iter().any(silent), "{report}");
}
