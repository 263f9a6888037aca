//! The programs that everybody learns sockets from, as protocols for the loop or, over datagrams, on a selector. They print nothing: what happens goes to a [`Transcript`].

#[cfg(feature = "cli")]
pub mod http_get;
pub mod multiconn;
mod transcript;
pub mod udp;

pub use transcript::Transcript;
