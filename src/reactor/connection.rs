//! One connection: what it is doing, what it holds, and what it wants next.

mod long_way;

use std::io;
use std::net::Shutdown;

use super::dialing::Dialing;
use super::out::{Out, Queue};
use super::protocol::{Flow, Protocol};
use super::sink::Sink;
use crate::events::{EVENT_READ, EVENT_WRITE, Events};
use crate::selector::Key;
use crate::socket::{self, Dial, Socket, Transfer};
use long_way::{Held, short};

/// How much of what a peer still sends is read and dropped before its connection is closed; a close with unread bytes would reset the connection
/// and take our last word with it.
const DISCARD: usize = 1 << 20;

/// How much is received at once.
const RECEIVE: usize = 64 << 10;

/// More than that.
const NEVER: u32 = u32::MAX;

/// Received into, and collected in, by all connections of a loop in turn.
pub(super) struct Desk {
    pub(super) input: Box<[u8; RECEIVE]>,
    pub(super) queue: Queue,
}

impl Desk {
    pub(super) fn new() -> Desk {
        // From a list, so that it never lies on the stack.
        let input = vec![0; RECEIVE].try_into().unwrap_or_else(|_| unreachable!("it has that length"));
        Desk { input, queue: Queue::default() }
    }
}

pub(super) struct Connection<P> {
    pub(super) protocol: P,
    phase: Phase,
    /// Nearly always `None`: the peer keeps up and messages come whole.
    held: Option<Box<Held>>,
    /// How many bytes must come at once to go the short way: what the protocol asked for, or `NEVER` while something is held.
    short: u32,
    /// What the selector was told last.
    pub(super) interest: Events,
    /// The peer sends no more.
    ended: bool,
    /// Not reading until the socket is writable and the output has drained to the low-water mark.
    paused: bool,
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
    pub(super) fn open(protocol: P) -> Connection<P> {
        Connection {
            protocol,
            phase: Phase::Open,
            interest: EVENT_READ,
            held: None,
            short: 1,
            ended: false,
            paused: false,
        }
    }

    pub(super) fn dialing(protocol: P, dialing: Box<Dialing>) -> Connection<P> {
        Connection { phase: Phase::Dialing(dialing), interest: EVENT_WRITE, ..Connection::open(protocol) }
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
        let Desk { input, queue } = desk;
        let n = match socket::receive(socket, &mut input[..]) {
            Ok(Transfer::Moved(n)) => n,
            Ok(Transfer::Pending) => return Next::Same,
            Ok(Transfer::Closed) => return self.ended(socket, key, queue),
            Err(error) => return self.settle(socket, Err(error)),
        };
        let input = &input[..n];
        if (n as u32) < self.short {
            return self.take_in(input, socket, key, queue);
        }
        let mut out = Out::new(input, queue, 0, key);
        match self.protocol.receive(input, &mut out) {
            Flow::More { used, need } if used == n => {
                if let Some(lent) = out.lent_alone() {
                    match Sink::send(&mut socket, lent, false) {
                        Ok(sent) if sent == lent.len() => {
                            self.short = short(need);
                            return Next::Same;
                        }
                        Ok(sent) => {
                            self.hold().output.append(&lent[sent..]);
                            out.lent_is_sent();
                        }
                        Err(error) => return self.settle(socket, Err(error)),
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
        let outcome = match self.obey(flow, out, input.len(), socket) {
            Ok((used, queue)) => self.hear(input, used, socket, key, queue),
            Err(error) => Err(error),
        };
        self.settle(socket, outcome)
    }

    #[inline(never)]
    fn advance_otherwise(&mut self, socket: &Socket, ready: Events, key: Key, desk: &mut Desk) -> Next {
        let outcome = match self.phase {
            Phase::Open | Phase::Closing => self.write(socket, ready, key, desk),
            Phase::Discarding(left) => return self.discard(socket, left, desk),
            Phase::Dialing(_) => return self.dialled(socket, key, desk),
            Phase::Gone => return Next::Remove,
        };
        if outcome.is_ok() && ready.contains(EVENT_READ) && self.wants().contains(EVENT_READ) {
            return self.exchange(socket, key, desk);
        }
        self.settle(socket, outcome)
    }

    /// Lets the protocol speak first.
    pub(super) fn start(&mut self, socket: &Socket, key: Key, desk: &mut Desk) -> Next {
        self.phase = Phase::Open;
        self.speak(socket, key, desk, |protocol, out| protocol.open(out))
    }

    /// Lets the protocol speak unasked. `None`: the connection is not open.
    pub(super) fn poke(
        &mut self,
        socket: &Socket,
        key: Key,
        desk: &mut Desk,
        speak: impl FnOnce(&mut P, &mut Out<'_, '_>) -> Flow,
    ) -> Option<Next> {
        if !matches!(self.phase, Phase::Open) {
            return None;
        }
        let need = self.need();
        let next = self.speak(socket, key, desk, speak);
        // Unless it wants to be asked again in any case.
        if self.need() > 0 {
            self.ask_for(need);
        }
        Some(next)
    }

    fn speak(
        &mut self,
        socket: &Socket,
        key: Key,
        desk: &mut Desk,
        speak: impl FnOnce(&mut P, &mut Out<'_, '_>) -> Flow,
    ) -> Next {
        let mut out = Out::new(&[], &mut desk.queue, self.waiting(), key);
        let flow = speak(&mut self.protocol, &mut out);
        let outcome = self.obey(flow, out, 0, socket).map(drop);
        self.settle(socket, outcome)
    }

    fn dialled(&mut self, socket: &Socket, key: Key, desk: &mut Desk) -> Next {
        match socket::progress(socket) {
            Ok(Dial::Connected) => self.start(socket, key, desk),
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
            Phase::Open if !self.ended && !self.paused => EVENT_READ,
            Phase::Discarding(_) => EVENT_READ,
            _ => Events::default(),
        };
        if self.paused || self.waiting() > 0 { read | EVENT_WRITE } else { read }
    }

    /// What the loop has to do after a step, if anything.
    #[inline(never)]
    fn settle(&mut self, socket: &Socket, outcome: io::Result<()>) -> Next {
        if let Err(error) = outcome {
            self.protocol.failed(error);
            return Next::Remove;
        }
        self.let_go();
        if matches!(self.phase, Phase::Closing) && self.waiting() == 0 {
            // Everything is sent: say so, and let the peer finish.
            if self.ended || socket.shutdown(Shutdown::Write).is_err() {
                return Next::Remove;
            }
            self.phase = Phase::Discarding(DISCARD);
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
