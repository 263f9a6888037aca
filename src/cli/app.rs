//! `app-server` and `app-client`.

use std::fs;
use std::io::{self, BufRead, stdin};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use selkey::apps::app::{self, Progress, Request, Search};
use selkey::message::{Decoder, MAX_HEADER, Message};
use selkey::socket::Address;
use selkey::{Handle, Limits, Protocol, Reactor};

use super::output::transcript;
use super::serving::Serving;
use super::usage::{bytes, refuse, seconds};
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
    #[command(flatten)]
    options: socket_options::Dialling,
}

impl Client {
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
        let told = transcript("", false);
        let progress = Progress::new(requests);
        let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
        let mut limits = Limits::default();
        (limits.header_timeout, limits.message_timeout, limits.idle_timeout) =
            (self.timeout, self.timeout, self.timeout);
        reactor.set_limits(limits);
        signals::watch(&mut reactor)?;
        let mut lines = self.stdin.then(|| read_lines(reactor.handle())).transpose()?;
        let (mut connected, mut outcome) = (false, Ok(()));
        loop {
            if let Some(from) = &lines {
                let taken = take_lines(from, &mut progress.borrow_mut());
                if !matches!(taken, Ok(true)) {
                    // What came before a line that cannot be read is answered first.
                    (lines, outcome) = (None, taken.map(drop));
                }
            }
            let (waiting, more, key, over) = {
                let mut progress = progress.borrow_mut();
                if let Some(error) = progress.failure.take() {
                    return Err(error);
                }
                progress.more_to_come = lines.is_some();
                (!progress.requests.is_empty(), lines.is_some(), progress.key, progress.over)
            };
            connected &= !over;
            if !connected && waiting {
                let keep_alive = self.keep_alive || self.stdin;
                let client = app::Client::new(address.to_string(), keep_alive, &progress, &told);
                reactor.dial_with(address.clone(), &self.options.0, Box::new(client))?;
                connected = true;
            } else if !connected && !more {
                return outcome;
            } else if let Some(key) = key.filter(|_| waiting || !more) {
                reactor.poke(key, |client, out| client.receive(&[], out));
            }
            let ended = connected && progress.borrow().over;
            if !ended && !reactor.turn()? {
                return self.interrupted(&progress.borrow());
            }
        }
    }

    /// Ended by a signal, which is well where nothing was asked and not answered.
    fn interrupted(&self, progress: &Progress) -> io::Result<()> {
        if progress.replies > 0 || self.stdin {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted before a reply came"))
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
