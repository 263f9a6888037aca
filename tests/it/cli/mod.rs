//! The command line, run as a process of its own over real sockets.

mod addresses;
mod app;
mod bench;
mod crowd;
mod drain;
mod echo;
mod hello;
mod help;
mod http_get;
mod lab;
mod lifetime;
mod partners;
mod peers;
mod refusals;
mod relay;
mod shown;
pub mod support;
mod transcripts;
mod udp;
