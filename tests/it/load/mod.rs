//! The load generator as a library, against servers of all manners.

mod closed;
mod faults;
mod support;
