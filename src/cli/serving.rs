//! What every server on the loop is asked for on the command line, and does with it: a loop for each thread, all on one address.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use selkey::apps::Transcript;
use selkey::backend::Backend;
use selkey::socket::{Listener, Options, Socket, descriptor_limit, listen, local_name, raise_descriptor_limit};
use selkey::{Deadline, Flow, Handle, Out, Protocol, Reactor, Stats, Waker, pin_thread};

use super::backend::{BackendName, OnBackend};
use super::output::{say, transcript};
use super::status::{self, Board, Totals};
use super::usage::{refuse, seconds, within};
use super::{address, limits, signals, socket_options};

#[derive(clap::Args)]
pub struct Serving {
    /// Where to listen: '' is every IPv4 interface, '::' every interface, port 0 takes a free one [default: 127.0.0.1 65432]
    #[arg(value_name = "ADDRESS", allow_negative_numbers = true)]
    address: Vec<String>,
    /// What watches the sockets
    #[arg(long, value_enum, default_value = "epoll")]
    backend: BackendName,
    /// Loops to run, each on a thread with a listener of its own between which the system spreads the connections (SO_REUSEPORT)
    #[arg(long, value_name = "N", value_parser = within(1usize, 1024), default_value = "1", allow_negative_numbers = true)]
    threads: usize,
    /// Processors to keep the threads on, one after the other, like 0,2,3
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = within(0usize, 1023), allow_negative_numbers = true)]
    cpus: Vec<usize>,
    /// Look for this many microseconds before each sleep: answers sooner, and never rests while there is something to do
    #[arg(long, value_name = "US", value_parser = within(0u64, 1_000_000), default_value = "0", allow_negative_numbers = true)]
    busy_poll: u64,
    /// Tell only where it listens and how it ended
    #[arg(long)]
    quiet: bool,
    /// Exit after this many connections
    #[arg(long, value_name = "N", value_parser = within(1u64, u64::MAX), allow_negative_numbers = true)]
    once: Option<u64>,
    /// Print a line about the server every this many seconds
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    status: Option<Duration>,
    #[command(flatten)]
    limits: limits::Limits,
    #[command(flatten)]
    options: socket_options::Listening,
}

impl Serving {
    /// Where the program tells what happens.
    pub fn transcript(&self) -> Transcript {
        transcript("", self.quiet)
    }

    /// Serves until a signal, or as many connections as were asked for. On each thread `maker` makes what makes the protocol of each connection.
    /// `max_input` is how much of a message may lie unfinished, where the protocol has a limit of its own.
    pub fn run<P, M>(self, max_input: Option<usize>, maker: impl Fn() -> M + Sync) -> io::Result<()>
    where
        P: Protocol + 'static,
        M: FnMut(&Socket) -> P + 'static,
    {
        // Before it is told that a signal may come.
        let pairs = signals::pairs()?;
        let (before, descriptors) = (descriptor_limit()?, raise_descriptor_limit()?);
        let listeners = self.listen()?;
        if before < descriptors && !self.quiet {
            say(format_args!("Raised the limit on descriptors from {before} to {descriptors}"));
        }
        let crew = Arc::new(Crew {
            loops: Mutex::default(),
            left: self.once.map(AtomicU64::new),
            board: self.status.map(|every| Arc::new(Board::new(every, self.threads))),
        });
        let (serving, maker) = (&self, &maker);
        let (running, ended) = (AtomicUsize::new(self.threads), Waker::new()?);
        let shares = thread::scope(|scope| {
            let start = |(thread, listener)| {
                let worker = Worker { thread, listener, max_input, serving, crew: crew.clone(), maker };
                let (crew, ended, running) = (&crew, &ended, &running);
                scope.spawn(move || {
                    // One that cannot go on ends the others too.
                    let outcome = serving.backend.run(worker).inspect_err(|_| crew.ask(Handle::stop));
                    if running.fetch_sub(1, Ordering::Relaxed) == 1 {
                        let _ = ended.wake();
                    }
                    outcome
                })
            };
            let threads: Vec<_> = listeners.into_iter().enumerate().map(start).collect();
            let end = |before| crew.ask(if before == 0 { Handle::drain } else { Handle::stop });
            let attended = signals::attend(&pairs, &ended, end).inspect_err(|_| crew.ask(Handle::stop));
            let panicked = |_| Err(io::Error::other("a thread of the server panicked"));
            let shares = threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked));
            shares.collect::<io::Result<Vec<Stats>>>().and_then(|shares| attended.map(|()| shares))
        })?;
        let mut all = Stats::default();
        shares.iter().for_each(|share| all += share);
        say(format_args!("{}", Totals(&all)));
        if shares.len() > 1 {
            let spread: Vec<String> = shares.iter().map(|share| share.accepted.to_string()).collect();
            say(format_args!("Spread over {} threads: {} connections", shares.len(), spread.join(" + ")));
        }
        Ok(())
    }

    /// A listener for each thread, all on one address.
    fn listen(&self) -> io::Result<Vec<Listener>> {
        let address = address::of_server(&self.address, ("127.0.0.1", 65432));
        let mut options = self.options.0.clone();
        if self.threads > 1 {
            if address.path().is_some() {
                refuse("--threads needs a port: several listeners cannot share a Unix-domain address");
            }
            options.set("SO_REUSEPORT", true)?;
        }
        let first = listen(&address, &options)?;
        let bound = first.bound();
        let others = (1..self.threads).zip(bound.into_iter().cycle()).map(|(_, bound)| listen(&bound.into(), &options));
        let listeners = [Ok(first)].into_iter().chain(others).collect::<io::Result<Vec<Listener>>>()?;
        // Not before all are there: who comes is spread over those only.
        say(format_args!("Listening on {}", local_name(&listeners[0])));
        Ok(listeners)
    }
}

/// Keeps the calling thread, which is the one of this number, on its processor of a list; of an empty one, on any.
pub fn pin(cpus: &[usize], thread: usize) -> io::Result<()> {
    let Some(&processor) = cpus.get(thread % cpus.len().max(1)) else { return Ok(()) };
    let refused = |error| io::Error::other(format!("cannot keep a thread on processor {processor}: {error}"));
    pin_thread(processor).map_err(refused)
}

/// What the threads of a server share.
struct Crew {
    loops: Mutex<Loops>,
    /// Connections still to be ended, where their number was asked for.
    left: Option<AtomicU64>,
    board: Option<Arc<Board>>,
}

#[derive(Default)]
struct Loops {
    handles: Vec<Handle>,
    /// What was asked of all of them last.
    asked: Option<fn(&Handle)>,
}

impl Crew {
    fn loops(&self) -> MutexGuard<'_, Loops> {
        self.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A loop that is about to run, of which the same is asked as of those that run already.
    fn join(&self, handle: Handle) {
        let mut loops = self.loops();
        loops.asked.inspect(|ask| ask(&handle));
        loops.handles.push(handle);
    }

    fn ask(&self, ask: fn(&Handle)) {
        let mut loops = self.loops();
        loops.handles.iter().for_each(ask);
        loops.asked = Some(ask);
    }
}

struct Worker<'s, F> {
    thread: usize,
    listener: Listener,
    max_input: Option<usize>,
    serving: &'s Serving,
    crew: Arc<Crew>,
    maker: &'s F,
}

impl<P, M, F> OnBackend for Worker<'_, F>
where
    P: Protocol + 'static,
    M: FnMut(&Socket) -> P + 'static,
    F: Fn() -> M,
{
    type Outcome = Stats;

    fn serve<B: Backend + 'static>(self, backend: B) -> io::Result<Stats> {
        let Worker { thread, listener, max_input, serving, crew, maker } = self;
        pin(&serving.cpus, thread)?;
        let mut reactor: Reactor<Box<dyn Protocol>, B> = Reactor::with_backend(backend)?;
        serving.limits.put_on(&mut reactor, serving.threads, max_input);
        reactor.set_busy_poll(Duration::from_micros(serving.busy_poll));
        if let Some(board) = &crew.board {
            status::keep(&mut reactor, board.clone(), thread);
        }
        reactor.serve(listener, make(maker(), serving.options.0.clone(), serving.transcript(), &crew))?;
        crew.join(reactor.handle());
        reactor.run()?;
        Ok(reactor.stats().clone())
    }
}

/// What makes the protocol of each connection: with the socket options that were asked for, and counted where their number was.
fn make<P: Protocol + 'static>(
    mut make: impl FnMut(&Socket) -> P + 'static,
    options: Options,
    told: Transcript,
    crew: &Arc<Crew>,
) -> impl FnMut(&Socket) -> Box<dyn Protocol> + 'static {
    let counted = crew.left.is_some().then(|| crew.clone());
    move |socket| {
        told.apply(&options, socket);
        let protocol = make(socket);
        match &counted {
            None => Box::new(protocol),
            Some(crew) => Box::new(Counted { protocol, crew: crew.clone() }),
        }
    }
}

/// A connection whose end is counted; the last one's ends the loops.
struct Counted<P> {
    protocol: P,
    crew: Arc<Crew>,
}

impl<P: Protocol> Protocol for Counted<P> {
    fn open(&mut self, out: &mut Out<'_, '_>) -> Flow {
        self.protocol.open(out)
    }
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        self.protocol.receive(input, out)
    }
    fn end(&mut self, rest: &[u8], out: &mut Out<'_, '_>) -> Flow {
        self.protocol.end(rest, out)
    }
    fn refuse(&mut self, out: &mut Out<'_, '_>) -> Flow {
        self.protocol.refuse(out)
    }
    fn expired(&mut self, what: Deadline, out: &mut Out<'_, '_>) -> Flow {
        self.protocol.expired(what, out)
    }
    fn drained(&mut self) {
        self.protocol.drained();
    }
    fn is_busy(&self) -> bool {
        self.protocol.is_busy()
    }
    fn failed(&mut self, error: io::Error) {
        self.protocol.failed(error);
    }
}

impl<P> Drop for Counted<P> {
    fn drop(&mut self) {
        let Some(left) = &self.crew.left else { return };
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if before == Ok(1) {
            self.crew.ask(Handle::stop);
        }
    }
}
