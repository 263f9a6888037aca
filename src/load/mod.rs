//! The load generator: connections that ask and check every reply, as fast as the answers come (closed loop) or at a rate of their own (open loop).
//!
//! In a closed loop a slow server is asked less often, so that its figures hide how long others would have waited; in an open loop every message is due at a
//! moment of its own, and its latency counts from then.

mod book;
mod client;
mod datagrams;
mod drive;
mod exchange;
pub mod pair;
mod plan;
mod run;
mod session;
mod tally;
mod tcp;

pub use exchange::{Echo, Exchange, Reply};
pub use plan::{Goal, Plan, Stop};
pub use run::{Interval, Report, run, run_datagrams};
pub use session::Session;
pub use tally::{Errors, Failure, Tally, Times};
pub use tcp::Tcp;
