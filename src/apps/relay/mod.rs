//! A relay between clients and a target that makes a bad network of a good one: slow, late, in pieces, cut off. For tests of both sides.
//!
//! It runs on a [`Reactor`] and drives it: a client is a connection that the loop accepts, its target one that is dialled for it after the turn, since no
//! protocol can dial. The two protocols share what is under way between them: what one receives it puts there with the time, and the other passes it on,
//! piece by piece, each time it is poked. When to poke whom stands in an agenda that the relay goes through after each turn; one timer of the loop ends the
//! wait when the next piece is due. An idle relay has no timer and costs nothing.
//!
//! What is sent keeps its order. The end of one direction is passed on behind what is under way, the other direction goes on. A reset is passed on at once,
//! and what is under way is lost. A target that cannot be reached resets the client. Unix-domain sockets know no reset; there it is an end.
//!
//! Each direction of a connection holds at most 64 KiB that its receiver does not take, and what is under way: the rate times the delay, 1 MiB at most
//! with the former. Then its sender is not read until there is room, so that a delay without a rate passes about 1 MiB in each delay. A receiver that takes
//! nothing is given up by [`write_timeout`](crate::Limits::write_timeout), both directions silent by [`idle_timeout`](crate::Limits::idle_timeout), at the
//! latest after twice that; the other deadlines are for messages, which a relay does not know.
//!
//! ```
//! use selkey::apps::relay::{Relay, Rules, Settings};
//! use selkey::socket::{Address, Options, listen};
//! use selkey::{Protocol, Reactor};
//! use std::time::{Duration, Instant};
//! # use std::io::{Read, Write};
//! # use std::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! # let target = TcpListener::bind("127.0.0.1:0")?;
//! # let address = target.local_addr()?;
//! let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
//! let listener = listen(&Address::from("127.0.0.1:0"), &Options::default())?;
//! # let relayed = listener.bound().unwrap();
//! let mut settings = Settings::new(address);
//! settings.network = Rules { delay: Duration::from_millis(20), ..Rules::default() }.into();
//! let mut relay = Relay::start(&mut reactor, listener, settings)?;
//! # let handle = reactor.handle();
//! # let client = std::thread::spawn(move || {
//! #     let start = Instant::now();
//! #     let mut client = TcpStream::connect(relayed).unwrap();
//! #     client.write_all(b"Hello").unwrap();
//! #     let mut target = target.accept().unwrap().0;
//! #     target.read_exact(&mut [0; 5]).unwrap();
//! #     assert!(start.elapsed() >= Duration::from_millis(20));
//! #     handle.stop();
//! # });
//! relay.run(&mut reactor)?;
//! # client.join().unwrap();
//! # Ok(())
//! # }
//! ```

mod datagrams;
mod pair;
mod pipe;
mod rules;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Instant;

use super::transcript::Transcript;
use crate::reactor::{Protocol, Reactor, TimerKey};
use crate::selector::{Backend, Key};
use crate::socket::{Address, Listener, Options};

pub use datagrams::{Datagrams, Passed};
use pair::{Half, Pair, World};
use rules::End;
pub use rules::{Control, Network, Rules};

/// What a relay is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Whom to dial for each client. A name is looked up once.
    pub target: Address,
    /// For the connections to the target.
    pub dialled: Options,
    /// For the connections accepted.
    pub accepted: Options,
    /// The rules at the beginning.
    pub network: Network,
    /// Where chance begins: the same seed and the same pieces make the same jitter.
    pub seed: u64,
    /// Who is told what happens.
    pub transcript: Transcript,
}

impl Settings {
    /// To this target, letting everything pass as it comes, from seed 0, telling nobody.
    pub fn new(target: impl Into<Address>) -> Settings {
        Settings {
            target: target.into(),
            dialled: Options::default(),
            accepted: Options::default(),
            network: Network::default(),
            seed: 0,
            transcript: Transcript::silent(),
        }
    }
}

/// What a relay counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Clients accepted.
    pub accepted: u64,
    /// Clients reset, by a rule or since they or their target failed.
    pub reset: u64,
    /// Connections that are there now, to clients and to targets.
    pub open: usize,
    /// Bytes passed to targets.
    pub to_target: u64,
    /// Bytes passed to clients.
    pub to_client: u64,
    /// Bytes held now, with 32 more for each receive that they came in.
    pub held: usize,
}

/// A relay of streams on a loop.
pub struct Relay {
    target: Address,
    options: Options,
    world: Rc<World>,
    control: Control,
    /// What ends the wait when the next of the agenda is due.
    timer: Option<(Instant, TimerKey)>,
}

impl Relay {
    /// Lets the loop accept from `listener`. It relays while [`turn`](Relay::turn) or [`run`](Relay::run) is called, instead of the reactor's own.
    ///
    /// Of the reactor's limits those on bytes, on silence, on a receiver that takes nothing and on draining count, as they are now.
    ///
    /// # Errors
    /// The target's name is not known, or the selector does not take the listener.
    pub fn start<B: Backend>(
        reactor: &mut Reactor<Box<dyn Protocol>, B>,
        listener: impl Into<Listener>,
        settings: Settings,
    ) -> io::Result<Relay> {
        let Settings { target, dialled, accepted, network, seed, transcript } = settings;
        let handle = reactor.handle();
        let control = Control::new(network, move || handle.wake());
        let world = Rc::new(World {
            state: RefCell::new(control.state()),
            fresh: RefCell::default(),
            open: RefCell::default(),
            agenda: RefCell::default(),
            tally: Cell::default(),
            max_held: reactor.limits().max_held,
            seed: Cell::new(seed),
            transcript,
        });
        let relay = Relay { target: target.resolved()?, options: dialled, world: world.clone(), control, timer: None };
        reactor.serve(listener, move |socket| {
            world.transcript.apply(&accepted, socket);
            Box::new(Half { pair: Pair::new(world.transcript.peer(socket), &world), end: End::Client })
        })?;
        Ok(relay)
    }

    /// Changes the rules from elsewhere.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// What happened so far.
    pub fn tally(&self) -> Tally {
        self.world.tally.get()
    }

    /// As [`Reactor::run`].
    ///
    /// # Errors
    /// As [`Reactor::turn`].
    pub fn run<B: Backend>(&mut self, reactor: &mut Reactor<Box<dyn Protocol>, B>) -> io::Result<()> {
        while self.turn(reactor)? {}
        Ok(())
    }

    /// As [`Reactor::turn`]; then dials for new clients, and passes on what is due.
    ///
    /// # Errors
    /// As [`Reactor::turn`].
    pub fn turn<B: Backend>(&mut self, reactor: &mut Reactor<Box<dyn Protocol>, B>) -> io::Result<bool> {
        let more = reactor.turn()?;
        for pair in self.world.fresh.take() {
            let half = Half { pair: pair.clone(), end: End::Target };
            if let Err(error) = reactor.dial_with(self.target.clone(), &self.options, Box::new(half)) {
                pair.borrow_mut().reset(format_args!("{error}"));
            }
        }
        if let Some(state) = self.control.changed() {
            self.world.state.replace(state);
            // What a poke closes takes itself out meanwhile.
            let open = self.world.open.borrow().clone();
            for key in open {
                poke(reactor, key);
            }
        }
        // What becomes due meanwhile has its turn after the others.
        let now = Instant::now();
        while let Some(key) = self.due(now) {
            poke(reactor, key);
        }
        self.set_timer(reactor);
        Ok(more)
    }

    /// Takes the next that is due off the agenda.
    fn due(&self, now: Instant) -> Option<Key> {
        let mut agenda = self.world.agenda.borrow_mut();
        let (when, _) = agenda.first()?;
        if *when <= now { agenda.pop_first().map(|(_, key)| key) } else { None }
    }

    fn set_timer<B: Backend>(&mut self, reactor: &mut Reactor<Box<dyn Protocol>, B>) {
        let next = self.world.agenda.borrow().first().map(|(when, _)| *when);
        if self.timer.map(|(when, _)| when) == next {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            reactor.cancel(timer);
        }
        if let Some(when) = next {
            let wait = when.saturating_duration_since(Instant::now());
            // Where it is due before the loop waits, so that it does not.
            self.timer = Some((when, reactor.after(wait, |reactor| reactor.handle().wake())));
        }
    }
}

fn poke<B: Backend>(reactor: &mut Reactor<Box<dyn Protocol>, B>, key: Key) {
    // One that closes is not poked any more, and need not be.
    reactor.poke(key, |half, out| half.receive(&[], out));
}
