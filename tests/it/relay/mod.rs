//! The relay: what it does to what passes, and what the programs of the crate make of it.

mod network;
mod programs;
mod streams;
mod support;
