//! The experiments, one file each.

mod autotuning;
mod backlog;
mod buffers;
mod coalescing;
mod connect_twice;
mod defer_accept;
mod nagle;
mod notsent_lowat;
mod partial_send;
mod privileged_port;
mod reach;
mod reuseaddr;
mod reuseport_connect;
mod reuseport_spread;
mod self_connect;

use super::Experiment;

/// In the order of the list: from addresses over connections to their ends.
pub(super) const ALL: &[&Experiment] = &[
    &reuseaddr::EXPERIMENT,
    &reuseport_connect::EXPERIMENT,
    &reuseport_spread::EXPERIMENT,
    &self_connect::EXPERIMENT,
    &reach::EXPERIMENT,
    &privileged_port::EXPERIMENT,
    &backlog::EXPERIMENT,
    &defer_accept::EXPERIMENT,
    &connect_twice::EXPERIMENT,
    &buffers::EXPERIMENT,
    &autotuning::EXPERIMENT,
    &nagle::EXPERIMENT,
    &coalescing::EXPERIMENT,
    &partial_send::EXPERIMENT,
    &notsent_lowat::EXPERIMENT,
];
