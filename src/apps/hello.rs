//! The greeting: a server with a thread for each client, and a client that tells it names.
//!
//! Nothing on the wire says where a name ends: what one receive brings, at most 1024 bytes, is one name, so a client waits for each answer before
//! it sends the next name. Names and answers are bytes, UTF-8 or not, and come back as they are. `exit` ends the conversation, also with white space
//! behind it: `nc` sends the end of the line.
//!
//! ```
//! use selkey::Waker;
//! use selkey::apps::{Transcript, hello};
//! use selkey::socket::{Address, Options, listen};
//! use std::{thread, time::Duration};
//!
//! # fn main() -> std::io::Result<()> {
//! let listener = listen(&Address::from("127.0.0.1:0"), &Options::default())?;
//! let address = listener.bound().unwrap().into();
//! let stop = Waker::new()?;
//! let shown = Transcript::new(|line| println!("{line}"));
//! thread::scope(|scope| {
//!     let serving = scope.spawn(|| hello::Server::default().serve(&listener, &stop));
//!     // Welcome!, Hello, Michael!, Hello, Tracy!
//!     hello::tell(&address, &Options::default(), &["Michael", "Tracy"], Duration::from_secs(30), &shown)?;
//!     stop.wake()?;
//!     serving.join().unwrap()
//! })
//! # }
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;
use std::{fmt, io, str};

use super::transcript::Transcript;
use crate::buffer::python;
use crate::error::about;
use crate::socket::{Address, Options, Socket, Wait};
use crate::socket::{accept_next, close, connect_with, pause, receive_exact, receive_some, send, send_all};
use crate::sys::AsSource;

/// The most bytes of a name, and of a welcome that a client takes in whole.
pub const LONGEST: usize = 1024;

/// The names that the client of the tutorial tells.
pub const NAMES: [&str; 3] = ["Michael", "Tracy", "Sarah"];

/// What a client gets that comes while as many as allowed are there.
pub const REFUSAL: &[u8] = b"Too many connections, please try again later.\n";

/// So many connections may wait for their clients to close, each for so long; beyond that they are closed at once.
const CLOSING: usize = 16;
const CLOSING_TIME: Duration = Duration::from_secs(2);

/// How a server greets.
#[derive(Clone, Debug)]
pub struct Server {
    /// What it says first; at most [`LONGEST`] bytes, since clients receive once.
    pub welcome: Vec<u8>,
    /// How long it thinks before each answer.
    pub delay: Duration,
    /// So many clients are served at once, each by a thread; the next is refused.
    pub max_connections: usize,
    /// A client that sends nothing for so long is left.
    pub idle_timeout: Duration,
    /// A client that does not take an answer for so long is left.
    pub write_timeout: Duration,
    /// After so many clients, not counting those refused, it is done.
    pub once: Option<u64>,
    /// For the connections accepted.
    pub options: Options,
    /// Who is told what happens, from whatever thread it happens in.
    pub transcript: Transcript,
}

/// `Welcome!`, no delay, 256 connections, 60 seconds without a word, 30 to take an answer; no end, and nobody told.
impl Default for Server {
    fn default() -> Server {
        Server {
            welcome: b"Welcome!".to_vec(),
            delay: Duration::ZERO,
            max_connections: 256,
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            once: None,
            options: Options::default(),
            transcript: Transcript::silent(),
        }
    }
}

impl Server {
    /// Serves the clients of a non-blocking listener, each in a thread, until `stop` becomes readable (see [`Wait::or_until`]) or so many as asked
    /// for have come. It returns when every thread has ended, which after a stop is at once. A connection that fails is told of and ends no other.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn serve(&self, listener: &Socket, stop: &(impl AsSource + Sync)) -> io::Result<()> {
        let seats = Seats { open: Places::new(self.max_connections), closing: Places::new(CLOSING) };
        self.transcript.say(format_args!("Waiting for connection..."));
        match thread::scope(|scope| self.accept(scope, listener, stop, &seats)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            outcome => outcome,
        }
    }

    fn accept<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        listener: &Socket,
        stop: &'scope (impl AsSource + Sync),
        seats: &'scope Seats,
    ) -> io::Result<()> {
        let mut accepted = 0;
        while self.once.is_none_or(|once| accepted < once) {
            let socket = accept_next(listener, Wait::from(None).or_until(stop))?;
            let peer = self.transcript.peer(&socket);
            let Some(seat) = seats.open.take() else {
                self.transcript.say(format_args!("Refused connection from {peer}: {} are open", self.max_connections));
                // A new connection has room for it, so this waits for nobody.
                if send(&socket, REFUSAL).is_ok()
                    && let Some(place) = seats.closing.take()
                {
                    self.spawn(scope, &peer, move || close_in(place, socket, stop));
                }
                continue;
            };
            accepted += 1;
            self.transcript.say(format_args!("Accept new connection from {peer}..."));
            let client = peer.clone();
            self.spawn(scope, &peer, move || self.attend(socket, &client, stop, seat, &seats.closing));
        }
        Ok(())
    }

    fn spawn<'scope>(&self, scope: &'scope Scope<'scope, '_>, peer: &str, work: impl FnOnce() + Send + 'scope) {
        // What was to work is dropped then, and the connection with it.
        if let Err(error) = thread::Builder::new().spawn_scoped(scope, work) {
            self.transcript.say(format_args!("Connection from {peer} failed: no thread for it: {error}"));
        }
    }

    /// One client, from the welcome to the end.
    fn attend(&self, socket: Socket, peer: &str, stop: &impl AsSource, seat: Place<'_>, closing: &Places) {
        self.transcript.apply(&self.options, &socket);
        let outcome = self.converse(&socket, stop);
        // Whoever sees the end and comes again finds the seat free.
        drop(seat);
        match (outcome, closing.take()) {
            (Ok(()), Some(place)) => close_in(place, socket, stop),
            (Err(error), _) if error.kind() != io::ErrorKind::Interrupted => {
                self.transcript.say(format_args!("Connection from {peer} failed: {error}"));
            }
            _ => {}
        }
        self.transcript.say(format_args!("Connection from {peer} closed."));
    }

    fn converse(&self, socket: &Socket, stop: &impl AsSource) -> io::Result<()> {
        let say = |bytes: &[u8]| send_all(socket, bytes, Wait::from(self.write_timeout).or_until(stop));
        say(&self.welcome)?;
        let mut bytes = [0; LONGEST];
        loop {
            let n = receive_some(socket, &mut bytes, Wait::from(self.idle_timeout).or_until(stop))?;
            let name = &bytes[..n];
            if name.is_empty() || is_exit(name) {
                return Ok(());
            }
            pause(Wait::from(self.delay).or_until(stop))?;
            say(&answer(name))?;
        }
    }
}

/// Closes so that the last word arrives.
fn close_in(_place: Place<'_>, socket: Socket, stop: &impl AsSource) {
    close(socket, Wait::from(CLOSING_TIME).or_until(stop));
}

fn is_exit(name: &[u8]) -> bool {
    name.trim_ascii_end() == b"exit"
}

fn answer(name: &[u8]) -> Vec<u8> {
    [b"Hello, ", name, b"!"].concat()
}

/// How many more there may be: of those served, and of those that are only waited for.
struct Seats {
    open: Places,
    closing: Places,
}

struct Places {
    free: AtomicUsize,
}

impl Places {
    fn new(places: usize) -> Places {
        Places { free: AtomicUsize::new(places) }
    }

    fn take(&self) -> Option<Place<'_>> {
        let taken = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1));
        taken.ok().map(|_| Place(self))
    }
}

/// Given back when dropped.
struct Place<'a>(&'a Places);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a server would take this for one name: not empty, at most [`LONGEST`] bytes, and not `exit`.
pub fn is_name(name: &[u8]) -> bool {
    (1..=LONGEST).contains(&name.len()) && !is_exit(name)
}

/// Takes the welcome, tells each name and waits for its answer, and says `exit`. `transcript` is told the welcome and the answers. The connect, the
/// welcome and each answer may take `timeout`.
///
/// # Errors
/// As [`connect_with`]; `InvalidInput` for what is no name (see [`is_name`]), before anything is sent; an answer is not the one expected,
/// or does not come.
pub fn tell(
    address: &Address,
    options: &Options,
    names: &[impl AsRef<[u8]>],
    timeout: Duration,
    transcript: &Transcript,
) -> io::Result<()> {
    let names = || names.iter().map(AsRef::as_ref);
    if let Some(name) = names().find(|name| !is_name(name)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is no name", python(name))));
    }
    let socket = connect_with(address, options, timeout)?;
    let mut welcome = [0; LONGEST];
    let n = receive_some(&socket, &mut welcome, timeout).map_err(|error| about("no welcome", error))?;
    transcript.say(format_args!("{}", Shown(&welcome[..n])));
    for name in names() {
        let expected = answer(name);
        let mut answer = vec![0; expected.len()];
        send_all(&socket, name, timeout)
            .and_then(|()| receive_exact(&socket, &mut answer, timeout))
            .map_err(|error| about(format_args!("no answer to {}", python(name)), error))?;
        if answer != expected {
            let what = format!("the answer to {} is {}", python(name), python(&answer));
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        transcript.say(format_args!("{}", Shown(&answer)));
    }
    send_all(&socket, b"exit", timeout)
}

/// What a peer says, on one line: as it is where that is plain text, or else as Python shows bytes.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match str::from_utf8(self.0.trim_ascii_end()) {
            Ok(text) if !text.contains(char::is_control) => f.write_str(text),
            _ => python(self.0).fmt(f),
        }
    }
}
