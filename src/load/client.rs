//! One connection of a generator, on the loop.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::book::{Book, Sent, nanos};
use super::exchange::{Exchange, Reply};
use super::tally::Failure;
use crate::reactor::{Deadline, Flow, Out, Protocol};
use crate::selector::Key;

/// What the connections of a thread share.
pub(super) struct Desk<E> {
    pub(super) book: Book,
    pub(super) exchange: E,
    pub(super) in_flight: usize,
    pub(super) per_connection: u64,
    pub(super) timeout: Duration,
    /// Where connections are, one at a time.
    pub(super) places: Vec<Place>,
    pub(super) dialling: usize,
    /// Places whose connection has room, the one that has had it longest first. Kept in an open loop only.
    pub(super) idle: VecDeque<u32>,
    /// Places whose connection failed: nobody will be there again.
    pub(super) lost: usize,
    /// Places where nobody is yet, or whose connection has done all it was to do.
    pub(super) free: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// Of a connection that is open.
    pub(super) key: Option<Key>,
    /// Whether it is among those that have room.
    pub(super) is_idle: bool,
}

pub(super) struct Client<E: Exchange> {
    desk: Rc<RefCell<Desk<E>>>,
    place: u32,
    /// The connection's number for the exchange.
    number: u64,
    requests: u64,
    replies: u64,
    /// In the order in which they were sent.
    on_their_way: VecDeque<Sent>,
    /// The message for which it was dialled.
    first: Option<Sent>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Dialling,
    Open,
    /// All that was to be done is.
    Done,
    Failed,
}

impl<E: Exchange> Client<E> {
    pub(super) fn new(desk: &Rc<RefCell<Desk<E>>>, place: u32, number: u64, first: Option<Sent>) -> Client<E> {
        desk.borrow_mut().dialling += 1;
        let on_their_way = VecDeque::with_capacity(desk.borrow().in_flight);
        let desk = desk.clone();
        Client { desk, place, number, requests: 0, replies: 0, on_their_way, first, stage: Stage::Dialling }
    }

    /// Sends what may be sent now.
    pub(super) fn go_on(&mut self, out: &mut Out<'_, '_>) -> Flow {
        let desk = self.desk.clone();
        let desk = &mut *desk.borrow_mut();
        let now = desk.book.now();
        self.fill(desk, now, u64::MAX, out)
    }

    /// Sends its share of what is due.
    pub(super) fn take_share(&mut self, now: u64, share: u64, out: &mut Out<'_, '_>) -> Flow {
        let desk = self.desk.clone();
        self.fill(&mut desk.borrow_mut(), now, share, out)
    }

    #[inline]
    fn fill(&mut self, desk: &mut Desk<E>, now: u64, most: u64, out: &mut Out<'_, '_>) -> Flow {
        if let Some(oldest) = self.on_their_way.front()
            && now - oldest.at > nanos(desk.timeout)
        {
            return self.too_late(desk);
        }
        let mut left = most;
        while self.on_their_way.len() < desk.in_flight && self.requests < desk.per_connection && left > 0 {
            let Some(message) = desk.book.next(now) else { break };
            self.send(desk, message, out);
            left -= 1;
        }
        let place = &mut desk.places[self.place as usize];
        let has_room = self.on_their_way.len() < desk.in_flight && self.requests < desk.per_connection;
        if desk.book.is_paced() && has_room && !place.is_idle {
            place.is_idle = true;
            desk.idle.push_back(self.place);
        }
        Flow::MORE
    }

    #[inline]
    fn send(&mut self, desk: &mut Desk<E>, message: Sent, out: &mut Out<'_, '_>) {
        let request = desk.exchange.request(self.number, self.requests);
        out.write(request);
        desk.book.sent(message, request.len());
        self.requests += 1;
        self.on_their_way.push_back(message);
    }

    #[cold]
    fn too_late(&mut self, desk: &mut Desk<E>) -> Flow {
        let (timeout, number) = (desk.timeout, self.replies);
        self.fail(desk, Failure::TimedOut, || {
            format!("no reply to message {number} of a connection within {timeout:?}")
        })
    }

    #[cold]
    fn fail(&mut self, desk: &mut Desk<E>, failure: Failure, first: impl FnOnce() -> String) -> Flow {
        // The first word of a connection says what happened to it.
        if self.stage != Stage::Failed {
            desk.book.fail(failure, first);
            desk.lost += 1;
        }
        self.leave(desk);
        self.stage = Stage::Failed;
        Flow::Abort
    }

    /// It is not one of those that are open any more.
    fn leave(&mut self, desk: &mut Desk<E>) {
        match self.stage {
            Stage::Dialling => {
                desk.dialling -= 1;
                desk.book.in_flight -= u64::from(self.first.is_some());
            }
            Stage::Open => desk.places[self.place as usize].key = None,
            Stage::Done | Stage::Failed => {}
        }
        desk.book.give_up(self.on_their_way.len() as u64);
        self.on_their_way.clear();
    }
}

impl<E: Exchange> Protocol for Client<E> {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        let desk = self.desk.clone();
        let desk = &mut *desk.borrow_mut();
        let now = desk.book.now();
        self.stage = Stage::Open;
        desk.places[self.place as usize].key = Some(out.key());
        desk.dialling -= 1;
        desk.book.tally.connected += 1;
        if let Some(first) = self.first.take() {
            self.send(desk, Sent { at: now, ..first }, out);
        }
        self.fill(desk, now, u64::MAX, out)
    }

    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        let desk = self.desk.clone();
        let desk = &mut *desk.borrow_mut();
        let now = desk.book.now();
        let (mut used, mut need) = (0, 1);
        while used < input.len() {
            let Some(&message) = self.on_their_way.front() else {
                let more = input.len() - used;
                return self.fail(desk, Failure::Wrong, || format!("{more} bytes that nobody asked for"));
            };
            match desk.exchange.reply(self.number, self.replies, &input[used..]) {
                Reply::Whole(length) => {
                    // Whatever the exchange says: no more than there is, and not for ever.
                    let length = length.clamp(1, input.len() - used);
                    used += length;
                    self.replies += 1;
                    self.on_their_way.pop_front();
                    desk.book.answered(message, now, length);
                }
                Reply::Part { need: all } => {
                    need = all;
                    break;
                }
                Reply::Wrong(why) => return self.fail(desk, Failure::Wrong, || why),
            }
        }
        if self.replies >= desk.per_connection {
            self.leave(desk);
            self.stage = Stage::Done;
            return Flow::Close;
        }
        match self.fill(desk, now, u64::MAX, out) {
            Flow::More { .. } => Flow::More { used, need },
            flow => flow,
        }
    }

    fn end(&mut self, rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
        let desk = self.desk.clone();
        let (replies, bytes) = (self.on_their_way.len(), rest.len());
        self.fail(&mut desk.borrow_mut(), Failure::Closed, || match (replies, bytes) {
            (0, _) => "closed while nothing was asked".to_owned(),
            (_, 0) => format!("closed; replies to come: {replies}"),
            _ => format!("closed after {bytes} bytes of a reply; replies to come: {replies}"),
        })
    }

    fn expired(&mut self, _what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        if self.on_their_way.is_empty() {
            // Silent are we.
            return Flow::MORE;
        }
        let desk = self.desk.clone();
        self.too_late(&mut desk.borrow_mut())
    }

    fn failed(&mut self, error: io::Error) {
        let desk = self.desk.clone();
        let _ = self.fail(&mut desk.borrow_mut(), Failure::of(&error), || error.to_string());
    }
}

impl<E: Exchange> Drop for Client<E> {
    fn drop(&mut self) {
        let desk = self.desk.clone();
        let desk = &mut *desk.borrow_mut();
        self.leave(desk);
        if self.stage == Stage::Done {
            desk.free.push(self.place);
        }
    }
}
