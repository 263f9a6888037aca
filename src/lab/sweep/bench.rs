//! One slice of a sweep: an echo server on a thread, clients on this one.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::super::ground::tcp;
use super::super::{Obstacle, Verdict};
use super::{Cell, Combination, Round, Side, Sweep};
use crate::load::{Echo, Plan, Session};
use crate::reactor::{Flow, Handle, Reactor, from_fn};
use crate::socket::{Options, Role, Setting, Socket, connect_with, listen, options};

/// So much of a slice goes before it and is not counted: a connection begins slowly.
const WARM_UP: f64 = 0.1;

/// No slice is shorter, so that a message is sent in it sooner or later.
const SHORTEST: Duration = Duration::from_millis(1);

/// What takes longer is broken off. A machine that has much else to do may be slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// Adds a round to the cell, or the reason why there is none. The first time the cell also learns what is granted.
pub(super) fn measure(sweep: &Sweep, cell: &mut Cell, first: bool) {
    match prepared(sweep, cell, first).and_then(|server| Ok(slice(sweep, &cell.combination, &server)?)) {
        Ok(round) => cell.rounds.extend(round),
        Err(Obstacle::Lacking(why)) => (cell.verdict, cell.why) = (Verdict::Skipped, why),
        Err(Obstacle::Failed(error)) => (cell.verdict, cell.why) = (Verdict::Fail, error.to_string()),
    }
}

/// A server with the options of this combination; the first time a client tries them out.
fn prepared(sweep: &Sweep, cell: &mut Cell, first: bool) -> Result<Server, Obstacle> {
    let [ours, theirs] = [Side::Client, Side::Server].map(|side| sweep.options(&cell.combination, side));
    let (ours, theirs) = (ours?, theirs?);
    if !first {
        return Ok(Server::start(&theirs)?);
    }
    let refused = |error: io::Error| Obstacle::Lacking(error.to_string());
    ours.apply(&tcp()?, Role::Dialled).map_err(refused)?;
    theirs.apply(&tcp()?, Role::Listener).map_err(refused)?;
    let server = Server::start(&theirs)?;
    let client = connect_with(&server.address.into(), &ours, PATIENCE)?;
    let accepted = server.granted.recv_timeout(PATIENCE).map_err(io::Error::other)?.map_err(refused)?;
    let settings = granted(&client, &ours)?.into_iter().map(|setting| ("client", setting));
    cell.settings = settings.chain(accepted.into_iter().map(|setting| ("server", setting))).collect();
    Ok(server)
}

/// `None` where the sweep was ended meanwhile.
fn slice(sweep: &Sweep, combination: &Combination, server: &Server) -> io::Result<Option<Round>> {
    let mut plan = Plan::new(server.address);
    plan.options = sweep.options(combination, Side::Client)?;
    (plan.connections, plan.in_flight) = (sweep.connections, sweep.in_flight);
    (plan.timeout, plan.stop) = (PATIENCE, sweep.stop.clone());
    let mut session = Session::open(&plan, Echo::new(combination.size))?;
    let time = (sweep.time / sweep.rounds.max(1)).max(SHORTEST);
    let mut tally = session.slice(time.mul_f64(WARM_UP))?;
    let mut counted = 0;
    // One in which this thread had no processor does not count.
    while counted == 0 && tally.errors.is_empty() && !sweep.stop.is_stopped() {
        tally = session.slice(time)?;
        counted = tally.messages;
    }
    if sweep.stop.is_stopped() {
        return Ok(None);
    }
    if let Some((_, times, first)) = tally.errors.iter().next() {
        return Err(io::Error::other(format!("{first} ({times} times)")));
    }
    Ok(Some(Round {
        bytes_per_second: tally.rate() * combination.size as f64,
        messages_per_second: tally.rate(),
        p50: tally.latency.quantile(0.5),
        p99: tally.latency.quantile(0.99),
    }))
}

/// What the options that were asked for are on this socket.
fn granted(socket: &Socket, asked: &Options) -> io::Result<Vec<Setting>> {
    let asked = options::all().iter().filter_map(|option| Some((option, asked.asked(option.name)?.clone())));
    asked.map(|(option, asked)| Ok(Setting { option, asked, granted: options::get(socket, option.name)? })).collect()
}

/// An echo server in this process; it ends when dropped.
struct Server {
    address: SocketAddr,
    /// What the options are on each socket that was accepted.
    granted: Receiver<io::Result<Vec<Setting>>>,
    handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    fn start(options: &Options) -> io::Result<Server> {
        let listener = listen(&("127.0.0.1", 0).into(), options)?;
        let address = listener.bound().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let (tell, granted) = channel();
        let options = options.clone();
        let accepted = move |socket: &Socket| {
            let outcome = options.apply(socket, Role::Accepted).and_then(|_| self::granted(socket, &options));
            // Heard of by the first client only.
            let _ = tell.send(outcome);
            from_fn(|input, out| {
                out.lend(input);
                Flow::used(input.len())
            })
        };
        let (tell_handle, handle) = channel();
        let serve = move || {
            let mut reactor = Reactor::new()?;
            reactor.serve(listener, accepted)?;
            let _ = tell_handle.send(reactor.handle());
            reactor.run()
        };
        let thread = thread::Builder::new().name("echo".to_owned()).spawn(serve)?;
        match handle.recv() {
            Ok(handle) => Ok(Server { address, granted, handle, thread: Some(thread) }),
            Err(gone) => Err(thread.join().ok().and_then(Result::err).unwrap_or_else(|| io::Error::other(gone))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            // What it has to say now is of no use any more.
            let _ = thread.join();
        }
    }
}
