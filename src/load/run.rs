//! A whole run: threads, a warm-up, intervals that are told while it goes on.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use std::{io, thread};

use super::book::Tell;
use super::datagrams::Datagrams;
use super::drive::{Drive, Share};
use super::exchange::Exchange;
use super::plan::{Goal, Plan};
use super::session::Session;
use super::tally::Tally;
use super::tcp::Tcp;

/// Intervals of a run at most.
const INTERVALS: u32 = 600;

/// What a run came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// All threads together, without the warm-up but with its errors.
    pub tally: Tally,
    /// What the kernel knows of some of the connections that were open at the end.
    pub tcp: Option<Tcp>,
    /// Whether it was ended early, by [`Plan::stop`].
    pub stopped: bool,
    /// The rate that was asked for and not kept: less than 0.95 of it was answered. `None` also where the run was stopped or has other errors.
    pub missed_rate: Option<f64>,
}

/// A part of a run, as it is told when it is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Interval {
    /// When it began, from the end of the warm-up on.
    pub from: Duration,
    /// What was done in it: replies count where they came, failures where they were noticed.
    pub tally: Tally,
}

/// Does all that a plan asks for over stream connections. `make` makes the exchange of each thread, on that thread, whose number it is told; `told` hears of each
/// interval when it is over on all threads. The memory it takes does not grow with the number of messages.
///
/// ```
/// use selkey::load::{self, Echo, Goal, Plan};
///
/// # fn main() -> std::io::Result<()> {
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # let server = std::thread::spawn(move || {
/// #     let (mut stream, _) = listener.accept().unwrap();
/// #     std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
/// # });
/// let mut plan = Plan::new(address);
/// plan.goal = Goal::Messages(100);
/// let report = load::run(&plan, |_thread| Ok(Echo::new(64)), |interval| println!("{:?}", interval.tally))?;
/// assert_eq!(report.tally.messages, 100);
/// # server.join().unwrap();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The name is not known, there are no descriptors, or what `make` says. What happens to connections is told in the report.
pub fn run<E: Exchange>(
    plan: &Plan,
    make: impl Fn(usize) -> io::Result<E> + Sync,
    told: impl FnMut(&Interval),
) -> io::Result<Report> {
    run_on_threads(plan, |plan, share| Session::open_share(plan, make(share.at)?, share), told)
}

/// As [`run`], with datagrams (UDP): each connection is a socket of its own. A reply may come in any order, and is known by its content; one that does not come
/// within [`Plan::timeout`] is lost, which is counted and ends nothing.
///
/// # Errors
/// As `run`.
pub fn run_datagrams<E: Exchange>(
    plan: &Plan,
    make: impl Fn(usize) -> io::Result<E> + Sync,
    told: impl FnMut(&Interval),
) -> io::Result<Report> {
    run_on_threads(plan, |plan, share| Datagrams::open(plan, make(share.at)?, share), told)
}

enum Word {
    /// The interval of this number.
    Over(u64, Box<Tally>),
    /// The thread's end: what is left to count, and what the kernel knows.
    Ended(io::Result<(Box<Tally>, Option<Tcp>)>),
}

fn run_on_threads<D: Drive>(
    plan: &Plan,
    open: impl Fn(&Plan, Share) -> io::Result<D> + Sync,
    mut told: impl FnMut(&Interval),
) -> io::Result<Report> {
    // A thread that fails stops the others, and nothing else.
    let plan = &Plan { stop: plan.stop.inner(), ..plan.clone() };
    let threads = plan.threads.clamp(1, plan.connections.max(1));
    let longest = match plan.goal {
        Goal::For(time) => time,
        Goal::Messages(_) => plan.most,
    };
    let interval = plan.interval.max(longest / INTERVALS).max(Duration::from_millis(1));
    let (send, words) = channel();
    let (open, barrier) = (&open, &Barrier::new(threads));
    let mut crew = Crew { passed: vec![0; threads], parts: BTreeMap::new(), interval, all: Tally::new() };
    let (mut rest, mut tcp, mut outcome) = (Tally::new(), None::<Tcp>, Ok(()));
    thread::scope(|scope| {
        for at in 0..threads {
            let send = send.clone();
            scope.spawn(move || {
                let share = Share { at, of: threads };
                let ended = on_thread(plan, interval, barrier, || open(plan, share), &send, at);
                let _ = send.send((at, Word::Ended(ended)));
            });
        }
        drop(send);
        for (at, word) in words {
            match word {
                Word::Over(number, part) => crew.take(at, number, &part, &mut told),
                Word::Ended(ended) => {
                    crew.pass(at, u64::MAX, &mut told);
                    match ended {
                        Ok((part, sample)) => {
                            rest.add(&part);
                            match (&mut tcp, sample) {
                                (Some(tcp), Some(sample)) => tcp.add(sample),
                                (tcp, sample) => *tcp = tcp.take().or(sample),
                            }
                        }
                        Err(error) if outcome.is_ok() => {
                            outcome = Err(error);
                            plan.stop.stop();
                        }
                        Err(_) => {}
                    }
                }
            }
        }
    });
    outcome?;
    let mut tally = crew.all;
    let elapsed = tally.elapsed;
    tally.add(&rest);
    tally.elapsed = elapsed;
    let stopped = plan.stop.is_stopped();
    let missed = |rate: &f64| tally.rate() < 0.95 * rate && !stopped && tally.errors.is_empty();
    Ok(Report { missed_rate: plan.rate.filter(missed), tally, tcp, stopped })
}

/// What one thread does. The others wait for it where all begin together, so it comes there whatever has happened.
fn on_thread<D: Drive>(
    plan: &Plan,
    interval: Duration,
    barrier: &Barrier,
    open: impl FnOnce() -> io::Result<D>,
    send: &Sender<(usize, Word)>,
    at: usize,
) -> io::Result<(Box<Tally>, Option<Tcp>)> {
    let opened = guarded(open);
    barrier.wait();
    let warmed = guarded(|| {
        let mut driven = opened?;
        let warm = (!plan.warm_up.is_zero()).then(|| driven.go(Goal::For(plan.warm_up), None)).transpose()?;
        Ok((driven, warm))
    });
    barrier.wait();
    let (mut driven, warm) = warmed?;
    let (over, mut number) = (send.clone(), 0);
    let tell: Tell = Box::new(move |part| {
        let _ = over.send((at, Word::Over(number, Box::new(part))));
        number += 1;
    });
    let last = guarded(|| driven.go(plan.goal, Some((interval, tell))))?;
    let mut rest = Tally::new();
    if let Some(warm) = warm {
        (rest.unanswered, rest.errors) = (warm.unanswered, warm.errors);
        if plan.per_connection.is_none() {
            rest.connected = warm.connected;
        }
    }
    let _ = send.send((at, Word::Over(u64::MAX, Box::new(last))));
    Ok((Box::new(rest), driven.tcp()))
}

/// An exchange that panics ends the run, and leaves nobody waiting.
fn guarded<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let panicked = |_| Err(io::Error::other("a thread of the run panicked"));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

/// Puts the threads' intervals together.
struct Crew {
    /// How many intervals are over on each thread.
    passed: Vec<u64>,
    /// Those that are not over on all.
    parts: BTreeMap<u64, Tally>,
    interval: Duration,
    all: Tally,
}

impl Crew {
    /// The part of a thread; its last one has no number of its own and is the one behind those before.
    fn take(&mut self, at: usize, number: u64, part: &Tally, told: &mut impl FnMut(&Interval)) {
        let number = number.min(self.passed[at]);
        self.parts.entry(number).or_insert_with(Tally::new).add(part);
        self.pass(at, number + 1, told);
    }

    /// So many intervals are over on this thread. Tells those that are over on all.
    fn pass(&mut self, at: usize, number: u64, told: &mut impl FnMut(&Interval)) {
        self.passed[at] = self.passed[at].max(number);
        let over = self.passed.iter().min().copied().unwrap_or(u64::MAX);
        while let Some(first) = self.parts.first_entry()
            && *first.key() < over
        {
            let (number, tally) = first.remove_entry();
            let from = self.interval * u32::try_from(number).unwrap_or(u32::MAX);
            let elapsed = self.all.elapsed.max(from + tally.elapsed);
            self.all.add(&tally);
            self.all.elapsed = elapsed;
            told(&Interval { from, tally });
        }
    }
}
