//! The relay for datagrams: each client's go to the target from a port of their own, and the answers back.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::Settings;
use super::rules::{Chance, Control, End, Rules, State, later, time_at};
use crate::apps::transcript::Transcript;
use crate::events::{EVENT_READ, Events};
use crate::selector::{Backend, DefaultBackend, Key, Selector};
use crate::socket::{
    Address, Datagram, Options, SockAddr, Socket, Transfer, connect_datagram, name, receive_from, send, send_to,
};

/// A datagram's length is a 16-bit field.
const LONGEST: usize = u16::MAX as usize;

/// How many datagrams a wake takes from one socket before the others have their turn.
const BATCH: usize = 64;

/// What is under way may take this much, as in a router whose queue is full then: what comes beyond is lost.
const MOST: usize = 1 << 20;

/// What a datagram costs besides its bytes.
const ENTRY: usize = 64;

/// Clients at once. The datagrams of others are lost until one of these has been silent for [`SILENCE`].
const CLIENTS: usize = 256;

/// After so long without a datagram either way a client is forgotten.
const SILENCE: Duration = Duration::from_secs(60);

/// A relay of datagrams on a selector of its own.
///
/// Datagrams that chance delays differently overtake each other. The rules that are there when one comes decide how long it is under way, the freeze of
/// [`Control::freeze`] also later. `chunk` and `reset_after` are rules for streams and are not looked at. What comes while 1 MiB is under way is lost, as is
/// what the system does not take at once; both are counted. It serves 256 clients at once and forgets one that was silent for 60 seconds.
pub struct Datagrams<B = DefaultBackend> {
    selector: Selector<Socket, Option<SocketAddr>, B>,
    socket: Key,
    target: Address,
    options: Options,
    clients: HashMap<SocketAddr, Client>,
    /// In the order in which they are due.
    under_way: BTreeMap<(Instant, u64), Entry>,
    held: usize,
    tally: Passed,
    state: State,
    control: Control,
    chance: Chance,
    transcript: Transcript,
    buffer: Box<[u8]>,
    ready: Vec<(Key, Events)>,
    count: u64,
}

/// What became of the datagrams that have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passed {
    /// Sent on.
    pub passed: u64,
    /// Lost: by a rule, since too much was under way, or since the system did not take it.
    pub lost: u64,
}

struct Client {
    /// The socket towards the target.
    key: Key,
    began: Instant,
    heard: Instant,
    ways: [Line; 2],
}

/// One direction of a client.
struct Line {
    /// When the one before has passed, at the rate.
    clear: Instant,
    /// Bytes that were let in.
    taken: u64,
}

struct Entry {
    client: SocketAddr,
    from: End,
    bytes: Box<[u8]>,
}

impl Line {
    /// When a datagram that comes now is due, unless it is lost.
    fn admit(
        &mut self,
        length: usize,
        began: Instant,
        now: Instant,
        rules: &Rules,
        chance: &mut Chance,
    ) -> Option<Instant> {
        let taken = self.taken + length as u64;
        if rules.drop_after.is_some_and(|most| taken > most) {
            // Nothing that comes after it passes.
            self.taken = u64::MAX / 2;
            return None;
        }
        self.taken = taken;
        self.clear = later(self.clear.max(now).max(later(began, rules.freeze)), time_at(rules.rate, length));
        Some(later(self.clear, rules.delay.saturating_add(chance.below(rules.jitter))))
    }
}

impl Datagrams {
    /// A relay between whoever sends to this UDP socket and the target. Of the settings `accepted` does not count.
    ///
    /// # Errors
    /// The target's name is not known; the process or the system is out of descriptors or memory.
    pub fn new(socket: Socket, settings: Settings) -> io::Result<Datagrams> {
        Datagrams::with_backend(DefaultBackend::new()?, socket, settings)
    }
}

impl<B: Backend> Datagrams<B> {
    /// The same over this backend.
    ///
    /// # Errors
    /// As [`new`](Datagrams::new).
    pub fn with_backend(backend: B, socket: Socket, settings: Settings) -> io::Result<Datagrams<B>> {
        socket.set_nonblocking(true)?;
        let mut selector = Selector::with_backend(backend);
        let waker = selector.waker()?;
        let control = Control::new(settings.network, move || drop(waker.wake()));
        Ok(Datagrams {
            socket: selector.register(socket, EVENT_READ, None)?,
            selector,
            target: settings.target.resolved()?,
            options: settings.dialled,
            clients: HashMap::new(),
            under_way: BTreeMap::new(),
            held: 0,
            tally: Passed::default(),
            state: control.state(),
            control,
            chance: Chance::new(settings.seed),
            transcript: settings.transcript,
            buffer: vec![0; LONGEST].into_boxed_slice(),
            ready: Vec::new(),
            count: 0,
        })
    }

    /// Changes the rules from elsewhere.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// What became of the datagrams so far.
    pub fn tally(&self) -> Passed {
        self.tally
    }

    /// Watches something else as well: [`turn`](Datagrams::turn) answers this key when it is ready to read.
    ///
    /// # Errors
    /// It cannot be watched: it is a regular file, or the selector is out of memory.
    pub fn watch(&mut self, source: impl Into<OwnedFd>) -> io::Result<Key> {
        Ok(self.selector.register(Socket::from(source.into()), EVENT_READ, None)?)
    }

    /// Waits until something is ready or due, and passes on what is. The key is that of something else that is [watched](Datagrams::watch) and ready.
    ///
    /// # Errors
    /// The wait failed; nothing that a peer does is an error here.
    pub fn turn(&mut self) -> io::Result<Option<Key>> {
        let wait = self.next().map(|next| next.saturating_duration_since(Instant::now()));
        self.selector.select_into(wait, &mut self.ready)?;
        for (key, _) in std::mem::take(&mut self.ready) {
            let Some(entry) = self.selector.get_key(key) else { continue };
            match (*entry.data(), key == self.socket) {
                (None, false) => return Ok(Some(key)),
                (client, _) => (0..BATCH).take_while(|_| self.take(key, client)).count(),
            };
        }
        self.look();
        let now = Instant::now();
        self.pass(now);
        let gone = |client: &Client| now.saturating_duration_since(client.heard) >= SILENCE;
        for (_, client) in self.clients.extract_if(|_, client| gone(client)) {
            self.selector.unregister(client.key);
        }
        Ok(None)
    }

    /// Relays until something else that is [watched](Datagrams::watch) is ready, which is answered.
    ///
    /// # Errors
    /// As [`turn`](Datagrams::turn).
    pub fn run(&mut self) -> io::Result<Key> {
        loop {
            if let Some(other) = self.turn()? {
                return Ok(other);
            }
        }
    }

    /// Takes over rules that were changed.
    fn look(&mut self) {
        if let Some(state) = self.control.changed() {
            self.state = state;
        }
    }

    /// When there is something to do: a datagram is due, or a client to be forgotten.
    fn next(&self) -> Option<Instant> {
        let due = self.under_way.first_key_value().map(|((due, _), _)| (*due).max(self.state.thaw.unwrap_or(*due)));
        due.into_iter().chain(self.clients.values().map(|client| later(client.heard, SILENCE))).min()
    }

    /// Takes one datagram in, from the client's side or a target's. Answers whether there may be more.
    fn take(&mut self, key: Key, client: Option<SocketAddr>) -> bool {
        let Some(entry) = self.selector.get_key(key) else { return false };
        let (length, from) = match receive_from(entry.fileobj(), &mut self.buffer) {
            Ok(Datagram::Received { stored, from, .. }) => (stored, from),
            Ok(Datagram::Pending) => return false,
            // The word that an earlier one found nobody.
            Err(error) => {
                self.transcript.say(format_args!("A datagram was not delivered: {error}"));
                return true;
            }
        };
        // What was changed before it was sent counts for it.
        self.look();
        let now = Instant::now();
        let (end, Some(address)) = client.map_or((End::Client, from.as_socket()), |client| (End::Target, Some(client)))
        else {
            return true;
        };
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&address) {
            self.tally.lost += 1;
            return true;
        }
        let admitted = match self.client(address, now) {
            Err(error) => {
                self.transcript.say(format_args!("Cannot serve {address}: {error}"));
                None
            }
            Ok(()) if self.held + length + ENTRY > MOST => None,
            Ok(()) => self.clients.get_mut(&address).and_then(|client| {
                let rules = self.state.network.rules(end);
                let due = client.ways[end as usize].admit(length, client.began, now, rules, &mut self.chance);
                client.heard = client.heard.max(due.unwrap_or(now));
                due
            }),
        };
        let Some(due) = admitted else {
            self.tally.lost += 1;
            return true;
        };
        let bytes = self.buffer[..length].into();
        self.held += length + ENTRY;
        self.count += 1;
        self.under_way.insert((due, self.count), Entry { client: address, from: end, bytes });
        true
    }

    /// Makes room for this client, unless it has.
    fn client(&mut self, address: SocketAddr, now: Instant) -> io::Result<()> {
        if self.clients.contains_key(&address) {
            return Ok(());
        }
        let socket = connect_datagram(&self.target, &self.options)?;
        let key = self.selector.register(socket, EVENT_READ, Some(address))?;
        let ways = [(), ()].map(|()| Line { clear: now, taken: 0 });
        self.clients.insert(address, Client { key, began: now, heard: now, ways });
        self.transcript.say(format_args!("Relaying datagrams from {}", name(&SockAddr::from(address))));
        Ok(())
    }

    /// Sends what is due.
    fn pass(&mut self, now: Instant) {
        if self.state.thaw.is_some_and(|thaw| thaw > now) {
            return;
        }
        while let Some(entry) = self.under_way.first_entry()
            && entry.key().0 <= now
        {
            let Entry { client, from, bytes } = entry.remove();
            self.held -= bytes.len() + ENTRY;
            let towards = match from {
                End::Client => self.clients.get(&client).map(|client| client.key),
                End::Target => Some(self.socket),
            };
            let sent = towards.and_then(|key| self.selector.get_key(key)).map(|entry| match from {
                End::Client => send(entry.fileobj(), &bytes),
                End::Target => send_to(entry.fileobj(), &bytes, &client.into()),
            });
            match sent {
                Some(Ok(Transfer::Moved(_))) => self.tally.passed += 1,
                outcome => {
                    self.tally.lost += 1;
                    if let Some(Err(error)) = outcome {
                        self.transcript.say(format_args!("A datagram was not delivered: {error}"));
                    }
                }
            }
        }
    }
}
