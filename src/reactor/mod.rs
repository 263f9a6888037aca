//! The loop: it accepts, dials, receives, sends and closes, and asks a [`Protocol`] what to answer.
//!
//! One thread, one selector, any number of connections. The answer to a request goes out in the turn in which the request came in; write
//! interest is asked for only after the kernel refused bytes; an idle connection costs nothing.
//!
//! What the loop promises whatever peers do: one receive for each wake and connection, so that nobody starves the others; reading pauses
//! above the high-water mark of unsent output; a reset, a half-close or the end of the descriptors ends no loop; whoever is silent, slow or
//! too many is dealt with as [`Limits`] say.

mod accept;
mod connection;
mod deadlines;
mod desk;
mod dialing;
mod handle;
mod limits;
mod out;
mod protocol;
mod reserve;
mod roster;
mod sink;
mod stats;
mod timers;
mod waiting;

use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::error::about;
use crate::events::{EVENT_READ, Events};
use crate::selector::{Backend, DefaultBackend, Key, Selector, ticker};
use crate::socket::{self, Address, Options, Socket};

use accept::{Listener, Starved};
use connection::{Connection, Kind, Next};
use deadlines::Clock;
use desk::Desk;
use dialing::Dialing;
pub use dialing::Retry;
use handle::Asked;
pub use handle::Handle;
pub use limits::Limits;
pub use out::Out;
pub use protocol::{Deadline, Flow, FromFn, Protocol, from_fn};
pub use sink::Sink;
pub use stats::Stats;
pub use timers::TimerKey;
use timers::Timers;

/// A loop over connections that all speak `P`; `Box<dyn Protocol>` lets them speak different ones.
///
/// ```
/// use selkey::{Flow, Out, Protocol, Reactor};
///
/// /// Sends a word, hangs up when it came back.
/// struct Ping;
///
/// impl Protocol for Ping {
///     fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
///         out.write(b"ping");
///         Flow::More { used: 0, need: 4 }
///     }
///     fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
///         assert_eq!(input, b"ping");
///         Flow::Close
///     }
/// }
///
/// /// Sends back what comes.
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
///         out.lend(input);
///         Flow::used(input.len())
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
/// let address = reactor.listen("127.0.0.1:0", |_| Box::new(Echo) as Box<dyn Protocol>)?;
/// reactor.dial(address, Box::new(Ping))?;
/// reactor.handle().drain(); // listen no more once whoever waits was accepted; run until the last one has hung up
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
pub struct Reactor<P, B = DefaultBackend> {
    selector: Selector<Socket, Entry<P>, B>,
    desk: Desk,
    handle: Handle,
    listeners: Vec<Key>,
    starved: Starved,
    clock: Clock,
    timers: Timers<P, B>,
    /// Dials that rest until they begin again.
    redials: Vec<(Instant, Box<Dialing>, P)>,
    /// Told how long the work of each turn took.
    on_turn: Option<Box<dyn FnMut(Duration)>>,
    /// Something may have happened that no event tells: look before the next wait.
    look_up: bool,
    /// Why a listener was given up; the next turn says so.
    broken: Option<io::Error>,
    busy_poll: Option<Duration>,
}

enum Entry<P> {
    Connection(Connection<P>),
    Listener(Box<Listener<P>>),
    Ticker,
}

impl<P: Protocol> Reactor<P> {
    /// A loop with nothing in it, over the best backend of the platform.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    pub fn new() -> io::Result<Self> {
        Self::with_backend(DefaultBackend::new()?)
    }
}

impl<P: Protocol, B: Backend> Reactor<P, B> {
    /// A loop with nothing in it, over this backend.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    pub fn with_backend(backend: B) -> io::Result<Self> {
        let mut selector = Selector::with_backend(backend);
        let handle = Handle::new(selector.waker()?);
        let ticker = match ticker::open() {
            Ok(ticker) => Some(selector.register(ticker.into(), EVENT_READ, Entry::Ticker)?),
            // Then the loop reads the time itself.
            Err(_) => None,
        };
        Ok(Reactor {
            selector,
            desk: Desk::new(),
            handle,
            listeners: Vec::new(),
            starved: Starved::default(),
            clock: Clock::new(ticker),
            timers: Timers::new(),
            redials: Vec::new(),
            on_turn: None,
            look_up: true,
            broken: None,
            busy_poll: None,
        })
    }

    /// Sets what peers may do; also for connections that are there.
    pub fn set_limits(&mut self, limits: Limits) {
        self.desk.shared.set_limits(limits);
    }

    /// What peers may do.
    pub fn limits(&self) -> &Limits {
        &self.desk.shared.limits
    }

    /// What happened so far.
    pub fn stats(&self) -> &Stats {
        &self.desk.shared.stats
    }

    /// Looks for this long without sleeping before each wait: an answer comes sooner by what it takes to wake a sleeper, for a processor that never rests
    /// while there is something to do. Default: not at all.
    pub fn set_busy_poll(&mut self, time: Duration) {
        self.busy_poll = Some(time).filter(|time| !time.is_zero());
    }

    /// Calls `tell` after each turn with the time that its work took, without the wait. Costs two looks at the clock a turn.
    pub fn on_turn(&mut self, tell: impl FnMut(Duration) + 'static) {
        self.on_turn = Some(Box::new(tell));
    }

    /// Calls `tell` when accepting pauses because descriptors or memory ran out, at most once a second.
    pub fn on_starved(&mut self, tell: impl FnMut(&io::Error) + 'static) {
        self.starved.tell = Some(Box::new(tell));
    }

    /// Listens on `address` and answers where that is: port 0 takes a free one. `make` makes the protocol of each connection.
    ///
    /// A Unix-domain address has no port to answer: make a listener with [`socket::listen`] and [`serve`](Reactor::serve) it.
    ///
    /// # Errors
    /// The address is not known, in use, not ours or a path; the error names it.
    pub fn listen(
        &mut self,
        address: impl Into<Address>,
        make: impl FnMut(&Socket) -> P + 'static,
    ) -> io::Result<SocketAddr> {
        let address = address.into();
        if address.path().is_some() {
            let what = format!("cannot answer a port for {address}: listen and serve it instead");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let listener = socket::listen(&address, &Options::default())?;
        let bound = listener.bound().ok_or(io::ErrorKind::AddrNotAvailable)?;
        self.serve(listener, make)?;
        Ok(bound)
    }

    /// Accepts from a listener that is there already: inherited, or with options of its own. It becomes non-blocking.
    ///
    /// # Errors
    /// The selector does not take it.
    pub fn serve(
        &mut self,
        listener: impl Into<socket::Listener>,
        make: impl FnMut(&Socket) -> P + 'static,
    ) -> io::Result<Key> {
        reserve::keep();
        let (socket, file) = listener.into().into_parts();
        socket.set_nonblocking(true)?;
        let entry = Entry::Listener(Box::new(Listener::new(make, file)));
        let key = self.selector.register(socket, EVENT_READ, entry)?;
        self.listeners.push(key);
        Ok(key)
    }

    /// Connects to `address`, trying all addresses of a name in turn. Looking a name up may block; connecting does not.
    ///
    /// How it ends the protocol is told: [`open`](Protocol::open), or [`failed`](Protocol::failed) with an error that names the address. When another address of
    /// the name is tried, the key changes; in `open` and later [`Out::key`] says it.
    ///
    /// # Errors
    /// The name is not known, or every address failed at once; the error names it.
    pub fn dial(&mut self, address: impl Into<Address>, protocol: P) -> io::Result<Key> {
        self.dial_with(address, &Options::default(), protocol)
    }

    /// As [`dial`](Reactor::dial), with these socket options.
    ///
    /// # Errors
    /// As `dial`; an option that is refused is a failure of every address.
    pub fn dial_with(&mut self, address: impl Into<Address>, options: &Options, protocol: P) -> io::Result<Key> {
        let dialing = Box::new(Dialing::new(address.into(), options.clone(), None)?);
        let key = self.attempt(dialing, protocol).map_err(|(_, error)| error)?;
        key.ok_or_else(|| unreachable!("only a dial with a retry rests"))
    }

    /// As [`dial_with`](Reactor::dial_with), and again when no address answered: the protocol hears of a failure only when it is the last one. Until the
    /// connection is there it has no key. A loop that drains gives up.
    ///
    /// # Errors
    /// The name is not known.
    pub fn dial_retrying(
        &mut self,
        address: impl Into<Address>,
        options: &Options,
        retry: Retry,
        protocol: P,
    ) -> io::Result<()> {
        let dialing = Box::new(Dialing::new(address.into(), options.clone(), Some(retry))?);
        self.dial_on(dialing, protocol);
        Ok(())
    }

    /// Takes in a stream that is connected already: an end of a socket pair, an accepted or inherited connection. It becomes non-blocking.
    ///
    /// It has no deadlines, and counts for none of [`Limits`] but those on bytes: whoever brings it knows how long it may be silent.
    ///
    /// # Errors
    /// The selector does not take it.
    pub fn adopt(&mut self, stream: impl Into<Socket>, protocol: P) -> io::Result<Key> {
        let stream = stream.into();
        stream.set_nonblocking(true)?;
        self.admit(stream, protocol, Kind::Adopted)
    }

    /// Lets the protocol of a connection speak unasked. Answers whether there was an open connection with this key.
    ///
    /// What `speak` answers counts as from [`Protocol::receive`] with no input, but how much input the protocol needs stays as it was.
    pub fn poke(&mut self, key: Key, speak: impl FnOnce(&mut P, &mut Out<'_, '_>) -> Flow) -> bool {
        let Some((socket, Entry::Connection(connection))) = self.selector.get_mut(key) else { return false };
        let next = connection.poke(socket, key, &mut self.desk.shared, speak);
        self.act(key, next.unwrap_or(Next::Same));
        next.is_some()
    }

    /// The socket of a connection or a listener, to ask the kernel about it or to set an option. Whoever receives or sends there comes between the loop and
    /// the protocol.
    pub fn socket(&self, key: Key) -> Option<&Socket> {
        self.selector.get_key(key).map(|entry| entry.fileobj())
    }

    /// A handle that ends the loop from outside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Turns until [`Handle::stop`], or until nothing is left to watch.
    ///
    /// There is no timeout: as long as a listener is there, somebody may come.
    ///
    /// # Errors
    /// As [`turn`](Reactor::turn).
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn()? {}
        Ok(())
    }

    /// Waits until something is ready, a signal came or a handle was used, and deals with it. Answers whether the loop should go on.
    ///
    /// # Errors
    /// The wait failed, or a listener cannot be used any more (it is dropped, the rest stays); nothing a peer does is an error here.
    pub fn turn(&mut self) -> io::Result<bool> {
        self.turn_within(None)
    }

    /// As [`turn`](Reactor::turn), but waits no longer than this: for a program that has something of its own to do then. A loop with nothing in it does not wait.
    ///
    /// # Errors
    /// As `turn`.
    #[inline]
    pub fn turn_within(&mut self, most: impl Into<Option<Duration>>) -> io::Result<bool> {
        let most = most.into();
        let count = if !self.look_up {
            self.wait(most)?
        } else {
            match self.look_up()? {
                ControlFlow::Continue(timeout) => self.wait(timeout.into_iter().chain(most).min())?,
                ControlFlow::Break(()) => return Ok(false),
            }
        };
        let start = self.on_turn.is_some().then(Instant::now);
        if count == 0 {
            self.look_up = true;
        }
        let mut ticked = None;
        for at in 0..count {
            let Some((key, events, socket, entry)) = self.selector.ready(at) else {
                // A wake, or a connection that went earlier in this turn.
                self.look_up = true;
                continue;
            };
            match entry {
                Entry::Connection(connection) => {
                    let next = connection.advance(socket, events, key, &mut self.desk);
                    if next != Next::Same {
                        self.act(key, next);
                    }
                }
                Entry::Listener(_) => self.accept_some(key),
                Entry::Ticker => ticked = Some(key),
            }
        }
        match ticked {
            Some(key) => self.tick(key),
            None if self.clock.is_read() => self.look_at_clock(),
            None => {}
        }
        if let (Some(start), Some(tell)) = (start, &mut self.on_turn) {
            tell(start.elapsed());
        }
        Ok(true)
    }
}
