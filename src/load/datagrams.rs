//! Datagrams as a load: sockets of one thread, watched by a selector of their own.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::book::{Book, Sent, Tell, nanos};
use super::drive::{Drive, Share};
use super::exchange::{Exchange, Reply};
use super::plan::{Goal, Plan};
use super::tally::{Failure, Tally};
use super::tcp::Tcp;
use crate::events::{EVENT_READ, Events};
use crate::selector::{DefaultSelector, Key};
use crate::socket::{Socket, Transfer, connect_datagram, receive, send};

/// No datagram is longer (RFC 768).
const LONGEST: usize = 1 << 16;

/// Messages that are over, of which each socket remembers so many: what answers one of them is late, or comes twice.
const REMEMBERED: usize = 64;

/// How long at most before what is lost is looked for.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Datagrams<E> {
    selector: DefaultSelector<Socket, Peer>,
    keys: Vec<Key>,
    ready: Vec<(Key, Events)>,
    desk: Desk<E>,
    plan: Plan,
    share: Share,
    /// When it is looked again for what is lost.
    look_at: u64,
    end: u64,
}

/// What the sockets share.
struct Desk<E> {
    book: Book,
    exchange: E,
    in_flight: usize,
    timeout: Duration,
    /// Sockets that have room, the one that has had it longest first. Kept in an open loop only.
    idle: VecDeque<Key>,
    buffer: Box<[u8]>,
}

/// One socket.
struct Peer {
    number: u64,
    requests: u64,
    /// In the order in which they were sent.
    waiting: VecDeque<(u64, Sent)>,
    over: VecDeque<u64>,
    is_idle: bool,
}

impl<E: Exchange> Datagrams<E> {
    pub(super) fn open(plan: &Plan, exchange: E, share: Share) -> io::Result<Datagrams<E>> {
        let mut book = Book::new();
        let end = book.now().saturating_add(nanos(plan.most));
        let (address, in_flight) = (plan.address.resolved()?, plan.in_flight.max(1));
        let (mut selector, mut keys) = (DefaultSelector::new()?, Vec::new());
        for at in 0..share.part(plan.connections as u64) {
            let number = share.at as u64 + share.of as u64 * at;
            let (waiting, over) = (VecDeque::with_capacity(in_flight.min(1024)), VecDeque::with_capacity(REMEMBERED));
            let peer = Peer { number, requests: 0, waiting, over, is_idle: false };
            keys.push(selector.register(connect_datagram(&address, &plan.options)?, EVENT_READ, peer)?);
            book.tally.connected += 1;
        }
        let (buffer, idle) = (vec![0; LONGEST].into(), VecDeque::with_capacity(keys.len()));
        let desk = Desk { book, exchange, in_flight, timeout: plan.timeout, idle, buffer };
        let (plan, ready) = (plan.clone(), Vec::new());
        Ok(Datagrams { selector, keys, ready, desk, plan, share, look_at: 0, end })
    }

    fn start(&mut self) {
        self.desk.idle.clear();
        for key in self.keys.clone() {
            let now = self.desk.book.now();
            self.with(key, |desk, socket, peer| {
                peer.is_idle = false;
                peer.fill(desk, key, socket, now, u64::MAX)
            });
        }
    }

    /// Does this with a socket; one that fails is given up.
    fn with(&mut self, key: Key, act: impl FnOnce(&mut Desk<E>, &Socket, &mut Peer) -> io::Result<()>) {
        let Some((socket, peer)) = self.selector.get_mut(key) else { return };
        if let Err(error) = act(&mut self.desk, socket, peer) {
            self.desk.book.fail(Failure::of(&error), || format!("{}: {error}", self.plan.address));
            self.desk.book.give_up(peer.waiting.len() as u64);
            self.selector.unregister(key);
            self.keys.retain(|&other| other != key);
        }
    }

    /// What there is to do between two waits. Answers how long the next may be; `None`: it is over.
    fn step(&mut self) -> Option<Duration> {
        let now = self.desk.book.look();
        if self.plan.stop.is_stopped() {
            return None;
        }
        if now >= self.end {
            let (left, most) = (self.desk.book.in_flight, self.plan.most);
            self.desk.book.fail(Failure::Overran, || format!("not done after {most:?}; replies to come: {left}"));
            return None;
        }
        if now >= self.look_at {
            self.look_at = now + nanos((self.desk.timeout / 4).clamp(Duration::from_millis(1), LOOK));
            for key in self.keys.clone() {
                self.with(key, |desk, socket, peer| {
                    peer.forget_lost(desk, now);
                    peer.fill(desk, key, socket, now, u64::MAX)
                });
            }
        }
        while let backlog @ 1.. = self.desk.book.backlog(now)
            && let Some(key) = self.desk.idle.pop_front()
        {
            let share = backlog.div_ceil(self.desk.idle.len() as u64 + 1);
            self.with(key, |desk, socket, peer| {
                peer.is_idle = false;
                peer.fill(desk, key, socket, now, share)
            });
        }
        let book = &self.desk.book;
        if book.is_over(now) && book.in_flight == 0 || self.keys.is_empty() {
            return None;
        }
        let due = book.next_due(now).filter(|_| !self.desk.idle.is_empty());
        // Whole milliseconds where nothing is due: that is the wait that costs least.
        let look = Duration::from_millis(self.look_at.saturating_sub(now).div_ceil(1_000_000));
        Some(due.map_or(look, |due| look.min(Duration::from_nanos(due.saturating_sub(now)))))
    }
}

impl<E: Exchange> Drive for Datagrams<E> {
    fn go(&mut self, goal: Goal, tell: Option<(Duration, Tell)>) -> io::Result<Tally> {
        let (goal, rate) = self.share.of_plan(goal, self.plan.rate);
        self.desk.book.begin(goal, rate, tell);
        self.start();
        while let Some(wait) = self.step() {
            let mut ready = std::mem::take(&mut self.ready);
            self.selector.select_into(wait, &mut ready)?;
            for &(key, _) in &ready {
                self.with(key, |desk, socket, peer| peer.receive(desk, key, socket));
            }
            self.ready = ready;
        }
        Ok(self.desk.book.end())
    }

    fn tcp(&self) -> Option<Tcp> {
        None
    }
}

impl Peer {
    /// Takes what has come, a window of it at most.
    fn receive<E: Exchange>(&mut self, desk: &mut Desk<E>, key: Key, socket: &Socket) -> io::Result<()> {
        let now = desk.book.now();
        for _ in 0..desk.in_flight {
            let length = match receive(socket, &mut desk.buffer)? {
                Transfer::Moved(length) => length,
                Transfer::Closed => 0,
                Transfer::Pending => break,
            };
            let Desk { book, exchange, buffer, .. } = desk;
            let came = &buffer[..length];
            let mut answers = |number| length > 0 && exchange.reply(self.number, number, came) == Reply::Whole(length);
            if let Some(at) = self.waiting.iter().position(|&(number, _)| answers(number)) {
                if let Some((number, message)) = self.waiting.remove(at) {
                    book.answered(message, now, length);
                    self.remember(number);
                }
            } else if self.over.iter().any(|&number| answers(number)) {
                book.fail(Failure::Unexpected, || "a reply came late, or twice".to_owned());
            } else {
                book.fail(Failure::Wrong, || format!("a datagram of {length} bytes answers nothing that was asked"));
            }
            if self.waiting.is_empty() {
                break;
            }
        }
        self.fill(desk, key, socket, now, u64::MAX)
    }

    /// Sends what may be sent now, but no more than this.
    fn fill<E: Exchange>(
        &mut self,
        desk: &mut Desk<E>,
        key: Key,
        socket: &Socket,
        now: u64,
        most: u64,
    ) -> io::Result<()> {
        let mut left = most;
        while self.waiting.len() < desk.in_flight && left > 0 {
            let Some(message) = desk.book.next(now) else { break };
            let request = desk.exchange.request(self.number, self.requests);
            self.waiting.push_back((self.requests, message));
            self.requests += 1;
            left -= 1;
            desk.book.sent(message, request.len());
            // A full buffer is a loss like any other.
            send(socket, request)?;
        }
        if desk.book.is_paced() && self.waiting.len() < desk.in_flight && !self.is_idle {
            self.is_idle = true;
            desk.idle.push_back(key);
        }
        Ok(())
    }

    /// Waits no longer for what has not come in time.
    fn forget_lost<E>(&mut self, desk: &mut Desk<E>, now: u64) {
        while let Some(&(number, message)) = self.waiting.front()
            && now - message.at > nanos(desk.timeout)
        {
            self.waiting.pop_front();
            self.remember(number);
            desk.book.give_up(1);
            desk.book.fail(Failure::Lost, || format!("no reply to a datagram within {:?}", desk.timeout));
        }
    }

    fn remember(&mut self, number: u64) {
        if self.over.len() == REMEMBERED {
            self.over.pop_front();
        }
        self.over.push_back(number);
    }
}
