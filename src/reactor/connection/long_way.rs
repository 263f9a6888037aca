//! The long way of a connection: parts of messages, full outputs, ends.

use std::mem;
use std::time::Duration;

use super::*;
use crate::buffer::Buffer;

/// What a peer must take of what waits for it within the time for that.
const PROGRESS: usize = 4 << 10;

/// What a connection keeps between two turns, while it has to.
pub(super) struct Held {
    /// How many unused bytes the protocol asked for; 0 after `Later`, which has the same rest again whatever lies there.
    pub(super) need: usize,
    /// Received and not used yet.
    pub(super) input: Buffer,
    /// When the first byte of it came, or what came before it was used.
    pub(super) began: Tick,
    /// When its header was whole, as the protocol says.
    pub(super) header_done: Option<Tick>,
    /// Queued and refused by the kernel.
    pub(super) output: Buffer,
    /// How much of it the peer took since when: since it began to wait, or since the last `PROGRESS` bytes were taken.
    pub(super) taken: (usize, Tick),
    /// Bytes of memory that are counted for these buffers.
    counted: usize,
}

/// A [`Flow`] without its numbers: those travel in registers, a whole flow through memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    More,
    Later,
    Wait,
    Finish,
    Close,
    Abort,
}

impl<P: Protocol> Connection<P> {
    pub(super) fn waiting(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.output.len())
    }

    pub(super) fn need(&self) -> usize {
        self.held.as_ref().map_or(self.short as usize, |held| held.need)
    }

    pub(super) fn ask_for(&mut self, need: usize, now: Tick) {
        match &mut self.held {
            Some(held) => held.need = need,
            // The short way knows no 0.
            None if need == 0 => self.hold(now).need = 0,
            None => self.short = short(need),
        }
    }

    pub(super) fn hold(&mut self, now: Tick) -> &mut Held {
        self.held.get_or_insert_with(|| {
            Box::new(Held {
                need: mem::replace(&mut self.short, NEVER) as usize,
                input: Buffer::default(),
                // The first message is due from the start.
                began: if self.heard & MARK != 0 { self.heard } else { now },
                header_done: None,
                output: Buffer::default(),
                taken: (0, now),
                counted: 0,
            })
        })
    }

    pub(super) fn let_go(&mut self, shared: &mut Shared) {
        if let Some(held) = &self.held
            && held.input.len() + held.output.len() == 0
            && held.need > 0
        {
            shared.stats.held -= held.counted;
            self.short = short(held.need);
            self.held = None;
        }
    }

    /// Counts what is held, and looks whether it may be.
    pub(super) fn within_limits(&mut self, shared: &mut Shared) -> io::Result<()> {
        let Some(held) = &mut self.held else { return Ok(()) };
        let (before, takes) = (held.counted, held.input.capacity() + held.output.capacity());
        held.counted = takes;
        shared.stats.held = shared.stats.held - before + takes;
        let limits = &shared.limits;
        let what = if held.input.len() > limits.max_input {
            format!("{} bytes of an unfinished message, the limit is {}", held.input.len(), limits.max_input)
        } else if takes > before && shared.stats.held > limits.max_held {
            format!("{} bytes are held for all connections, the limit is {}", shared.stats.held, limits.max_held)
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, what))
    }

    /// What is counted for this connection, which ends.
    pub(in crate::reactor) fn counted(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.counted)
    }

    /// What was received while something is held, or is less than the protocol asked for.
    #[inline(never)]
    pub(super) fn take_in(&mut self, input: &[u8], socket: &Socket, key: Key, shared: &mut Shared) -> Next {
        let outcome = match &mut self.held {
            Some(held) if held.input.len() > 0 => {
                held.input.append(input);
                self.hear_held(socket, key, shared)
            }
            _ => self.hear(input, 0, socket, key, shared),
        };
        self.settle(socket, shared, outcome)
    }

    #[inline(never)]
    pub(super) fn ended(&mut self, socket: &Socket, key: Key, shared: &mut Shared) -> Next {
        let outcome = self.end(socket, key, shared);
        self.settle(socket, shared, outcome)
    }

    fn hear_held(&mut self, socket: &Socket, key: Key, shared: &mut Shared) -> io::Result<()> {
        let Some(held) = &mut self.held else { return Ok(()) };
        let mut input = mem::take(&mut held.input);
        let used = self.hear_out(input.as_slice(), 0, socket, key, shared)?;
        input.consume(used);
        if let Some(held) = &mut self.held {
            held.input = input;
        }
        Ok(())
    }

    /// Hands the input from `used` on to the protocol, and holds what it leaves.
    pub(super) fn hear(
        &mut self,
        input: &[u8],
        used: usize,
        socket: &Socket,
        key: Key,
        shared: &mut Shared,
    ) -> io::Result<()> {
        let used = self.hear_out(input, used, socket, key, shared)?;
        if used < input.len() {
            let fresh = self.heard & MARK != 0;
            let held = self.hold(shared.now);
            if held.input.len() == 0 && !fresh {
                held.began = shared.now;
            }
            held.input.append(&input[used..]);
        }
        Ok(())
    }

    /// Hands the input to the protocol until it wants more than there is, or the output is full. Answers how much is used.
    fn hear_out(
        &mut self,
        input: &[u8],
        mut used: usize,
        socket: &Socket,
        key: Key,
        shared: &mut Shared,
    ) -> io::Result<usize> {
        while !self.paused && input.len() - used >= self.need() {
            let rest = &input[used..];
            let mut out = Out::new(rest, shared, self.waiting(), key);
            let flow = self.protocol.receive(rest, &mut out);
            let (outcome, shared) = self.obey(flow, out, rest.len(), socket);
            let part = outcome?;
            shared.stats.requests += u64::from(part > 0);
            used += part;
        }
        Ok(used)
    }

    /// Sends what the protocol queued, and does what it wants. Answers how much of what it was offered is used.
    #[inline(always)]
    pub(super) fn obey<'o>(
        &mut self,
        flow: Flow,
        out: Out<'_, 'o>,
        offered: usize,
        socket: &Socket,
    ) -> (io::Result<usize>, &'o mut Shared) {
        // Whatever the protocol asks for: never again with the same bytes, unless it put them off while output drains.
        let (verb, used, need) = match flow {
            Flow::More { used: 0, need } => (Verb::More, 0, need.max(offered + 1)),
            Flow::More { used, need } => (Verb::More, used.min(offered), need.max(1)),
            Flow::Later { used: 0 } if out.queued() == 0 => (Verb::More, 0, offered + 1),
            Flow::Later { used } => (Verb::Later, used.min(offered), 0),
            Flow::Wait => (Verb::Wait, offered, 1),
            Flow::Finish => (Verb::Finish, offered, 1),
            Flow::Close => (Verb::Close, offered, 1),
            Flow::Abort => (Verb::Abort, offered, 1),
        };
        let (outcome, shared) = self.obey_verb(verb, used, need, out, socket);
        (outcome.map(|()| used), shared)
    }

    #[inline(never)]
    fn obey_verb<'o>(
        &mut self,
        verb: Verb,
        used: usize,
        need: usize,
        out: Out<'_, 'o>,
        mut socket: &Socket,
    ) -> (io::Result<()>, &'o mut Shared) {
        let (now, speaks) = (out.now(), out.queued() > 0);
        let (outcome, shared) = match verb {
            Verb::Abort => {
                // Only the kind of farewell is lost where this fails.
                let _ = socket.set_linger(Some(Duration::ZERO));
                (Ok(()), out.forget())
            }
            _ => out.deliver(&mut socket, |refused| self.hold(now).queue(refused, now)),
        };
        if used > 0 {
            self.heard = now;
        } else if speaks {
            // Also where the peer was not heard yet.
            self.heard = now | (self.heard & MARK);
        }
        if let Some(held) = &mut self.held
            && used > 0
        {
            (held.began, held.header_done) = (now, None);
        }
        if mem::take(&mut shared.header_done) {
            // What it said before of the same message holds.
            self.hold(now).header_done.get_or_insert(now);
        }
        // Later waits until the socket is writable even where the kernel took everything: a protocol that always has more to say to a peer that
        // always reads would keep the loop for itself.
        self.paused |= verb == Verb::Later || self.waiting() >= shared.limits.high_water;
        self.waits = verb == Verb::Wait;
        match verb {
            Verb::More | Verb::Later | Verb::Wait => {}
            Verb::Finish if !self.ended => {
                if self.finish == Finish::No {
                    self.finish = Finish::Wanted;
                }
            }
            Verb::Close | Verb::Finish => (self.phase, self.paused) = (Phase::Closing, false),
            Verb::Abort => self.phase = Phase::Gone,
        }
        self.ask_for(need, now);
        (outcome, shared)
    }

    fn end(&mut self, socket: &Socket, key: Key, shared: &mut Shared) -> io::Result<()> {
        self.ended = true;
        let mut rest = self.held.as_mut().map(|held| mem::take(&mut held.input)).unwrap_or_default();
        let mut out = Out::new(&[], shared, self.waiting(), key);
        let flow = self.protocol.end(rest.as_slice(), &mut out);
        // Later with nothing to wait for would be for ever.
        let flow = if out.queued() == 0 && matches!(flow, Flow::Later { .. }) { Flow::Close } else { flow };
        let (outcome, shared) = self.obey(flow, out, rest.len(), socket);
        rest.consume(outcome?);
        if self.need() == 0 {
            self.hold(shared.now).input = rest;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, socket: &Socket, ready: Events, key: Key, shared: &mut Shared) -> io::Result<()> {
        if !ready.contains(EVENT_WRITE) {
            return Ok(());
        }
        if let Some(held) = &mut self.held
            && held.output.len() > 0
            && let Transfer::Moved(n) = socket::send(socket, held.output.as_slice())?
        {
            held.output.consume(n);
            held.taken.0 += n;
            if held.taken.0 >= PROGRESS {
                held.taken = (0, shared.now);
            }
            shared.stats.sent += n as u64;
            self.heard = shared.now | (self.heard & MARK);
            if self.waiting() == 0 {
                self.protocol.drained();
            }
        }
        if self.paused && self.waiting() <= shared.limits.low_water() {
            self.paused = false;
            // What was put off comes first.
            match self.phase {
                Phase::Open if !self.ended => self.hear_held(socket, key, shared)?,
                Phase::Open if self.need() == 0 => self.end(socket, key, shared)?,
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn discard(&mut self, socket: &Socket, left: usize, desk: &mut Desk) -> Next {
        let left = match socket::receive(socket, &mut desk.input[..]) {
            Ok(Transfer::Moved(n)) => left.saturating_sub(n),
            Ok(Transfer::Pending) => return Next::Same,
            Ok(Transfer::Closed) | Err(_) => return Next::Remove,
        };
        self.phase = Phase::Discarding(left);
        // A close would reset the connection now, and what the kernel has not sent yet would be lost.
        if left > 0 || socket::is_unacknowledged(socket) { Next::Same } else { Next::Remove }
    }
}

impl Held {
    /// Keeps output that the kernel refused.
    fn queue(&mut self, refused: &[u8], now: Tick) {
        if self.output.len() == 0 {
            self.taken = (0, now);
        }
        self.output.append(refused);
    }
}

/// `need` as what must come at once to go the short way.
#[inline(always)]
pub(super) fn short(need: usize) -> u32 {
    need.clamp(1, NEVER as usize) as u32
}
