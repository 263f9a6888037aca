//! The experiments, one file each.

mod autotuning;
mod backlog;
mod blocking;
mod buffers;
mod coalescing;
mod connect_twice;
mod dead_peer;
mod defer_accept;
mod half_close;
mod hangup;
mod nagle;
mod notsent_lowat;
mod partial_send;
mod privileged_port;
mod reach;
mod reset;
mod reuseaddr;
mod reuseport_connect;
mod reuseport_spread;
mod self_connect;
mod udp;
mod urgent;

use super::Experiment;

/// In the order of the list: from addresses over connections to their ends.
pub(super) const ALL: &[&Experiment] = &[
    &reuseaddr::EXPERIMENT,
    &reuseport_connect::EXPERIMENT,
    &reuseport_spread::EXPERIMENT,
    &self_connect::EXPERIMENT,
    &connect_twice::EXPERIMENT,
    &reach::EXPERIMENT,
    &privileged_port::EXPERIMENT,
    &backlog::EXPERIMENT,
    &defer_accept::EXPERIMENT,
    &buffers::EXPERIMENT,
    &autotuning::EXPERIMENT,
    &nagle::EXPERIMENT,
    &coalescing::EXPERIMENT,
    &partial_send::EXPERIMENT,
    &notsent_lowat::EXPERIMENT,
    &half_close::EXPERIMENT,
    &dead_peer::EXPERIMENT,
    &reset::EXPERIMENT,
    &urgent::EXPERIMENT,
    &blocking::EXPERIMENT,
    &hangup::EXPERIMENT,
    &udp::EXPERIMENT,
];
