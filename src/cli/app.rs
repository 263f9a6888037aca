//! `app-server` and `app-client`.

use std::cell::RefCell;
use std::fs;
use std::io::{self, BufRead, stdin};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use selkey::apps::app::{self, Progress, Request, Search};
use selkey::message::{Decoder, MAX_HEADER, Message};
use selkey::socket::{Address, raise_descriptor_limit};
use selkey::{Handle, Limits, Protocol, Reactor, Retry};

use super::output::transcript;
use super::serving::Serving;
use super::usage::{bytes, refuse, seconds, within};
use super::{address, signals, socket_options};

#[derive(clap::Args)]
#[command(
    override_usage = "selkey app-server [OPTIONS] [HOST PORT | unix:PATH]",
    after_help = "Example: selkey app-server 127.0.0.1 65432"
)]
pub struct Server {
    /// What is found: a JSON object of strings, value to result [default: morpheus, ring and 🐶]
    #[arg(long, value_name = "FILE.json")]
    table: Option<PathBuf>,
    /// Bytes of content that a request may have [default: 16m]
    #[arg(long, value_name = "B", value_parser = bytes, allow_negative_numbers = true, help_heading = "Limits")]
    max_content: Option<usize>,
    #[command(flatten)]
    serving: Serving,
}

impl Server {
    pub fn run(self) -> io::Result<()> {
        let search = self.table.map_or_else(|| Ok(Search::default()), read_table)?;
        let max_content = self.max_content.unwrap_or(Decoder::MAX_CONTENT);
        let told = self.serving.transcript();
        let max_input = max_content.saturating_add(Decoder::LEAST + MAX_HEADER);
        self.serving.run(Some(max_input), || {
            let search = search.clone();
            let service = move |request: &Message<'_>, reply: &mut app::Reply| search.answer(request, reply);
            let server = app::Server::told(service, max_content, told.clone());
            move |socket| server.accept(socket)
        })
    }
}

fn read_table(file: PathBuf) -> io::Result<Search> {
    let refused = |kind, why: String| io::Error::new(kind, format!("cannot use the table {}: {why}", file.display()));
    let text = fs::read(&file).map_err(|error| refused(error.kind(), error.to_string()))?;
    // Its errors name the line and the column.
    let table: std::collections::HashMap<String, String> =
        serde_json::from_slice(&text).map_err(|error| refused(io::ErrorKind::InvalidData, error.to_string()))?;
    Ok(table.into_iter().collect())
}

#[derive(clap::Args)]
#[command(
    override_usage = "selkey app-client [OPTIONS] <HOST PORT | unix:PATH> <ACTION> <VALUE>...",
    after_help = "Example: selkey app-client 127.0.0.1 65432 search morpheus"
)]
pub struct Client {
    /// The server's address; 'search' and what to look for, or any other action and a value, which are sent as bytes
    #[arg(value_name = "ADDRESS ACTION VALUE", allow_negative_numbers = true)]
    address: Vec<String>,
    /// Send several requests on one connection, where the server keeps it
    #[arg(long)]
    keep_alive: bool,
    /// Send each line of standard input as one JSON request; the connection is kept as with --keep-alive
    #[arg(long)]
    stdin: bool,
    /// Seconds to wait for the connection, and for each reply
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "60", allow_negative_numbers = true)]
    timeout: Duration,
    /// Clients that do the same at once
    #[arg(long, value_name = "N", value_parser = within(1usize, 10_000), default_value = "1", allow_negative_numbers = true, conflicts_with = "stdin")]
    connections: usize,
    /// While the server cannot be reached try again, a little later each time, for this many seconds [default: not at all]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    retry: Option<Duration>,
    #[command(flatten)]
    options: socket_options::Dialling,
}

impl Client {
    fn dial(
        &self,
        address: &Address,
        progress: &Rc<RefCell<Progress>>,
        reactor: &mut Reactor<Box<dyn Protocol>>,
    ) -> io::Result<()> {
        let keep_alive = self.keep_alive || self.stdin;
        let client = app::Client::new(address.to_string(), keep_alive, progress, &transcript("", false));
        let (address, client, options) = (address.clone(), Box::new(client), &self.options.0);
        match self.retry.map(Retry::within) {
            Some(retry) => reactor.dial_retrying(address, options, retry, client),
            None => reactor.dial_with(address, options, client).map(drop),
        }
    }

    fn requests(&self) -> (Address, Vec<Request>) {
        let missing = if self.stdin { "" } else { " <ACTION> <VALUE>" };
        match address::of_client_with_words(&self.address, missing) {
            (address, []) if self.stdin => (address, Vec::new()),
            (_, [unexpected, ..]) if self.stdin => {
                refuse(&format!("unexpected argument {unexpected:?}: with --stdin the requests come from there"))
            }
            (address, [action, values @ ..]) if !values.is_empty() => {
                (address, values.iter().map(|value| Request::new(action, value)).collect())
            }
            _ => refuse("after the address come <ACTION> <VALUE>"),
        }
    }

    pub fn run(self) -> io::Result<()> {
        let (address, requests) = self.requests();
        let address = address.resolved()?;
        raise_descriptor_limit()?;
        let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
        let mut limits = Limits::default();
        (limits.header_timeout, limits.message_timeout, limits.idle_timeout) =
            (self.timeout, self.timeout, self.timeout);
        reactor.set_limits(limits);
        signals::watch(&mut reactor)?;
        let lines = self.stdin.then(|| read_lines(reactor.handle())).transpose()?;
        let mut sessions: Vec<Session> = (0..self.connections).map(|_| Session::new(requests.clone())).collect();
        // There is only one where requests come line by line.
        sessions[0].lines = lines;
        loop {
            let (mut ended, mut again) = (0, false);
            for session in &mut sessions {
                match session.go_on(&self, &address, &mut reactor)? {
                    Step::Wait => {}
                    Step::Again => again = true,
                    Step::Ended => ended += 1,
                }
            }
            if ended == sessions.len() {
                return sessions.into_iter().try_for_each(|session| session.outcome);
            }
            if !again && !reactor.turn()? {
                let unanswered = sessions.iter().any(|session| session.progress.borrow().replies == 0);
                return if unanswered && !self.stdin { Err(interrupted()) } else { Ok(()) };
            }
        }
    }
}

fn interrupted() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "interrupted before a reply came")
}

/// The requests of one client, over one connection after the other where the server keeps none.
struct Session {
    progress: Rc<RefCell<Progress>>,
    lines: Option<Lines>,
    connected: bool,
    outcome: io::Result<()>,
}

enum Step {
    /// Nothing to do until the loop turned.
    Wait,
    /// A connection has just ended: look again.
    Again,
    Ended,
}

impl Session {
    fn new(requests: Vec<Request>) -> Session {
        Session { progress: Progress::new(requests), lines: None, connected: false, outcome: Ok(()) }
    }

    fn go_on(
        &mut self,
        client: &Client,
        address: &Address,
        reactor: &mut Reactor<Box<dyn Protocol>>,
    ) -> io::Result<Step> {
        if let Some(from) = &self.lines {
            let taken = take_lines(from, &mut self.progress.borrow_mut());
            if !matches!(taken, Ok(true)) {
                // What came before a line that cannot be read is answered first.
                (self.lines, self.outcome) = (None, taken.map(drop));
            }
        }
        let more = self.lines.is_some();
        let (waiting, key, over) = {
            let mut progress = self.progress.borrow_mut();
            if let Some(error) = progress.failure.take() {
                return Err(error);
            }
            progress.more_to_come = more;
            (!progress.requests.is_empty(), progress.key, progress.over)
        };
        self.connected &= !over;
        if !self.connected && waiting {
            self.connected = true;
            client.dial(address, &self.progress, reactor)?;
        } else if !self.connected && !more {
            return Ok(Step::Ended);
        } else if let Some(key) = key.filter(|_| waiting || !more) {
            reactor.poke(key, |client, out| client.receive(&[], out));
        }
        let ended = self.connected && self.progress.borrow().over;
        Ok(if ended { Step::Again } else { Step::Wait })
    }
}

/// Lines that wait to be sent.
const AHEAD: usize = 64;

type Lines = Receiver<io::Result<String>>;

/// Reads standard input, which a loop cannot watch where it is a file, on a thread of its own; each line ends the loop's wait.
fn read_lines(handle: Handle) -> io::Result<Lines> {
    let (send, lines) = sync_channel(AHEAD);
    thread::Builder::new().spawn(move || {
        for line in stdin().lock().lines() {
            let failed = line.is_err();
            if send.send(line).is_err() || failed {
                break;
            }
            handle.wake();
        }
        drop(send);
        handle.wake();
    })?;
    Ok(lines)
}

/// Makes requests of the lines that are there. Answers whether more may come.
fn take_lines(lines: &Lines, progress: &mut Progress) -> io::Result<bool> {
    while progress.requests.len() < AHEAD {
        match lines.try_recv() {
            Ok(line) => {
                let line = line.map_err(|error| io::Error::new(error.kind(), format!("standard input: {error}")))?;
                if !line.trim().is_empty() {
                    progress.requests.push_back(Request::json(line));
                }
            }
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => return Ok(false),
        }
    }
    Ok(true)
}
