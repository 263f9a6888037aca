//! What the crate promises, as tests in one binary.

mod app;
#[cfg(feature = "cli")]
mod cli;
mod contract;
mod fork;
mod harness;
mod limits;
#[cfg(feature = "cli")]
mod load;
mod message;
mod options;
#[cfg(target_os = "linux")]
mod oracle;
mod reactor;
mod relay;
mod select;
mod socket;
mod sockets;
mod udp;
