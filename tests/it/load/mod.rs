//! The load generator as a library, against servers of all manners.

mod closed;
mod datagrams;
mod faults;
mod paced;
mod support;
mod whole;
