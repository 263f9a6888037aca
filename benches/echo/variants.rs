//! What the server program's options are worth: spinning before a sleep, and a second thread.

use std::time::{Duration, Instant};

use crate::clients::Load;
use crate::server::{Server, processors};
use crate::support::{Spread, paired, ratio, table};

const ROUNDS: usize = 40;
const SLICE: Duration = Duration::from_millis(40);

const ONE: Load = Load::Exchange { connections: 1, size: 64, in_flight: 1 };
const MANY: Load = Load::Exchange { connections: 200, size: 64, in_flight: 1 };

type Slice = Box<dyn FnMut() -> f64>;

/// The rows, each with the reference against itself.
pub fn measured() -> String {
    let threads = |number: &str| Server::program(&["--threads", number]);
    let mut rows = vec![["", "floor", "ratio", "spread", "wanted"].map(str::to_owned).to_vec()];
    if processors() > 1 {
        // How much sooner, so the other way round.
        let sooner =
            |spread: Spread| Spread { low: 1.0 / spread.high, median: 1.0 / spread.median, high: 1.0 / spread.low };
        let busy = || Server::program(&["--busy-poll", "50", "--cpus", "0"]);
        let ratios = pair([median(Server::start("bare", &[])), median(Server::start("bare", &[])), median(busy())]);
        rows.push(row("median answer sooner than bare epoll's, --busy-poll 50", ratios.map(sooner), "1.30 or more"));
    } else {
        eprintln!("left out for want of processors: --busy-poll");
    }
    let ratios = pair([cpu(threads("1")), cpu(threads("1")), cpu(threads("2"))]);
    rows.push(row("CPU time of --threads 2 against 1, 200 connections", ratios, "1.10 or less"));
    table(&rows)
}

/// Every slice once.
pub fn run_once() {
    for mut slice in [median(Server::program(&["--busy-poll", "50"])), cpu(Server::program(&["--threads", "2"]))] {
        assert!(slice() > 0.0);
    }
}

fn row(name: &str, [floor, spread]: [Spread; 2], wanted: &str) -> Vec<String> {
    vec![name.to_owned(), floor.range(), ratio(spread.median), spread.range(), wanted.to_owned()]
}

/// The second and the third slice against the first.
fn pair(mut slices: [Slice; 3]) -> [Spread; 2] {
    let spreads = paired(ROUNDS, &mut slices);
    [spreads[1], spreads[2]]
}

/// The median time of an answer at one connection.
fn median(server: Server) -> Slice {
    let mut once = ONE.start(server.port);
    Box::new(move || {
        let _alive = &server;
        let (start, mut times) = (Instant::now(), Vec::new());
        while start.elapsed() < SLICE {
            let asked = Instant::now();
            once();
            times.push(asked.elapsed().as_nanos() as f64);
        }
        Spread::of(times).median
    })
}

/// The server's CPU time for a message at two hundred connections.
fn cpu(server: Server) -> Slice {
    let mut once = MANY.start(server.port);
    Box::new(move || {
        let (before, start, mut done) = (server.cpu_time(), Instant::now(), 0);
        while start.elapsed() < SLICE {
            done += once();
        }
        (server.cpu_time() - before).as_nanos() as f64 / done as f64
    })
}
