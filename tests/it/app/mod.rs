//! The application protocol's server and client on the loop, over real sockets.

mod client;
mod service;
pub mod wire;
