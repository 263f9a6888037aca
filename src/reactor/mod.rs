//! The loop: it accepts, dials, receives, sends and closes, and asks a [`Protocol`] what to answer.
//!
//! One thread, one selector, any number of connections. The answer to a request goes out in the turn in which the request came in; write
//! interest is asked for only after the kernel refused bytes; an idle connection costs nothing.
//!
//! What the loop promises whatever peers do: one receive for each wake and connection, so that nobody starves the others; reading pauses
//! above the high-water mark of unsent output; a reset, a half-close or the end of the descriptors ends no loop.

mod accept;
mod connection;
mod dialing;
mod handle;
mod out;
mod protocol;
mod sink;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::about;
use crate::events::{EVENT_READ, EVENT_WRITE, Events};
use crate::selector::{Backend, DefaultBackend, Key, Selector};
use crate::socket::{self, Address, Options, Socket};

use accept::{Listener, Starved};
use connection::{Connection, Desk, Next};
use dialing::Dialing;
use handle::Asked;
pub use handle::Handle;
pub use out::Out;
pub use protocol::{Deadline, Flow, FromFn, Protocol, from_fn};
pub use sink::Sink;

/// Unsent output of one connection above which it is not read any more: as much as is received at once.
const HIGH_WATER: usize = 64 << 10;

/// Unsent output below which it is read again: half, so that the kernel's set does not change with every send.
const LOW_WATER: usize = HIGH_WATER / 2;

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
    starved: Starved,
    /// Something may have happened that no event tells: look before the next wait.
    look_up: bool,
    /// Why a listener was given up; the next turn says so.
    broken: Option<io::Error>,
}

enum Entry<P> {
    Connection(Connection<P>),
    Listener(Box<Listener<P>>),
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
        Ok(Reactor { selector, desk: Desk::new(), handle, starved: Starved::default(), look_up: true, broken: None })
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
        let (socket, file) = listener.into().into_parts();
        socket.set_nonblocking(true)?;
        let entry = Entry::Listener(Box::new(Listener::new(make, file)));
        Ok(self.selector.register(socket, EVENT_READ, entry)?)
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
        let dialing = Box::new(Dialing::new(address.into(), options.clone())?);
        self.attempt(dialing, protocol).map_err(|(_, error)| error)
    }

    /// Takes in a stream that is connected already: an end of a socket pair, an accepted or inherited connection. It becomes non-blocking.
    ///
    /// # Errors
    /// The selector does not take it.
    pub fn adopt(&mut self, stream: impl Into<Socket>, protocol: P) -> io::Result<Key> {
        let stream = stream.into();
        stream.set_nonblocking(true)?;
        self.admit(stream, protocol)
    }

    /// Lets the protocol of a connection speak unasked. Answers whether there was an open connection with this key.
    ///
    /// What `speak` answers counts as from [`Protocol::receive`] with no input, but how much input the protocol needs stays as it was.
    pub fn poke(&mut self, key: Key, speak: impl FnOnce(&mut P, &mut Out<'_, '_>) -> Flow) -> bool {
        let Some((socket, Entry::Connection(connection))) = self.selector.get_mut(key) else { return false };
        let next = connection.poke(socket, key, &mut self.desk, speak);
        self.act(key, next.unwrap_or(Next::Same));
        next.is_some()
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
        let count = if !self.look_up {
            self.selector.wait(None)?
        } else {
            if !self.look_up()? {
                return Ok(false);
            }
            self.selector.wait(self.starved.timeout())?
        };
        if count == 0 {
            self.look_up = true;
        }
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
            }
        }
        Ok(true)
    }

    /// What is looked after between messages only: what was asked through a handle, listeners that rest, whether anything is left. Answers
    /// whether to go on.
    #[inline(never)]
    fn look_up(&mut self) -> io::Result<bool> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        match self.handle.asked() {
            Asked::Stop => return Ok(false),
            Asked::Drain => self.close_listeners()?,
            Asked::Nothing => {}
        }
        self.feed_starved();
        let empty = self.selector.get_map().is_empty();
        // An empty loop stays at its end until something is put in.
        self.look_up = empty || self.starved.timeout().is_some();
        Ok(!empty)
    }

    fn admit(&mut self, socket: Socket, protocol: P) -> io::Result<Key> {
        let entry = Entry::Connection(Connection::open(protocol));
        let key = self.register(socket, EVENT_READ, entry).map_err(|(_, error)| error)?;
        if let Some((socket, Entry::Connection(connection))) = self.selector.get_mut(key) {
            let next = connection.start(socket, key, &mut self.desk);
            self.act(key, next);
        }
        Ok(key)
    }

    fn register(&mut self, socket: Socket, events: Events, entry: Entry<P>) -> Result<Key, (Entry<P>, io::Error)> {
        self.selector.register(socket, events, entry).map_err(|refused| (refused.data, refused.kind.into()))
    }

    fn attempt(&mut self, mut dialing: Box<Dialing>, protocol: P) -> Result<Key, (P, io::Error)> {
        let socket = match dialing.attempt() {
            Ok(socket) => socket,
            Err(error) => return Err((protocol, error)),
        };
        let entry = Entry::Connection(Connection::dialing(protocol, dialing));
        match self.register(socket, EVENT_WRITE, entry) {
            Ok(key) => Ok(key),
            Err((Entry::Connection(connection), error)) => Err((connection.protocol, error)),
            Err((Entry::Listener(_), _)) => unreachable!("a connection was registered"),
        }
    }

    /// Does with a connection what it wants next.
    #[inline(never)]
    fn act(&mut self, key: Key, next: Next) {
        match next {
            Next::Same => {}
            Next::Watch => self.watch(key),
            Next::Remove => self.remove(key),
            Next::Redial => self.redial(key),
        }
    }

    fn watch(&mut self, key: Key) {
        let Some((_, Entry::Connection(connection))) = self.selector.get_mut(key) else { return };
        let wants = connection.interest;
        if let Err(refused) = self.selector.modify(key, wants)
            && let Some(removed) = refused.removed
            && let (_, Entry::Connection(mut connection)) = removed.into_parts()
        {
            connection.protocol.failed(refused.kind.into());
            self.freed();
        }
    }

    fn remove(&mut self, key: Key) {
        self.selector.unregister(key);
        self.freed();
    }

    /// A descriptor of our own was closed.
    fn freed(&mut self) {
        self.look_up = true;
        self.starved.freed();
    }

    fn redial(&mut self, key: Key) {
        let Some(removed) = self.selector.unregister(key) else { return };
        let (socket, Entry::Connection(connection)) = removed.into_parts() else { return };
        // First, so that the next attempt can have its descriptor.
        drop(socket);
        let Some((dialing, protocol)) = connection.into_dialing() else { return };
        if let Err((mut protocol, error)) = self.attempt(dialing, protocol) {
            protocol.failed(error);
            self.freed();
        }
    }
}
