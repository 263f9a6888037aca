//! `app-server` and `app-client`, with each other, with Python and with peers that misbehave.

mod client;
mod ending;
mod exchanges;
mod limits;
mod refused;
mod stdin;
mod table;

use std::io::Write;
use std::net::{Shutdown, SocketAddr};

use super::support::{Program, Server, dial};
use crate::app::wire::*;

/// On a free port of 127.0.0.1.
fn server(options: &[&str]) -> Server {
    Server::of(Program::start(&[&["app-server", "127.0.0.1", "0"], options].concat()))
}

fn client(address: SocketAddr, rest: &[&str]) -> Program {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Program::start(&[&["app-client", &host, &port], rest].concat())
}

/// What the server answers to these bytes, after which it must end the connection.
fn answered(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut stream = dial(address);
    stream.write_all(bytes).unwrap();
    Reply::last(&mut stream)
}

/// As above, to a peer that sends no more.
fn answered_at_end(address: SocketAddr, bytes: &[u8]) -> Reply {
    let mut stream = dial(address);
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    Reply::last(&mut stream)
}

/// The server is as good as ever.
#[track_caller]
fn serves(address: SocketAddr) {
    assert_eq!(answered(address, &json(&search("ring"))).result(), "In the caves beneath the Misty Mountains. 💍");
}

/// What is said about a failure, on its one line, and what was told before.
#[track_caller]
fn failure(program: Program, status: i32) -> (String, Vec<String>) {
    let ended = program.end();
    assert_eq!((ended.status, ended.errors.len()), (Some(status), 1), "{ended:?}");
    (ended.errors[0].strip_prefix("error: ").unwrap().to_owned(), ended.lines)
}
