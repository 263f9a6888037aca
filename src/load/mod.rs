//! Measuring servers.

pub mod pair;
