//! Servers side by side: each in a process of its own, all up at once, measured in short slices that take turns.
//!
//! On a shared machine a figure is good for the moment in which it was taken. So servers are measured in rounds, a short slice of each, and what counts are the ratios of
//! one round. The first server is started twice: how far it is from itself is what noise does, and no ratio says more than that. Where a process lies in memory is
//! worth some per cent, too, so all are started anew in several lots, in another order each time.
//!
//! ```no_run
//! use selkey::load::Echo;
//! use selkey::load::pair::{Figures, Pairing, Scenario, Side, measure};
//! use std::net::SocketAddr;
//!
//! # fn main() -> std::io::Result<()> {
//! let words = |command: &str| command.split(' ').map(str::to_owned).collect();
//! let fifty = Scenario::named("fifty").unwrap();
//! let clients = |address: SocketAddr| fifty.clients(address, Echo::new(fifty.size));
//! let sides = ["./old-server {port}", "./new-server {port}"];
//! let sides = sides.map(|command| Side { command: words(command), lots: usize::MAX, clients: &clients });
//! let paired = measure(&Pairing::default(), &sides, &mut |_, _| Ok(()))?;
//! let ratio = paired.ratio(1, 0, Figures::cpu).unwrap();
//! println!("{:.2} of the old one's CPU time, {:?}", ratio.median, ratio.verdict(paired.floor(Figures::cpu)));
//! # Ok(())
//! # }
//! ```

mod processors;
mod scenario;
mod server;
mod spread;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use processors::{Pinned, processors};
pub use scenario::Scenario;
pub use server::{PORT, Server};
pub use spread::{NOISE, Spread, Verdict, alternate};

/// How servers are measured.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// How often all are started anew. Default: 5.
    pub lots: usize,
    /// Slices of each in a lot. Default: 8.
    pub rounds: usize,
    /// How long a slice is. Default: 40 ms.
    pub slice: Duration,
    /// Where the servers run, counted from 0; nowhere in particular where none is named.
    pub server_processors: Vec<usize>,
    /// Where the clients run.
    pub client_processors: Vec<usize>,
    /// How long a server may take until it listens, and until it answers. Default: 10 s.
    pub patience: Duration,
}

impl Default for Pairing {
    /// Servers on the first processor that this thread may use and clients on the second, where there are two and the system can say so.
    fn default() -> Pairing {
        let (server, client) = match processors().as_deref() {
            Ok([server, client, ..]) => (vec![*server], vec![*client]),
            _ => (Vec::new(), Vec::new()),
        };
        Pairing {
            lots: 5,
            rounds: 8,
            slice: Duration::from_millis(40),
            server_processors: server,
            client_processors: client,
            patience: Duration::from_secs(10),
        }
    }
}

/// A server and who talks to it.
pub struct Side<'a> {
    /// The program and its arguments; `{port}` stands for the port on which it is to listen.
    pub command: Vec<String>,
    /// How many of the lots it takes part in; the first side takes part in all.
    pub lots: usize,
    /// Connects the clients of one server.
    pub clients: &'a dyn Fn(SocketAddr) -> io::Result<Clients>,
}

/// Clients that are connected: each call lets them talk for about so long, and answers what came of it.
pub type Clients = Box<dyn FnMut(Duration) -> io::Result<Slice>>;

/// What came of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Messages that were answered.
    pub messages: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The median time of an answer.
    pub p50: Duration,
    /// What 99 of 100 answers did not exceed.
    pub p99: Duration,
}

/// The figures of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Processor time of the server for a message, in nanoseconds.
    pub cpu: f64,
    /// Messages a second.
    pub rate: f64,
    /// The median time of an answer in nanoseconds.
    pub p50: f64,
    /// What 99 of 100 answers did not exceed, in nanoseconds.
    pub p99: f64,
}

impl Figures {
    /// [`cpu`](Figures::cpu).
    pub fn cpu(&self) -> f64 {
        self.cpu
    }
    /// [`rate`](Figures::rate).
    pub fn rate(&self) -> f64 {
        self.rate
    }
    /// [`p50`](Figures::p50).
    pub fn p50(&self) -> f64 {
        self.p50
    }
    /// [`p99`](Figures::p99).
    pub fn p99(&self) -> f64 {
        self.p99
    }
}

/// Starts every server, and the first one twice, and measures them in alternation. `tell` hears after each round how many there were and how many there will be, and while a server starts;
/// an error from there ends it.
///
/// # Errors
/// A server cannot be started, see [`Server::start`], or clients fail; the error quotes the command.
pub fn measure(
    pairing: &Pairing,
    sides: &[Side<'_>],
    tell: &mut dyn FnMut(usize, usize) -> io::Result<()>,
) -> io::Result<Paired> {
    if sides.is_empty() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "no server to measure"));
    }
    let mut paired = Paired { sides: sides.len(), rounds: Vec::new() };
    for lot in 0..pairing.lots {
        // The first once more is the last.
        let places: Vec<usize> = (0..=sides.len()).collect();
        let takes = |place: &usize| [0, sides.len()].contains(place) || lot < sides[*place].lots;
        let mut places: Vec<usize> = places.into_iter().filter(takes).collect();
        let many = places.len();
        places.rotate_left(lot % many);
        let all = pairing.lots * pairing.rounds;
        let mut running = Vec::new();
        for place in &places {
            let side = &sides[place % sides.len()];
            let goes_on = &mut || tell(lot * pairing.rounds, all);
            running.push((side, Server::start(&side.command, &pairing.server_processors, pairing.patience, goes_on)?));
        }
        let _pinned = Pinned::to(&pairing.client_processors)?;
        let mut talking = Vec::new();
        for (side, mut server) in running {
            let mut clients = (side.clients)(server.address()).map_err(|error| server.about(error))?;
            // Unmeasured: what is done at the first message only.
            slice(&mut clients, &server, pairing).map_err(|error| server.about(error))?;
            server.find_processes();
            // Clients go before their server.
            talking.push((clients, server));
        }
        let mut slices = 0;
        let rounds = alternate(pairing.rounds, many, |at| {
            tell(lot * pairing.rounds + slices / many, all)?;
            slices += 1;
            let (clients, server) = &mut talking[at];
            slice(clients, server, pairing).map_err(|error| server.about(error))
        })?;
        for round in rounds {
            let mut figures = vec![None; sides.len() + 1];
            places.iter().zip(round).for_each(|(place, slice)| figures[*place] = Some(slice));
            paired.rounds.push(Round { lot, figures });
        }
    }
    tell(pairing.lots * pairing.rounds, pairing.lots * pairing.rounds)?;
    Ok(paired)
}

fn slice(clients: &mut Clients, server: &Server, pairing: &Pairing) -> io::Result<Figures> {
    let start = Instant::now();
    // Unmeasured: what those who ran before have left in caches, and in how soon a processor sleeps.
    clients(pairing.slice / 8)?;
    let (cpu, slice) = loop {
        let before = server.cpu_time()?;
        let slice = clients(pairing.slice)?;
        // On a busy machine a short slice may be over before it has begun.
        if slice.messages > 0 {
            break (server.cpu_time()?.saturating_sub(before), slice);
        }
        if start.elapsed() > pairing.patience {
            let what = format!("answered nothing within {:?}", pairing.patience);
            return Err(io::Error::new(ErrorKind::TimedOut, what));
        }
    };
    let messages = slice.messages as f64;
    let nanos = |time: Duration| time.as_nanos() as f64;
    Ok(Figures {
        cpu: nanos(cpu) / messages,
        rate: messages / slice.elapsed.as_secs_f64(),
        p50: nanos(slice.p50),
        p99: nanos(slice.p99),
    })
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Paired {
    sides: usize,
    rounds: Vec<Round>,
}

/// Every side's figures, and last the first side's second ones; `None` for who did not take part.
#[derive(Clone, Debug)]
struct Round {
    lot: usize,
    figures: Vec<Option<Figures>>,
}

/// With fewer lots their medians have no quartiles worth the name.
const FEW: usize = 5;

impl Paired {
    /// A figure of one side as a ratio to another's, both by their place: the median of each lot's rounds, and of those the median and the quartiles. From fewer than five lots
    /// those of all rounds. `None` where they never met.
    pub fn ratio(&self, of: usize, to: usize, figure: impl Fn(&Figures) -> f64) -> Option<Spread> {
        self.spread(|figures| Some(figure(figures[of].as_ref()?) / figure(figures[to].as_ref()?)))
    }

    /// A figure of the first side as a ratio to what it is for the same program, started once more.
    pub fn floor(&self, figure: impl Fn(&Figures) -> f64) -> Spread {
        self.ratio(self.sides, 0, figure).unwrap_or(Spread { low: 0.0, median: 1.0, high: f64::INFINITY })
    }

    /// A figure of one side: the medians of each lot's rounds. It says little by itself.
    pub fn figure(&self, of: usize, figure: impl Fn(&Figures) -> f64) -> Option<Spread> {
        self.spread(|figures| figures[of].as_ref().map(&figure))
    }

    fn spread(&self, value: impl Fn(&[Option<Figures>]) -> Option<f64>) -> Option<Spread> {
        let lots = self.rounds.chunk_by(|one, other| one.lot == other.lot);
        let values = |rounds: &[Round]| rounds.iter().filter_map(|round| value(&round.figures)).collect::<Vec<_>>();
        let medians: Vec<f64> = lots.filter_map(|lot| Some(Spread::of(values(lot))?.median)).collect();
        Spread::of(if medians.len() < FEW { values(&self.rounds) } else { medians })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sides and the first once more; the second is there in the first lots only.
    fn paired(lots: usize, second: usize) -> Paired {
        let figures = |cpu| Some(Figures { cpu, rate: 1.0, p50: 1.0, p99: 1.0 });
        let round = |lot, at: usize| Round {
            lot,
            // One round of three is far off.
            figures: vec![
                figures(2.0),
                figures([4.0, 100.0, 4.0][at]).filter(|_| lot < second),
                figures(2.0 + lot as f64),
            ],
        };
        Paired { sides: 2, rounds: (0..lots).flat_map(|lot| (0..3).map(move |at| round(lot, at))).collect() }
    }

    #[test]
    fn a_lot_counts_as_its_median() {
        let ratio = paired(5, 5).ratio(1, 0, Figures::cpu).unwrap();
        assert_eq!(ratio, Spread { low: 2.0, median: 2.0, high: 2.0 });
        assert_eq!(paired(5, 5).floor(Figures::cpu), Spread { low: 1.5, median: 2.0, high: 2.5 });
    }

    #[test]
    fn few_lots_count_as_their_rounds() {
        let ratio = paired(5, 2).ratio(1, 0, Figures::cpu).unwrap();
        assert_eq!((ratio.low, ratio.median), (2.0, 2.0));
        let all = paired(2, 2).ratio(1, 0, |figures| figures.cpu * figures.cpu).unwrap();
        assert_eq!(all, Spread { low: 4.0, median: 4.0, high: 4.0 });
    }

    #[test]
    fn who_never_took_part_has_no_ratio() {
        assert_eq!(paired(5, 0).ratio(1, 0, Figures::cpu), None);
        assert!(paired(5, 0).figure(1, Figures::cpu).is_none());
    }

    #[test]
    fn without_servers_there_is_nothing_to_measure() {
        assert!(measure(&Pairing::default(), &[], &mut |_, _| Ok(())).is_err());
    }
}
