//! The experiments, one file each.

mod autotuning;
mod buffers;
mod coalescing;
mod connect_twice;
mod nagle;
mod notsent_lowat;
mod partial_send;

use super::Experiment;

/// In the order of the list: from addresses over connections to their ends.
pub(super) const ALL: &[&Experiment] = &[
    &connect_twice::EXPERIMENT,
    &buffers::EXPERIMENT,
    &autotuning::EXPERIMENT,
    &nagle::EXPERIMENT,
    &coalescing::EXPERIMENT,
    &partial_send::EXPERIMENT,
    &notsent_lowat::EXPERIMENT,
];
