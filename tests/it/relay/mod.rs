//! The relay: what it does to what passes, and what the programs of the crate make of it.

mod datagrams;
mod network;
mod programs;
mod streams;
mod support;
