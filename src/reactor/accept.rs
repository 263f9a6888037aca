//! Accepting: in batches, and with patience when descriptors run out.

use super::desk::Shared;
use super::reserve;
use super::*;
use crate::socket::{Accept, SocketFile};

/// How long a listener that ran out of descriptors rests before it looks for some that were freed elsewhere in the process or the system.
const REST: Duration = Duration::from_millis(100);

/// How long a shortage lasts before those who wait are turned away, one at each look: they had better try another server than wait for nothing.
const HOPE: Duration = Duration::from_secs(1);

/// How often a shortage is told.
const TELL: Duration = Duration::from_secs(1);

/// How many connections are told at a time that they are too many; more are closed without a word. Half of the descriptors that are not for connections.
const REFUSING: usize = 32;

pub(super) struct Listener<P> {
    make: Box<dyn FnMut(&Socket) -> P>,
    /// Goes with the listener.
    _file: Option<SocketFile>,
}

impl<P> Listener<P> {
    pub(super) fn new(make: impl FnMut(&Socket) -> P + 'static, file: Option<SocketFile>) -> Listener<P> {
        Listener { make: Box::new(make), _file: file }
    }
}

type Tell = dyn FnMut(&io::Error);

/// What is known of a listener's queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Queue {
    Empty,
    More,
    /// Nobody can be accepted for now.
    Unknown,
}

/// Listeners that rest because descriptors or memory ran out. Out of the selector's set they cost nothing, though their queues are ready.
#[derive(Default)]
pub(super) struct Starved {
    listeners: Vec<Key>,
    /// When to look again. No clock is read while nobody rests.
    until: Option<Instant>,
    /// Since when nobody could be accepted.
    since: Option<Instant>,
    told: Option<Instant>,
    pub(super) tell: Option<Box<Tell>>,
    /// Connections that are being told that they are too many.
    pub(super) refusing: usize,
}

impl Starved {
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// A descriptor of our own was closed: look in this turn.
    pub(super) fn freed(&mut self) {
        if self.until.is_some() {
            self.until = Some(Instant::now());
        }
    }
}

impl<P: Protocol, B: Backend> Reactor<P, B> {
    #[inline(never)]
    pub(super) fn accept_some(&mut self, key: Key) {
        match self.accept(key) {
            Ok(Queue::Empty) if self.desk.shared.draining.is_some() => self.close_listener(key),
            Ok(_) => {}
            Err(error) => self.broken = Some(error),
        }
    }

    /// Takes a batch of connections off a listener's queue.
    fn accept(&mut self, key: Key) -> io::Result<Queue> {
        for _ in 0..self.desk.shared.limits.accepts_per_wake.max(1) {
            let Some((socket, Entry::Listener(listener))) = self.selector.get_mut(key) else { return Ok(Queue::Empty) };
            match socket::accept(socket) {
                Ok(Accept::Connection(connection)) => {
                    self.starved.since = None;
                    let Shared { stats, limits, .. } = &mut self.desk.shared;
                    stats.accepted += 1;
                    let kind = if stats.connections - self.starved.refusing < limits.max_connections {
                        Kind::Accepted
                    } else {
                        stats.refused += 1;
                        if self.starved.refusing >= REFUSING {
                            continue;
                        }
                        Kind::Refused
                    };
                    let protocol = (listener.make)(&connection);
                    // The selector's refusal is one connection's misfortune: it is closed.
                    let _ = self.admit(connection, protocol, kind);
                }
                Ok(Accept::Skipped) => {}
                Ok(Accept::Pending) => {
                    self.starved.since = None;
                    return Ok(Queue::Empty);
                }
                Ok(Accept::Exhausted(error)) => {
                    self.rest(key, &error);
                    return Ok(Queue::Unknown);
                }
                Err(error) => {
                    let what = socket::local_name(socket);
                    self.close_listener(key);
                    return Err(about(format_args!("cannot accept on {what}"), error));
                }
            }
        }
        Ok(Queue::More)
    }

    fn rest(&mut self, key: Key, error: &io::Error) {
        let now = Instant::now();
        let Starved { since, told, tell, .. } = &mut self.starved;
        let since = *since.get_or_insert_with(|| {
            self.desk.shared.stats.starved += 1;
            now
        });
        if let Some(tell) = tell
            && told.is_none_or(|told| now - told >= TELL)
        {
            *told = Some(now);
            tell(error);
        }
        if now - since >= HOPE
            && let Some(entry) = self.selector.get_key(key)
            && reserve::turn_away(entry.fileobj())
        {
            self.desk.shared.stats.turned_away += 1;
        }
        if self.selector.modify(key, Events::default()).is_ok() {
            self.starved.listeners.push(key);
            self.starved.until = Some(now + REST);
            self.look_up = true;
        }
    }

    /// Lets listeners that rest look again when it is time.
    pub(super) fn feed_starved(&mut self) {
        if self.starved.timeout() == Some(Duration::ZERO) {
            self.starved.until = None;
            for key in self.starved.listeners.drain(..) {
                // A listener that the selector does not take back is gone; no peer can cause that.
                let _ = self.selector.modify(key, EVENT_READ);
            }
        }
    }

    /// Accepts whoever waits already, then listens no more. A listener for whose clients descriptors are missing stays until there are some.
    pub(super) fn close_listeners(&mut self) -> io::Result<()> {
        for key in self.listeners.clone() {
            let queue = loop {
                match self.accept(key)? {
                    Queue::More => {}
                    queue => break queue,
                }
            };
            if queue == Queue::Empty {
                self.close_listener(key);
            }
        }
        Ok(())
    }

    fn close_listener(&mut self, key: Key) {
        self.listeners.retain(|&listener| listener != key);
        self.remove(key);
    }
}
