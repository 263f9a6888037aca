//! When a connection has waited long enough, and what comes of it.

use std::time::Duration;

use super::*;
use crate::reactor::deadlines::{catch_up, over};
use crate::reactor::protocol::Deadline;
use crate::socket::Flags;

impl<P: Protocol> Connection<P> {
    #[inline]
    pub(in crate::reactor) fn catch_up(&mut self, before: Tick, now: Tick) {
        catch_up(before, now, [&mut self.heard]);
        if let Some(held) = &mut self.held {
            catch_up(before, now, [&mut held.began, &mut held.taken.1].into_iter().chain(&mut held.header_done));
        }
    }

    /// Which deadline has passed, if any.
    #[inline]
    pub(in crate::reactor) fn late(&self, shared: &Shared) -> Option<Deadline> {
        let (now, terms) = (shared.now, &shared.terms);
        if self.kind == Kind::Adopted {
            return None;
        }
        let (what, since, time) = match (&self.phase, &self.held) {
            (Phase::Dialing(_), _) => (Deadline::Open, self.heard, terms.open),
            // Its end is waited for, which is no deadline of the protocol's.
            (Phase::Discarding(_) | Phase::Gone, _) => (Deadline::Idle, self.heard, terms.linger),
            (_, Some(held))
                if held.output.len() > 0 && (over(held.taken.1, now, terms.stall) || held.input.len() == 0) =>
            {
                (Deadline::Stall, held.taken.1, terms.stall)
            }
            // Whoever wants it so has a reason with a deadline of its own.
            (Phase::Open, _) if self.waits => (Deadline::Idle, self.heard, u32::MAX),
            // Also while output waits: it may be taken so slowly that this would never come.
            (Phase::Open, Some(held)) if held.input.len() > 0 && !self.paused => {
                let (since, time) = shared.limits.message_ticks(held.began, held.header_done, held.need);
                (Deadline::Message, since, time)
            }
            // Not reading, or closing: the peer has only to take what waits.
            (_, Some(held)) if held.output.len() > 0 => (Deadline::Stall, held.taken.1, terms.stall),
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
            Phase::Dialing(ref mut dialing) => {
                shared.stats.expire(what);
                if what == Deadline::Drain {
                    dialing.give_up();
                }
                return self.dial_failed(io::ErrorKind::TimedOut.into());
            }
            Phase::Open => matches!(what, Deadline::Stall | Deadline::Drain),
            Phase::Closing => true,
        };
        shared.stats.expire(what);
        // Whatever it was since: this is the same time once more, should the protocol want it.
        self.heard = shared.now | (self.heard & MARK);
        if let Some(held) = &mut self.held {
            (held.began, held.taken) = (shared.now, (0, shared.now));
            held.header_done = held.header_done.map(|_| shared.now);
        }
        if !matches!(self.phase, Phase::Open) {
            // What is queued is not taken: without this the kernel would keep it for minutes.
            let _ = socket.set_linger(Some(Duration::ZERO));
            return Next::Remove;
        }
        self.speak(socket, key, shared, |protocol, out| match protocol.expired(what, out) {
            Flow::Close if lost => Flow::Abort,
            _ if what == Deadline::Drain => Flow::Abort,
            flow => flow,
        })
    }
}
