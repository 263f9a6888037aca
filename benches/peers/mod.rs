//! The same echo server, written with what a user would pick; one file each, and nothing else in it.

pub mod bare;
pub mod selkey;

use std::net::TcpListener;

/// A name and a server that echoes on this listener for ever, on one thread.
pub type Peer = (&'static str, fn(TcpListener));

/// All of them; the first is what the others are measured against.
pub const PEERS: &[Peer] = &[("bare", bare::serve), ("selkey", selkey::serve)];
