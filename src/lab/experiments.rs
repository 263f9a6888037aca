//! The experiments, one file each.

mod autotuning;
mod buffers;
mod connect_twice;

use super::Experiment;

/// In the order of the list: from addresses over connections to their ends.
pub(super) const ALL: &[&Experiment] = &[&connect_twice::EXPERIMENT, &buffers::EXPERIMENT, &autotuning::EXPERIMENT];
