//! A client and its target as two protocols that share what is under way between them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::mem;
use std::rc::Rc;
use std::time::Instant;

use super::Tally;
use super::pipe::{Due, Pipe};
use super::rules::{End, State};
use crate::apps::transcript::Transcript;
use crate::reactor::{Deadline, Flow, Out, Protocol};
use crate::selector::Key;

/// What all pairs of a relay share.
pub(super) struct World {
    pub(super) state: RefCell<State>,
    /// Clients that have no target yet.
    pub(super) fresh: RefCell<Vec<Rc<RefCell<Pair>>>>,
    /// Connections that are open.
    pub(super) open: RefCell<BTreeSet<Key>>,
    /// When to poke which of them.
    pub(super) agenda: RefCell<BTreeSet<(Instant, Key)>>,
    pub(super) tally: Cell<Tally>,
    /// Bytes held for all pairs together beyond which one that brings more is reset.
    pub(super) max_held: usize,
    pub(super) seed: Cell<u64>,
    pub(super) transcript: Transcript,
}

impl World {
    fn count(&self, count: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally.get();
        count(&mut tally);
        self.tally.set(tally);
    }
}

pub(super) struct Pair {
    world: Rc<World>,
    /// How the transcript names it.
    client: String,
    sides: [Side; 2],
    /// From the client, from the target.
    pipes: [Pipe; 2],
    /// What of [`Tally::held`] is this pair's.
    held: usize,
    /// Something has passed since a deadline was last asked about.
    moved: bool,
    /// Both are to be reset.
    reset: bool,
}

#[derive(Default)]
struct Side {
    /// `None` before it is open.
    key: Option<Key>,
    alarm: Option<Instant>,
    /// It is not read, since what it sent fills its pipe.
    waits: bool,
    /// It sends no more.
    ended: bool,
    /// It was told that no more comes.
    finished: bool,
    gone: bool,
}

impl Pair {
    pub(super) fn new(client: String, world: &Rc<World>) -> Rc<RefCell<Pair>> {
        let now = Instant::now();
        let seed = world.seed.get();
        world.seed.set(seed.wrapping_add(2));
        Rc::new(RefCell::new(Pair {
            world: world.clone(),
            client,
            sides: Default::default(),
            pipes: [Pipe::new(now, seed), Pipe::new(now, seed.wrapping_add(1))],
            held: 0,
            moved: false,
            reset: false,
        }))
    }

    /// Pokes this end then, and not when it was to be poked before.
    fn ring(&mut self, end: End, when: Option<Instant>) {
        let side = &mut self.sides[end as usize];
        let Some(key) = side.key.filter(|_| !side.gone) else { return };
        let mut agenda = self.world.agenda.borrow_mut();
        if let Some(before) = mem::replace(&mut side.alarm, when) {
            agenda.remove(&(before, key));
        }
        agenda.extend(when.map(|when| (when, key)));
    }

    /// What comes to `end` next.
    fn due(&mut self, end: End) -> Due {
        let state = self.world.state.borrow();
        let from = end.other();
        self.pipes[from as usize].next(state.network.rules(from), state.thaw)
    }

    fn take(&mut self, from: End, bytes: &[u8], now: Instant) {
        // Nobody is there to get it.
        if !self.sides[from.other() as usize].gone {
            self.pipes[from as usize].put(bytes, now);
        }
        self.count_held();
        let (held, limit) = (self.world.tally.get().held, self.world.max_held);
        if held > limit {
            self.reset(format_args!("{held} bytes are held for all connections, the limit is {limit}"));
        }
        self.ring(from.other(), Some(now));
    }

    fn count_held(&mut self) {
        let held = self.pipes.iter().map(Pipe::held).sum();
        let before = mem::replace(&mut self.held, held);
        self.world.count(|tally| tally.held = tally.held - before + held);
    }

    /// Passes on to `end` what is due, in one piece, and answers how to go on there.
    fn speak(&mut self, end: End, out: &mut Out<'_, '_>) -> Flow {
        let (now, from) = (Instant::now(), end.other());
        if self.reset {
            return Flow::Abort;
        }
        // What the kernel has not taken yet comes first, and says when it is gone.
        if out.queued() == 0 {
            let mut due = self.due(end);
            match due {
                Due::Piece(at, length) if at <= now => {
                    self.pipes[from as usize].pass(at, length, now, |bytes| out.write(bytes));
                    self.moved = true;
                    self.world.count(|tally| match end {
                        End::Target => tally.to_target += length as u64,
                        End::Client => tally.to_client += length as u64,
                    });
                    due = self.due(end);
                }
                Due::End(at) if at <= now => {
                    self.pipes[from as usize].pass_end();
                    self.sides[end as usize].finished = true;
                    due = Due::Nothing;
                }
                Due::Reset => {
                    let passed = self.pipes[from as usize].passed();
                    let to = if end == End::Target { "to" } else { "from" };
                    self.reset(format_args!("{passed} bytes {to} the target have passed"));
                    return Flow::Abort;
                }
                _ => {}
            }
            self.ring(
                end,
                match due {
                    Due::Piece(at, _) | Due::End(at) => Some(at),
                    Due::Reset => Some(now),
                    Due::Nothing => None,
                },
            );
            self.count_held();
            let room = self.pipes[from as usize].has_room(self.world.state.borrow().network.rules(from));
            if self.sides[from as usize].waits && room {
                self.ring(from, Some(now));
            }
        }
        let (side, counterpart) = (&self.sides[end as usize], &self.sides[from as usize]);
        match side.finished {
            true if side.ended || counterpart.gone => Flow::Close,
            true => Flow::Finish,
            false => self.listen(end, 0),
        }
    }

    /// Whether to go on reading this end, of which so many bytes are dealt with.
    fn listen(&mut self, end: End, used: usize) -> Flow {
        let state = self.world.state.borrow();
        let (rules, pipe) = (state.network.rules(end), &self.pipes[end as usize]);
        let side = &mut self.sides[end as usize];
        side.waits = if side.waits { !pipe.has_room(rules) } else { pipe.is_full(rules) };
        if side.waits { Flow::Wait } else { Flow::used(used) }
    }

    /// Resets whoever is there.
    pub(super) fn reset(&mut self, why: std::fmt::Arguments<'_>) {
        if !mem::replace(&mut self.reset, true) {
            self.world.count(|tally| tally.reset += 1);
            self.world.transcript.say(format_args!("Resetting {}: {why}", self.client));
        }
        for end in [End::Client, End::Target] {
            self.ring(end, Some(Instant::now()));
        }
    }

    /// Whether something is under way, or to be.
    fn is_busy(&self) -> bool {
        !self.pipes.iter().all(Pipe::is_silent)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.world.count(|tally| tally.held -= self.held);
        if self.sides[End::Client as usize].key.is_some() {
            let [to, from] = self.pipes.each_ref().map(Pipe::passed);
            self.world
                .transcript
                .say(format_args!("Closed {}: {to} bytes to the target, {from} bytes back", self.client));
        }
    }
}

/// One connection of a pair.
pub(super) struct Half {
    pub(super) pair: Rc<RefCell<Pair>>,
    pub(super) end: End,
}

impl Protocol for Half {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        let mut pair = self.pair.borrow_mut();
        pair.sides[self.end as usize].key = Some(out.key());
        pair.world.open.borrow_mut().insert(out.key());
        pair.world.count(|tally| tally.open += 1);
        if self.end == End::Client {
            pair.world.transcript.say(format_args!("Accepted connection from {}", pair.client));
            pair.world.count(|tally| tally.accepted += 1);
            pair.world.fresh.borrow_mut().push(self.pair.clone());
        }
        // After the turn, so that rules that were changed before bytes were sent count for them.
        pair.ring(self.end, Some(Instant::now()));
        pair.listen(self.end, 0)
    }

    /// Without input: passes on what is due.
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        let mut pair = self.pair.borrow_mut();
        if input.is_empty() {
            return pair.speak(self.end, out);
        }
        pair.take(self.end, input, Instant::now());
        pair.listen(self.end, input.len())
    }

    fn end(&mut self, _rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
        let mut pair = self.pair.borrow_mut();
        let now = Instant::now();
        pair.pipes[self.end as usize].end(now);
        pair.sides[self.end as usize].ended = true;
        pair.ring(self.end.other(), Some(now));
        if pair.sides[self.end as usize].finished { Flow::Close } else { Flow::MORE }
    }

    fn refuse(&mut self, _out: &mut Out<'_, '_>) -> Flow {
        let pair = self.pair.borrow();
        pair.world.transcript.say(format_args!("Refusing {}: too many connections", pair.client));
        Flow::Close
    }

    fn expired(&mut self, what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        let mut pair = self.pair.borrow_mut();
        match what {
            // Who speaks first is the protocol's own affair, and one direction may be silent as long as the other is not.
            Deadline::Open => pair.listen(self.end, 0),
            Deadline::Idle | Deadline::Message if mem::take(&mut pair.moved) || pair.is_busy() => {
                pair.listen(self.end, 0)
            }
            Deadline::Idle | Deadline::Message => {
                pair.world.transcript.say(format_args!("Giving up on {}: {what}", pair.client));
                Flow::Close
            }
            _ => {
                pair.reset(format_args!("{what}"));
                Flow::Abort
            }
        }
    }

    fn drained(&mut self) {
        self.pair.borrow_mut().ring(self.end, Some(Instant::now()));
    }

    fn is_busy(&self) -> bool {
        self.pair.borrow().is_busy()
    }

    fn failed(&mut self, error: io::Error) {
        let mut pair = self.pair.borrow_mut();
        if !pair.pipes[self.end as usize].is_hole() {
            let who = if self.end == End::Client { "the client" } else { "the target" };
            pair.reset(format_args!("{who}: {error}"));
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        let mut pair = self.pair.borrow_mut();
        pair.ring(self.end, None);
        let side = &mut pair.sides[self.end as usize];
        side.gone = true;
        if let Some(key) = side.key {
            pair.world.open.borrow_mut().remove(&key);
            pair.world.count(|tally| tally.open -= 1);
        }
        let now = Instant::now();
        pair.pipes[self.end as usize].end(now);
        pair.ring(self.end.other(), Some(now));
    }
}
