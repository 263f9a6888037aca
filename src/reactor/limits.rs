//! What a loop takes from its peers at most, and how long it waits for them.

use std::time::Duration;

use super::deadlines::{Tick, ticks};
use crate::socket;

/// What a loop takes from its peers at most, and how long it waits for them: every one has a default that a server on the open internet can
/// keep.
///
/// A time of `Duration::MAX` is none, a number of `usize::MAX` too. Times are looked at ten times a second, each is up to 0.3 s late and never early.
///
/// ```
/// use std::time::Duration;
/// use selkey::{Limits, Reactor, from_fn, Flow};
///
/// # fn main() -> std::io::Result<()> {
/// let mut limits = Limits::default();
/// limits.idle_timeout = Duration::from_secs(5);
/// let mut reactor = Reactor::new()?;
/// reactor.set_limits(limits);
/// # reactor.listen("127.0.0.1:0", |_| from_fn(|input, _| Flow::used(input.len())))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at once, accepted and dialled. Whoever comes beyond is [refused](super::Protocol::refuse). Default: the limit on descriptors at the time less 64,
    /// which are for everything else.
    pub max_connections: usize,
    /// Connections accepted before the others get their turn. Default: 64, so that a crowd at the door does not keep those inside waiting.
    pub accepts_per_wake: usize,
    /// From being accepted to the end of the first message's header; from the first byte of a later message to the end of its header; for a dial, to the connection.
    /// Bytes do not prolong it. Default: 10 s, many times what a bad network takes for a few hundred bytes.
    pub header_timeout: Duration,
    /// From the end of the header to the end of the message, see [`Out::header_done`](super::Out::header_done); and 1 s more for each
    /// [`min_rate`](Self::min_rate) bytes of it. Bytes do not prolong it. Default: 30 s.
    pub message_timeout: Duration,
    /// Bytes a second at which even a slow peer is expected to send a long message. Default: 64 KiB.
    pub min_rate: usize,
    /// Silence between messages. Default: 60 s.
    pub idle_timeout: Duration,
    /// In this time a peer must take at least 4 KiB of what waits for it, or all of it. Default: 30 s.
    pub write_timeout: Duration,
    /// From [`drain`](super::Handle::drain) to the moment when the connections that are left are cut. Default: 10 s.
    pub drain_timeout: Duration,
    /// Unsent output of one connection above which it is not read any more, until half of it is left. Default: 64 KiB, as much as is received at once.
    pub high_water: usize,
    /// Unfinished input of one connection; one with more is ended. Default: 16 MiB and 64 KiB, a message of the application protocol with its header.
    pub max_input: usize,
    /// Bytes held for all connections of the loop together, input and output; beyond it, a connection that needs more is ended. Default: 256 MiB.
    pub max_held: usize,
}

/// Descriptors that are not for connections: standard streams, files, the loop's own, and the refusals under way.
const SPARE: u64 = 64;

impl Default for Limits {
    fn default() -> Limits {
        // 1024 is what systems begin with.
        let descriptors = socket::descriptor_limit().unwrap_or(1024);
        Limits {
            max_connections: descriptors.saturating_sub(SPARE).max(1).try_into().unwrap_or(usize::MAX),
            accepts_per_wake: 64,
            header_timeout: Duration::from_secs(10),
            message_timeout: Duration::from_secs(30),
            min_rate: 64 << 10,
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            high_water: 64 << 10,
            max_input: (16 << 20) + (64 << 10),
            max_held: 256 << 20,
        }
    }
}

impl Limits {
    /// Unsent output below which a connection is read again: half, so that the kernel's set does not change with every send.
    pub(super) fn low_water(&self) -> usize {
        self.high_water / 2
    }

    /// Since when the deadline of an unfinished message counts, and how many ticks it has.
    pub(super) fn message_ticks(&self, began: Tick, header_done: Option<Tick>, length: usize) -> (Tick, u32) {
        let (since, time) = header_done.map_or((began, self.header_timeout), |then| (then, self.message_timeout));
        let more = Duration::from_secs((length.min(self.max_input) / self.min_rate.max(1)) as u64);
        (since, ticks(time.saturating_add(more)))
    }
}
