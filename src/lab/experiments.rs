//! The experiments, one file each.

mod blocking;
mod connect_twice;
mod dead_peer;
mod half_close;
mod hangup;
mod reset;
mod udp;
mod urgent;

use super::Experiment;

/// In the order of the list: from addresses over connections to their ends.
pub(super) const ALL: &[&Experiment] = &[
    &connect_twice::EXPERIMENT,
    &half_close::EXPERIMENT,
    &dead_peer::EXPERIMENT,
    &reset::EXPERIMENT,
    &urgent::EXPERIMENT,
    &blocking::EXPERIMENT,
    &hangup::EXPERIMENT,
    &udp::EXPERIMENT,
];
