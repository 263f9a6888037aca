//! Messages a second of selkey's own echo, by criterion.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use selkey::load::pair::{Pairing, Pinned, Scenario, Server};
use selkey::load::{Echo, Goal, Session};

use crate::peers::ECHO;

/// Messages of one iteration; each connection has some of them.
const BATCH: u64 = 1000;

/// Every scenario.
pub fn run() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .without_plots()
        .configure_from_args();
    let Pairing { server_processors, client_processors, patience, .. } = Pairing::default();
    let selkey = ECHO.iter().find(|peer| peer.name == "selkey").unwrap();
    let mut group = criterion.benchmark_group("echo");
    for scenario in Scenario::ALL {
        let command = selkey.command().unwrap();
        let server = Server::start(&command, &server_processors, patience, &mut || Ok(())).unwrap();
        let _pinned = Pinned::to(&client_processors).unwrap();
        let mut session = Session::open(&scenario.plan(server.address()), Echo::new(scenario.size)).unwrap();
        group.throughput(Throughput::Elements(BATCH));
        group.bench_function(scenario.name, |bencher| {
            bencher.iter(|| assert_eq!(session.until(Goal::Messages(BATCH)).unwrap().messages, BATCH));
        });
    }
    group.finish();
    criterion.final_summary();
}
