//! The multi-connection echo: a server that echoes to any number of clients, and a client that opens many connections and checks what comes back.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::transcript::Transcript;
use crate::buffer::python;
use crate::reactor::{Deadline, Flow, Out, Protocol, Reactor, Retry};
use crate::selector::Backend;
use crate::socket::{Address, Options, Socket};

/// The server's side of one connection: sends back what comes.
#[derive(Debug)]
pub struct Echo {
    /// Not looked up for a silent transcript.
    peer: String,
    transcript: Transcript,
}

impl Echo {
    /// For a connection that was just accepted.
    pub fn new(socket: &Socket, transcript: &Transcript) -> Echo {
        let peer = transcript.peer(socket);
        transcript.say(format_args!("Accepted connection from {peer}"));
        Echo { peer, transcript: transcript.clone() }
    }
}

impl Protocol for Echo {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        self.transcript.say(format_args!("Echoing {} to {}", python(input), self.peer));
        out.lend(input);
        Flow::used(input.len())
    }

    fn refuse(&mut self, _out: &mut Out<'_, '_>) -> Flow {
        self.transcript.say(format_args!("Refusing {}: too many connections", self.peer));
        Flow::Close
    }

    fn expired(&mut self, what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        self.transcript.say(format_args!("Giving up on {}: {what}", self.peer));
        Flow::Close
    }

    fn failed(&mut self, error: io::Error) {
        self.transcript.say(format_args!("Connection to {} failed: {error}", self.peer));
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.transcript.say(format_args!("Closing connection to {}", self.peer));
    }
}

/// What the client sends on each connection.
pub const MESSAGES: [&[u8]; 2] = [b"Message 1 from client.", b"Message 2 from client."];

/// How the connections of a client are getting on.
#[derive(Debug, Default)]
pub struct Tally {
    /// Started and not ended yet.
    pub open: usize,
    /// Ended with every byte back.
    pub done: usize,
    /// Ended in another way.
    pub failed: usize,
    /// Bytes that came back as they were sent.
    pub bytes: usize,
    /// The first failure.
    pub first_failure: Option<io::Error>,
}

impl Tally {
    fn fail(&mut self, error: io::Error) {
        self.failed += 1;
        self.first_failure.get_or_insert(error);
    }
}

/// The client's side of one connection.
#[derive(Debug)]
struct Client {
    number: usize,
    received: usize,
    ended: bool,
    tally: Rc<RefCell<Tally>>,
    transcript: Transcript,
}

/// Starts this many connections that each send [`MESSAGES`] and check the echo. `wrap` makes the reactor's protocol of each.
///
/// A connection that fails is tried again as `retry` says. They run as the reactor turns, until [`Tally::open`] is 0; one that cannot even start counts as failed.
///
/// # Errors
/// The name is not known.
pub fn start<P: Protocol, B: Backend>(
    reactor: &mut Reactor<P, B>,
    address: &Address,
    options: &Options,
    retry: Option<Retry>,
    connections: usize,
    transcript: &Transcript,
    wrap: impl Fn(Box<dyn Protocol>) -> P,
) -> io::Result<Rc<RefCell<Tally>>> {
    let address = address.resolved()?;
    let tally = Rc::new(RefCell::new(Tally::default()));
    for number in 1..=connections {
        transcript.say(format_args!("Starting connection {number} to {address}"));
        tally.borrow_mut().open += 1;
        let client = Client { number, received: 0, ended: false, tally: tally.clone(), transcript: transcript.clone() };
        let (address, client) = (address.clone(), wrap(Box::new(client)));
        let started = match retry {
            Some(retry) => reactor.dial_retrying(address, options, retry, client),
            None => reactor.dial_with(address, options, client).map(drop),
        };
        if let Err(error) = started {
            tally.borrow_mut().fail(error);
        }
    }
    Ok(tally)
}

impl Client {
    fn lose(&mut self, error: io::Error) -> Flow {
        if !self.ended {
            self.ended = true;
            self.tally.borrow_mut().fail(error);
        }
        Flow::Abort
    }
}

impl Protocol for Client {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        for message in MESSAGES {
            self.transcript.say(format_args!("Sending {} to connection {}", python(message), self.number));
            out.write(message);
        }
        Flow::MORE
    }

    fn receive<'i>(&mut self, input: &'i [u8], _out: &mut Out<'i, '_>) -> Flow {
        self.transcript.say(format_args!("Received {} from connection {}", python(input), self.number));
        let sent = MESSAGES.concat();
        if sent.get(self.received..self.received + input.len()) != Some(input) {
            let what = format!("connection {}: what came back differs from what was sent", self.number);
            return self.lose(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        self.received += input.len();
        if self.received < sent.len() {
            return Flow::used(input.len());
        }
        self.transcript.say(format_args!("Closing connection {}", self.number));
        self.ended = true;
        let mut tally = self.tally.borrow_mut();
        tally.done += 1;
        tally.bytes += sent.len();
        Flow::Close
    }

    fn end(&mut self, _rest: &[u8], _out: &mut Out<'_, '_>) -> Flow {
        let expected = MESSAGES.concat().len();
        let what = format!("connection {}: closed after {} of {expected} bytes", self.number, self.received);
        self.lose(io::Error::new(io::ErrorKind::UnexpectedEof, what))
    }

    fn expired(&mut self, what: Deadline, _out: &mut Out<'_, '_>) -> Flow {
        let what = format!("connection {}: {what}", self.number);
        self.lose(io::Error::new(io::ErrorKind::TimedOut, what))
    }

    fn failed(&mut self, error: io::Error) {
        let _ = self.lose(error);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.tally.borrow_mut().open -= 1;
    }
}
