//! The programs that everybody learns sockets from, as protocols for the loop, on a selector, or as blocking code. They print nothing: what
//! happens goes to a [`Transcript`].

pub mod app;
pub mod echo;
pub mod hello;
#[cfg(feature = "cli")]
pub mod http_get;
pub mod multiconn;
pub mod relay;
mod transcript;
pub mod udp;

pub use transcript::Transcript;
