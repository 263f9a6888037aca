//! Echo over TCP: what each peer's server costs, paired with a bare epoll server in one run.
//!
//! `cargo bench --bench echo` prints CPU time as a ratio (noisy, so paired, with the noise floor), what two options of the server program are worth, and below it what can be counted exactly
//! where strace and valgrind are installed: system calls and user-space instructions. Behind `--`, a first word that is no flag picks the
//! rows that have it in their name, and `--table` leaves the counting out.

#[path = "echo/cells.rs"]
mod cells;
#[path = "echo/clients.rs"]
mod clients;
mod peers;
#[path = "echo/server.rs"]
mod server;
mod support;
#[path = "echo/variants.rs"]
mod variants;

use std::env;

use support::Mode;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let [_, serve, name] = &arguments[..]
        && serve == "serve"
    {
        return server::serve(name);
    }
    let cells = cells::chosen();
    if Mode::from_args() == Mode::Test {
        cells::run_once(&cells);
        return variants::run_once();
    }
    println!("CPU time of the server for a message or connection, as a ratio to bare epoll, all deadlines armed\n");
    println!("{}", cells::cpu_ratios(&cells));
    if support::filter().is_none_or(|filter| filter == "options") {
        println!("The server program's options\n\n{}", variants::measured());
    }
    if Mode::from_args() == Mode::Full {
        println!("Counted for each message or connection\n\n{}", cells::exact_counts());
    }
}
