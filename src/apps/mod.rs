//! The programs that everybody learns sockets from, as protocols for the loop or as blocking code. They print nothing: what happens goes to a [`Transcript`].

pub mod echo;
pub mod hello;
pub mod multiconn;
mod transcript;

pub use transcript::Transcript;
