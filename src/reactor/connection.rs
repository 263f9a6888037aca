//! One connection: what it is doing, what it holds, and what it wants next.

mod late;
mod long_way;

use std::io;
use std::net::Shutdown;

use super::deadlines::{MARK, Tick};
use super::desk::{Desk, Shared};
use super::dialing::Dialing;
use super::out::Out;
use super::protocol::{Flow, Protocol};
use super::sink::Sink;
use crate::events::{EVENT_READ, EVENT_WRITE, Events};
use crate::selector::Key;
use crate::socket::{self, Dial, Socket, Transfer};
use long_way::{Held, short};

/// How much of what a peer still sends is read and dropped before its connection is closed; a close with unread bytes would reset the connection
/// and take our last word with it.
const DISCARD: usize = 1 << 20;

/// More than that.
const NEVER: u32 = u32::MAX;

pub(super) struct Connection<P> {
    pub(super) protocol: P,
    phase: Phase,
    /// Nearly always `None`: the peer keeps up and messages come whole.
    held: Option<Box<Held>>,
    /// How many bytes must come at once to go the short way: what the protocol asked for, or `NEVER` while something is held.
    short: u32,
    /// When the last message was used or the last of the output sent; with `MARK`, when it was accepted and nothing was heard since. While dialling and
    /// waiting for the peer's end, since when.
    heard: Tick,
    /// What the selector was told last.
    pub(super) interest: Events,
    /// The peer sends no more.
    ended: bool,
    /// Not reading until the socket is writable and the output has drained to the low-water mark.
    paused: bool,
    /// Not reading until a poke: the protocol wants it so.
    waits: bool,
    /// Nothing more is sent after what is queued.
    finish: Finish,
    kind: Kind,
}

/// How far the half-close of a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finish {
    No,
    Wanted,
    Done,
}

/// Where a connection came from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Accepted,
    /// Accepted beyond the limit, to be told so.
    Refused,
    Dialled,
    /// Whoever brought it knows how long it may be silent: it has no deadlines.
    Adopted,
}

enum Phase {
    Dialing(Box<Dialing>),
    Open,
    /// Sending what is queued, then no more.
    Closing,
    /// Everything is with the kernel; reading until the peer is done too, or until this many bytes came and ours have arrived.
    Discarding(usize),
    Gone,
}

/// What the loop shall do with a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Same,
    /// Wait for what is now its `interest`.
    Watch,
    Remove,
    /// This address did not answer; the next one, on a new socket.
    Redial,
}

impl<P: Protocol> Connection<P> {
    pub(super) fn open(protocol: P, kind: Kind, now: Tick) -> Connection<P> {
        Connection {
            protocol,
            phase: Phase::Open,
            interest: EVENT_READ,
            held: None,
            short: 1,
            heard: now | MARK,
            ended: false,
            paused: false,
            waits: false,
            finish: Finish::No,
            kind,
        }
    }

    pub(super) fn dialing(protocol: P, dialing: Box<Dialing>, now: Tick) -> Connection<P> {
        let phase = Phase::Dialing(dialing);
        Connection { phase, interest: EVENT_WRITE, ..Connection::open(protocol, Kind::Dialled, now) }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The addresses left to try and the protocol, of a connection that was not made.
    pub(super) fn into_dialing(self) -> Option<(Box<Dialing>, P)> {
        match self.phase {
            Phase::Dialing(dialing) => Some((dialing, self.protocol)),
            _ => None,
        }
    }

    /// Does what the socket is ready for, once.
    #[inline]
    pub(super) fn advance(&mut self, socket: &Socket, ready: Events, key: Key, desk: &mut Desk) -> Next {
        match self.phase {
            Phase::Open if ready == EVENT_READ => self.exchange(socket, key, desk),
            _ => self.advance_otherwise(socket, ready, key, desk),
        }
    }

    /// The short way, which nearly every message goes: nothing was held, all of it is used, and the kernel takes all of the answer.
    #[inline(always)]
    fn exchange(&mut self, mut socket: &Socket, key: Key, desk: &mut Desk) -> Next {
        let Desk { input, shared } = desk;
        let n = match socket::receive(socket, &mut input[..]) {
            Ok(Transfer::Moved(n)) => n,
            Ok(Transfer::Pending) => return Next::Same,
            Ok(Transfer::Closed) => return self.ended(socket, key, shared),
            Err(error) => return self.settle(socket, shared, Err(error)),
        };
        shared.stats.received += n as u64;
        let (input, now) = (&input[..n], shared.now);
        if (n as u32) < self.short {
            return self.take_in(input, socket, key, shared);
        }
        let mut out = Out::new(input, shared, 0, key);
        match self.protocol.receive(input, &mut out) {
            Flow::More { used, need } if used == n => {
                if let Some(lent) = out.lent_alone() {
                    match Sink::send(&mut socket, lent, false) {
                        Ok(sent) if sent == lent.len() => {
                            self.short = short(need);
                            self.heard = now;
                            out.count(sent);
                            return Next::Same;
                        }
                        Ok(sent) => {
                            self.hold(now).output.append(&lent[sent..]);
                            out.lent_is_sent(sent);
                        }
                        Err(error) => {
                            let shared = out.forget();
                            return self.settle(socket, shared, Err(error));
                        }
                    }
                }
                self.answer(Flow::More { used, need }, out, input, socket, key)
            }
            flow => self.answer(flow, out, input, socket, key),
        }
    }

    /// The long way.
    #[inline(always)]
    fn answer(&mut self, flow: Flow, out: Out<'_, '_>, input: &[u8], socket: &Socket, key: Key) -> Next {
        let (outcome, shared) = self.obey(flow, out, input.len(), socket);
        let outcome = outcome.and_then(|used| {
            shared.stats.requests += u64::from(used > 0);
            self.hear(input, used, socket, key, shared)
        });
        self.settle(socket, shared, outcome)
    }

    #[inline(never)]
    fn advance_otherwise(&mut self, socket: &Socket, ready: Events, key: Key, desk: &mut Desk) -> Next {
        let outcome = match self.phase {
            Phase::Open | Phase::Closing => self.write(socket, ready, key, &mut desk.shared),
            Phase::Discarding(left) => return self.discard(socket, left, desk),
            Phase::Dialing(_) => return self.dialled(socket, key, &mut desk.shared),
            Phase::Gone => return Next::Remove,
        };
        if outcome.is_ok() && ready.contains(EVENT_READ) && self.wants().contains(EVENT_READ) {
            return self.exchange(socket, key, desk);
        }
        self.settle(socket, &mut desk.shared, outcome)
    }

    /// Lets the protocol speak first.
    pub(super) fn start(&mut self, socket: &Socket, key: Key, shared: &mut Shared) -> Next {
        if self.kind == Kind::Refused {
            return self.speak(socket, key, shared, |protocol, out| match protocol.refuse(out) {
                Flow::Abort => Flow::Abort,
                _ => Flow::Close,
            });
        }
        self.phase = Phase::Open;
        self.speak(socket, key, shared, |protocol, out| protocol.open(out))
    }

    /// Lets the protocol speak unasked. `None`: the connection is not open.
    pub(super) fn poke(
        &mut self,
        socket: &Socket,
        key: Key,
        shared: &mut Shared,
        speak: impl FnOnce(&mut P, &mut Out<'_, '_>) -> Flow,
    ) -> Option<Next> {
        if !matches!(self.phase, Phase::Open) {
            return None;
        }
        let need = self.need();
        let next = self.speak(socket, key, shared, speak);
        // Unless it wants to be asked again in any case.
        if self.need() > 0 {
            self.ask_for(need, shared.now);
        }
        Some(next)
    }

    fn speak(
        &mut self,
        socket: &Socket,
        key: Key,
        shared: &mut Shared,
        speak: impl FnOnce(&mut P, &mut Out<'_, '_>) -> Flow,
    ) -> Next {
        let mut out = Out::new(&[], shared, self.waiting(), key);
        let flow = speak(&mut self.protocol, &mut out);
        let (outcome, shared) = self.obey(flow, out, 0, socket);
        self.settle(socket, shared, outcome.map(drop))
    }

    fn dialled(&mut self, socket: &Socket, key: Key, shared: &mut Shared) -> Next {
        match socket::progress(socket) {
            Ok(Dial::Connected) => {
                self.heard = shared.now;
                self.start(socket, key, shared)
            }
            Ok(Dial::Pending) => Next::Same,
            Ok(Dial::Failed(errno)) => self.dial_failed(io::Error::from_raw_os_error(errno)),
            Err(error) => self.dial_failed(error),
        }
    }

    fn dial_failed(&mut self, error: io::Error) -> Next {
        if let Phase::Dialing(dialing) = &mut self.phase {
            dialing.last = error;
        }
        Next::Redial
    }

    fn wants(&self) -> Events {
        let read = match self.phase {
            Phase::Open if !self.ended && !self.paused && !self.waits => EVENT_READ,
            Phase::Discarding(_) => EVENT_READ,
            _ => Events::default(),
        };
        if self.paused || self.waiting() > 0 { read | EVENT_WRITE } else { read }
    }

    /// What the loop has to do after a step, if anything.
    #[inline(never)]
    fn settle(&mut self, socket: &Socket, shared: &mut Shared, outcome: io::Result<()>) -> Next {
        if let Err(error) = outcome.and_then(|()| self.within_limits(shared)) {
            shared.stats.fail(&error);
            self.protocol.failed(error);
            return Next::Remove;
        }
        self.let_go(shared);
        if self.finish == Finish::Wanted && self.waiting() == 0 {
            self.finish = Finish::Done;
            // It fails where the peer reset the connection, which the next receive tells.
            let _ = socket.shutdown(Shutdown::Write);
        }
        if matches!(self.phase, Phase::Closing) && self.waiting() == 0 {
            // Everything is sent: say so, and let the peer finish.
            if self.ended || socket.shutdown(Shutdown::Write).is_err() {
                return Next::Remove;
            }
            (self.phase, self.heard) = (Phase::Discarding(DISCARD), shared.now);
        }
        match self.wants() {
            _ if matches!(self.phase, Phase::Gone) => Next::Remove,
            wants if wants == self.interest => Next::Same,
            wants => {
                self.interest = wants;
                Next::Watch
            }
        }
    }
}
