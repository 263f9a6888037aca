//! The programs that everybody learns sockets from, as protocols for the loop. They print nothing: what happens goes to a [`Transcript`].

pub mod app;
pub mod multiconn;
mod transcript;

pub use transcript::Transcript;
