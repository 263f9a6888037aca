//! When a connection has waited long enough, and what comes of it.

use std::time::Duration;

use super::*;
use crate::reactor::deadlines::over;
use crate::reactor::protocol::Deadline;
use crate::socket::Flags;

/// What a peer must take of what waits for it within the time for that.
const PROGRESS: usize = 4 << 10;

impl<P: Protocol> Connection<P> {
    /// Which deadline has passed, if any.
    #[inline]
    pub(in crate::reactor) fn late(&mut self, shared: &Shared) -> Option<Deadline> {
        let (now, terms) = (shared.now, &shared.terms);
        if self.kind == Kind::Adopted {
            return None;
        }
        let (what, since, time) = match (&self.phase, &mut self.held) {
            (Phase::Dialing(_), _) => (Deadline::Open, self.heard, terms.open),
            // Its end is waited for, which is no deadline of the protocol's.
            (Phase::Discarding(_) | Phase::Gone, _) => (Deadline::Idle, self.heard, terms.linger),
            (_, Some(held)) if held.output.len() > 0 => {
                if held.taken.0 >= PROGRESS && over(held.taken.1, now, terms.stall) {
                    held.taken = (0, now);
                }
                (Deadline::Stall, held.taken.1, terms.stall)
            }
            // Whoever wants it so has a reason with a deadline of its own.
            (Phase::Open, _) if self.waits => (Deadline::Idle, self.heard, u32::MAX),
            (Phase::Open, Some(held)) if held.input.len() > 0 && !self.paused => {
                let (since, time) = shared.limits.message_ticks(held.began, held.header_done, held.need);
                (Deadline::Message, since, time)
            }
            _ if self.heard & MARK != 0 => (Deadline::Open, self.heard, terms.open),
            _ => (Deadline::Idle, self.heard, terms.idle),
        };
        match shared.draining {
            _ if over(since, now, time) => Some(what),
            Some(then) if over(then, now, terms.drain) => Some(Deadline::Drain),
            _ => None,
        }
    }

    /// While the loop drains: whoever is silent between messages goes. What was sent before the drain lies here by the first tick, and is served.
    pub(in crate::reactor) fn wind_down(&self, socket: &Socket) -> Next {
        let between = matches!(self.phase, Phase::Open) && self.held.is_none();
        let silent =
            || self.ended || matches!(socket::receive_with(socket, &mut [0], Flags::PEEK), Ok(Transfer::Pending));
        if self.kind == Kind::Accepted && between && !self.protocol.is_busy() && silent() {
            Next::Remove
        } else {
            Next::Same
        }
    }

    /// Does what follows from a deadline that has passed.
    pub(in crate::reactor) fn expire(
        &mut self,
        what: Deadline,
        socket: &Socket,
        key: Key,
        shared: &mut Shared,
    ) -> Next {
        let lost = match self.phase {
            Phase::Discarding(_) | Phase::Gone => return Next::Remove,
            Phase::Dialing(_) => {
                shared.stats.expire(what);
                return match what {
                    Deadline::Drain => Next::Remove,
                    _ => self.dial_failed(io::ErrorKind::TimedOut.into()),
                };
            }
            Phase::Open => matches!(what, Deadline::Stall | Deadline::Drain),
            Phase::Closing => true,
        };
        shared.stats.expire(what);
        // Whatever it was since: this is the same time once more, should the protocol want it.
        self.heard = shared.now;
        if let Some(held) = &mut self.held {
            (held.began, held.taken) = (shared.now, (0, shared.now));
            held.header_done = held.header_done.map(|_| shared.now);
        }
        if lost {
            // What is queued is not taken: without this the kernel would keep it for minutes.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        if !matches!(self.phase, Phase::Open) {
            return Next::Remove;
        }
        self.speak(socket, key, shared, |protocol, out| match protocol.expired(what, out) {
            Flow::Close if lost => Flow::Abort,
            _ if what == Deadline::Drain => Flow::Abort,
            flow => flow,
        })
    }
}
