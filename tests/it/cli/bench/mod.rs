//! `bench`: what it prints, how it ends.

mod compare;
mod faults;
mod formats;
#[cfg(target_os = "linux")]
mod memory;
mod stalls;

use super::support::{Program, Server};

/// What is measured, at this server.
fn bench(what: &str, server: &Server, options: &[&str]) -> Program {
    at(what, server.address, options)
}

fn at(what: &str, address: std::net::SocketAddr, options: &[&str]) -> Program {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Program::start(&[&["bench", what, &host, &port], options].concat())
}

/// The one JSON object that was printed.
fn json(lines: &[String]) -> serde_json::Value {
    let [line] = lines else { panic!("more than an object: {lines:?}") };
    serde_json::from_str(line).unwrap()
}
