//! The experiments, one file each.

mod connect_twice;
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
    &reset::EXPERIMENT,
    &urgent::EXPERIMENT,
    &hangup::EXPERIMENT,
    &udp::EXPERIMENT,
];
