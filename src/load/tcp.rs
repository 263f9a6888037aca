//! What the kernel knows of a run's connections.

use std::time::Duration;

use crate::socket::{self, Socket};

/// What the kernel knows of some connections at the end of a run: tcp(7), TCP_INFO.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tcp {
    /// The smoothed round trip of each that was asked, the shortest first.
    pub rtt: Vec<Duration>,
    /// Segments sent again since they began, by all of them together.
    pub retransmits: u64,
}

impl Tcp {
    /// Connections asked, at most.
    pub(super) const SAMPLE: usize = 100;

    pub(super) fn of<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Option<Tcp> {
        let mut tcp = Tcp { rtt: Vec::new(), retransmits: 0 };
        for state in sockets.filter_map(|socket| socket::state(socket).ok()) {
            tcp.rtt.extend(state.rtt);
            tcp.retransmits += u64::from(state.total_retransmits.unwrap_or(0));
        }
        tcp.rtt.sort();
        (!tcp.rtt.is_empty()).then_some(tcp)
    }

    /// Adds those of another thread.
    pub(super) fn add(&mut self, other: Tcp) {
        self.rtt.extend(other.rtt);
        self.rtt.sort();
        self.retransmits += other.retransmits;
    }

    /// The one in the middle.
    pub fn median_rtt(&self) -> Duration {
        self.rtt.get(self.rtt.len() / 2).copied().unwrap_or_default()
    }
}
