//! Connections of one thread that are driven for a while, again and again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use std::{io, mem, thread};

use super::book::{Book, Sent, Tell, nanos};
use super::client::{Client, Desk, Place};
use super::drive::{Drive, Share};
use super::exchange::Exchange;
use super::plan::{Goal, Plan};
use super::tally::{Failure, Tally};
use super::tcp::Tcp;
use crate::error::errno;
use crate::reactor::{Limits, Reactor};
use crate::socket::Address;

/// Dials under way at once: fewer than the shortest usual backlog, so that none is dropped there.
const DIALLING: usize = 64;

/// How long a dial rests after the system had no place for it: the queue of a Unix-domain listener was full.
const REST: Duration = Duration::from_millis(1);

/// Connections that are kept from one slice of time to the next, all in the calling thread.
///
/// ```
/// use std::thread;
/// use std::time::Duration;
/// use selkey::load::{Echo, Plan, Session};
/// use selkey::{Flow, Reactor, from_fn};
///
/// # fn main() -> std::io::Result<()> {
/// # let (send, receive) = std::sync::mpsc::channel();
/// let server = thread::spawn(move || {
///     let mut reactor = Reactor::new()?;
///     let address = reactor.listen("127.0.0.1:0", |_| {
///         from_fn(|input, out| {
///             out.lend(input);
///             Flow::used(input.len())
///         })
///     })?;
///     send.send((address, reactor.handle())).unwrap();
///     reactor.run()
/// });
/// let (address, handle) = receive.recv().unwrap();
///
/// let mut plan = Plan::new(address);
/// (plan.connections, plan.in_flight) = (4, 2);
/// let mut session = Session::open(&plan, Echo::new(64))?;
/// for _ in 0..2 {
///     let tally = session.slice(Duration::from_millis(20))?;
///     assert!(tally.errors.is_empty());
///     println!("{:.0} messages/s, median {:?}", tally.rate(), tally.latency.quantile(0.5));
/// }
/// # drop(session);
/// # handle.stop();
/// # server.join().unwrap()
/// # }
/// ```
pub struct Session<E: Exchange> {
    reactor: Reactor<Client<E>>,
    desk: Rc<RefCell<Desk<E>>>,
    plan: Plan,
    address: Address,
    share: Share,
    /// Connections dialled so far.
    dialled: u64,
    /// Dials that rest, since when they have been tried, and for which message.
    resting: Vec<(u32, u64, Option<Sent>)>,
    /// Everything is over at this moment.
    end: u64,
}

impl<E: Exchange> Session<E> {
    /// Connects as the plan says, unless its connections are dialled when they are needed. A connection that does not come about is an error of the next slice.
    ///
    /// # Errors
    /// The name is not known, or the process is out of descriptors or memory.
    pub fn open(plan: &Plan, exchange: E) -> io::Result<Session<E>> {
        Session::open_share(plan, exchange, Share { at: 0, of: 1 })
    }

    pub(super) fn open_share(plan: &Plan, exchange: E, share: Share) -> io::Result<Session<E>> {
        let mut book = Book::new();
        let end = book.now().saturating_add(nanos(plan.most));
        let places = share.part(plan.connections as u64) as u32;
        let desk = Desk {
            book,
            exchange,
            in_flight: plan.in_flight.max(1),
            per_connection: plan.per_connection.map_or(u64::MAX, |number| number.max(1)),
            timeout: plan.timeout,
            places: vec![Place::default(); places as usize],
            dialling: 0,
            lost: 0,
            idle: VecDeque::with_capacity(places as usize),
            free: (0..places).rev().collect(),
        };
        let mut reactor = Reactor::new()?;
        reactor.set_limits(unlimited(plan.timeout));
        let mut session = Session {
            reactor,
            desk: Rc::new(RefCell::new(desk)),
            plan: plan.clone(),
            address: plan.address.resolved()?,
            share,
            dialled: 0,
            resting: Vec::new(),
            end,
        };
        if plan.per_connection.is_none() {
            session.connect()?;
        }
        Ok(session)
    }

    fn connect(&mut self) -> io::Result<()> {
        loop {
            let now = self.desk.borrow_mut().book.now();
            while let (true, Some(place)) = self.next_place() {
                self.dial(place, now, None);
            }
            let rest = self.wake_rested();
            let is_done = {
                let desk = self.desk.borrow();
                desk.dialling == 0 && desk.free.is_empty() && self.resting.is_empty()
            };
            if is_done || now >= self.end || self.plan.stop.is_stopped() {
                return Ok(());
            }
            self.wait(rest)?;
        }
    }

    /// Whether one more may be dialled now, and where it will be then.
    fn next_place(&self) -> (bool, Option<u32>) {
        let mut desk = self.desk.borrow_mut();
        if desk.dialling < DIALLING { (true, desk.free.pop()) } else { (false, None) }
    }

    fn dial(&mut self, place: u32, since: u64, first: Option<Sent>) {
        let number = self.share.at as u64 + self.share.of as u64 * self.dialled;
        let client = Client::new(&self.desk, place, number, first);
        match self.reactor.dial_with(self.address.clone(), &self.plan.options, client) {
            Ok(_) => self.dialled += 1,
            Err(error) => {
                let Desk { book, lost, .. } = &mut *self.desk.borrow_mut();
                let is_full = errno(&error) == Some(libc::EAGAIN) && self.address.path().is_some();
                if is_full && book.now() - since < nanos(self.plan.timeout) {
                    // It will be sent still.
                    book.in_flight += u64::from(first.is_some());
                    self.resting.push((place, since, first));
                } else {
                    book.fail(Failure::of(&error), || error.to_string());
                    *lost += 1;
                }
            }
        }
    }

    /// Dials again where there was no place. Answers how long others rest.
    fn wake_rested(&mut self) -> Option<Duration> {
        for (place, since, first) in mem::take(&mut self.resting) {
            self.dial(place, since, first);
        }
        (!self.resting.is_empty()).then_some(REST)
    }

    /// Sends and receives for this long, as the plan says, and waits until all replies are in; the connections stay. What is told is of this time alone, and of the
    /// connecting before it.
    ///
    /// # Errors
    /// The system's selector failed. What happens to connections is told in the [`Tally`].
    pub fn slice(&mut self, time: Duration) -> io::Result<Tally> {
        self.go(Goal::For(time), None)
    }

    /// As [`slice`](Session::slice), until a goal is reached.
    ///
    /// # Errors
    /// As `slice`.
    pub fn until(&mut self, goal: Goal) -> io::Result<Tally> {
        self.go(goal, None)
    }

    /// What the kernel knows of some of the connections that are open now, at most 100. `None` where there is none, or it is not TCP, or the system does not say.
    pub fn tcp(&self) -> Option<Tcp> {
        let places = &self.desk.borrow().places;
        let keys = places.iter().step_by(places.len().div_ceil(Tcp::SAMPLE).max(1)).filter_map(|place| place.key);
        Tcp::of(keys.filter_map(|key| self.reactor.socket(key)))
    }

    /// Lets every connection begin.
    fn start(&mut self) {
        let places = {
            let Desk { places, idle, .. } = &mut *self.desk.borrow_mut();
            idle.clear();
            places.iter_mut().for_each(|place| place.is_idle = false);
            places.len()
        };
        for place in 0..places {
            let key = self.desk.borrow().places[place].key;
            if let Some(key) = key {
                self.reactor.poke(key, |client, out| client.go_on(out));
            }
        }
    }

    /// What there is to do between two turns. Answers how long the next may wait; `None`: it is over.
    #[inline]
    fn step(&mut self) -> Option<Option<Duration>> {
        {
            let mut desk = self.desk.borrow_mut();
            let Desk { book, free, .. } = &mut *desk;
            let alone = free.is_empty() && self.resting.is_empty();
            let busy = book.in_flight > 0 && book.progress && alone && !book.is_paced();
            if busy && book.last < self.end && !self.plan.stop.is_stopped() {
                book.progress = false;
                return Some(None);
            }
        }
        self.step_slowly()
    }

    #[inline(never)]
    fn step_slowly(&mut self) -> Option<Option<Duration>> {
        let now = self.desk.borrow_mut().book.look();
        if self.plan.stop.is_stopped() {
            return None;
        }
        if now >= self.end {
            let mut desk = self.desk.borrow_mut();
            let (left, most) = (desk.book.in_flight, self.plan.most);
            desk.book.fail(Failure::Overran, || format!("not done after {most:?}; replies to come: {left}"));
            return None;
        }
        let rest = self.wake_rested();
        if self.plan.per_connection.is_some() {
            self.dial_what_is_due();
        }
        self.deal_what_is_due();
        let desk = self.desk.borrow();
        if desk.book.is_over(now) && desk.book.in_flight == 0 || desk.lost == desk.places.len() {
            return None;
        }
        // Where nobody has room, a reply is what goes on.
        let has_room = !desk.idle.is_empty() || !desk.free.is_empty() && desk.dialling < DIALLING;
        let due = desk.book.next_due(now).filter(|_| has_room);
        let due = due.map(|due| Duration::from_nanos(due.saturating_sub(now)));
        Some(rest.into_iter().chain(due).min())
    }

    fn dial_what_is_due(&mut self) {
        while let (true, Some(place)) = self.next_place() {
            let mut desk = self.desk.borrow_mut();
            let now = desk.book.now();
            let Some(first) = desk.book.next(now) else {
                return desk.free.push(place);
            };
            drop(desk);
            self.dial(place, now, Some(first));
        }
    }

    /// Gives what is due to connections that have room, in turn and evenly.
    fn deal_what_is_due(&mut self) {
        loop {
            let mut desk = self.desk.borrow_mut();
            let Desk { book, idle, places, .. } = &mut *desk;
            let now = book.now();
            let backlog = if idle.is_empty() { 0 } else { book.backlog(now) };
            if backlog == 0 {
                return;
            }
            let share = backlog.div_ceil(idle.len() as u64);
            let Some(place) = idle.pop_front() else { return };
            let place = &mut places[place as usize];
            place.is_idle = false;
            let key = place.key;
            drop(desk);
            if let Some(key) = key {
                self.reactor.poke(key, |client, out| client.take_share(now, share, out));
            }
        }
    }

    /// One turn of the loop. Answers whether there is anything in it.
    #[inline]
    fn wait(&mut self, most: Option<Duration>) -> io::Result<bool> {
        let is_filled = self.reactor.turn_within(most)?;
        if let (false, Some(time)) = (is_filled, most) {
            // A loop with nothing in it does not wait.
            thread::sleep(time.min(Duration::from_millis(100)));
        }
        Ok(is_filled)
    }
}

impl<E: Exchange> Drive for Session<E> {
    fn go(&mut self, goal: Goal, tell: Option<(Duration, Tell)>) -> io::Result<Tally> {
        let (goal, rate) = self.share.of_plan(goal, self.plan.rate);
        self.desk.borrow_mut().book.begin(goal, rate, tell);
        self.start();
        while let Some(wait) = self.step() {
            if !self.wait(wait)? && wait.is_none() {
                break;
            }
        }
        Ok(self.desk.borrow_mut().book.end())
    }

    fn tcp(&self) -> Option<Tcp> {
        Session::tcp(self)
    }
}

/// The loop's limits are for peers that came by themselves: these were called.
fn unlimited(timeout: Duration) -> Limits {
    let mut limits = Limits::default();
    (limits.header_timeout, limits.message_timeout) = (timeout, timeout);
    (limits.idle_timeout, limits.write_timeout) = (timeout, timeout);
    (limits.high_water, limits.max_input, limits.max_held) = (usize::MAX, usize::MAX, usize::MAX);
    limits.min_rate = usize::MAX;
    limits
}
