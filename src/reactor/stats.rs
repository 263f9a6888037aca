//! What a loop counts.

use std::io;
use std::ops::AddAssign;

use super::protocol::Deadline;

/// What happened in a loop since it was made.
///
/// ```
/// use selkey::{Deadline, FromFn, Out, Flow, Reactor};
///
/// # fn main() -> std::io::Result<()> {
/// let reactor: Reactor<Box<dyn selkey::Protocol>> = Reactor::new()?;
/// let stats = reactor.stats();
/// assert_eq!((stats.accepted, stats.expired(Deadline::Idle)), (0, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that are there now, accepted, dialled or being dialled; not the adopted ones.
    pub connections: usize,
    /// Connections accepted, with those that were refused then.
    pub accepted: u64,
    /// Connections beyond [`max_connections`](super::Limits::max_connections), closed with the protocol's refusal or, when many came at once, without.
    pub refused: u64,
    /// How often accepting paused because descriptors or memory had run out.
    pub starved: u64,
    /// Connections closed unheard while descriptors had run out, so that they need not wait for nothing.
    pub turned_away: u64,
    /// Connections that the peer reset.
    pub reset: u64,
    /// Connections that ended in another error: a dial that failed, a network that is gone.
    pub failed: u64,
    /// Connections ended because they held, or asked for, more bytes than [`Limits`](super::Limits) allow.
    pub overfull: u64,
    /// Calls of [`Protocol::receive`](super::Protocol::receive) that used bytes: requests, where a protocol answers one with each call.
    pub requests: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes that the kernel took to send.
    pub sent: u64,
    /// Bytes held now for unfinished input and unsent output, as memory is taken for them.
    pub held: usize,
    expired: [u64; Deadline::ALL.len()],
}

/// Adds what another loop counted.
impl AddAssign<&Stats> for Stats {
    fn add_assign(&mut self, other: &Stats) {
        // Taken apart so that none is forgotten.
        let Stats {
            connections,
            accepted,
            refused,
            starved,
            turned_away,
            reset,
            failed,
            overfull,
            requests,
            received,
            sent,
            held,
            expired,
        } = other;
        self.connections += connections;
        self.accepted += accepted;
        self.refused += refused;
        self.starved += starved;
        self.turned_away += turned_away;
        self.reset += reset;
        self.failed += failed;
        self.overfull += overfull;
        self.requests += requests;
        self.received += received;
        self.sent += sent;
        self.held += held;
        self.expired.iter_mut().zip(expired).for_each(|(sum, count)| *sum += count);
    }
}

impl Stats {
    /// How many deadlines of this kind passed.
    pub fn expired(&self, what: Deadline) -> u64 {
        self.expired[what as usize]
    }

    /// Counts a connection that ended in this error.
    pub(super) fn fail(&mut self, error: &io::Error) {
        *match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => &mut self.reset,
            io::ErrorKind::QuotaExceeded => &mut self.overfull,
            _ => &mut self.failed,
        } += 1;
    }

    pub(super) fn expire(&mut self, what: Deadline) {
        self.expired[what as usize] += 1;
    }
}
