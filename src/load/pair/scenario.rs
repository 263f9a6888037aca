//! What clients do with a server, by name.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::{Clients, Slice};
use crate::load::{Exchange, Goal, Plan, Session, Tally};

/// What clients do; their messages are as many bytes long as the exchange makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Connections at once.
    pub connections: usize,
    /// Requests on their way on each.
    pub in_flight: usize,
    /// Bytes of a message, where that can be chosen.
    pub size: usize,
    /// Messages after which a connection is closed and dialled anew; otherwise it is kept.
    pub per_connection: Option<u64>,
}

const fn kept(name: &'static str, connections: usize, in_flight: usize, size: usize) -> Scenario {
    Scenario { name, connections, in_flight, size, per_connection: None }
}

impl Scenario {
    /// Those that servers are compared in.
    pub const ALL: [Scenario; 7] = [
        kept("one", 1, 1, 64),
        kept("four", 4, 1, 64),
        kept("fifty", 50, 1, 64),
        kept("thousand", 1000, 1, 64),
        kept("large", 50, 1, 16 << 10),
        kept("pipelined", 50, 16, 64),
        Scenario { per_connection: Some(1), ..kept("connect", 1, 1, 64) },
    ];

    /// The one of this name.
    ///
    /// ```
    /// use selkey::load::pair::Scenario;
    ///
    /// let scenario = Scenario::named("pipelined").unwrap();
    /// assert_eq!(scenario.to_string(), "50 connections, 16 in flight, 64 bytes");
    /// ```
    pub fn named(name: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|scenario| scenario.name == name)
    }

    /// Connects to a server. All clients are on the calling thread.
    ///
    /// # Errors
    /// As [`Session::open`]. A call of the clients fails when anything goes wrong with a connection or a reply.
    pub fn clients<E: Exchange + 'static>(&self, address: SocketAddr, exchange: E) -> io::Result<Clients> {
        let mut session = Session::open(&self.plan(address), exchange)?;
        Ok(Box::new(move |time| slice(session.until(Goal::For(time))?)))
    }

    /// What a generator is asked for.
    pub fn plan(&self, address: SocketAddr) -> Plan {
        let mut plan = Plan::new(address);
        (plan.connections, plan.in_flight, plan.per_connection) =
            (self.connections, self.in_flight, self.per_connection);
        plan
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scenario { connections, in_flight, size, per_connection, .. } = self;
        let plural = if *connections == 1 { "" } else { "s" };
        write!(f, "{connections} connection{plural}")?;
        if *in_flight > 1 {
            write!(f, ", {in_flight} in flight")?;
        }
        match size {
            0..1024 => write!(f, ", {size} bytes")?,
            _ if size % 1024 == 0 => write!(f, ", {} KiB", size / 1024)?,
            _ => write!(f, ", {size} bytes")?,
        }
        match per_connection {
            None => Ok(()),
            Some(1) => write!(f, ", a new one for each message"),
            Some(number) => write!(f, ", a new one after {number} messages"),
        }
    }
}

fn slice(tally: Tally) -> io::Result<Slice> {
    if let Some((failure, times, first)) = tally.errors.iter().max_by_key(|(_, times, _)| *times) {
        let what = if times == 1 { first.to_owned() } else { format!("{failure}, {times} times, the first: {first}") };
        return Err(io::Error::other(what));
    }
    Ok(Slice {
        messages: tally.messages,
        elapsed: tally.elapsed,
        p50: tally.latency.quantile(0.5),
        p99: tally.latency.quantile(0.99),
    })
}
