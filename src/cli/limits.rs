//! The limits on what peers may do, as arguments; and the line that tells how a server is doing.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use selkey::backend::Backend;
use selkey::socket::{descriptor_limit, raise_descriptor_limit};
use selkey::{Protocol, Reactor, Stats};

use super::output::{complain, say};
use super::usage::{bytes, seconds, within};

#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Connections at once; whoever comes beyond is refused [default: the limit on descriptors, less 64 for everything else]
    #[arg(long, value_name = "N", value_parser = within(1usize, usize::MAX), allow_negative_numbers = true)]
    max_connections: Option<usize>,
    /// Seconds from being accepted to the end of the first header, and for every later header; bytes do not prolong it [default: 10, many times what a bad network takes]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    header_timeout: Option<Duration>,
    /// Seconds from a header to the end of its message, and 1 more for each 64 KiB; bytes do not prolong it [default: 30]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    message_timeout: Option<Duration>,
    /// Seconds of silence between messages [default: 60, so that who went away does not hold a place]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    idle_timeout: Option<Duration>,
    /// Seconds in which a peer must take 4 KiB of what waits for it [default: 30]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    write_timeout: Option<Duration>,
    /// Seconds from the wish to end to the cut of the connections that are left [default: 10]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    drain_timeout: Option<Duration>,
    /// Bytes that may wait for one peer before it is not read any more [default: 64k, as much as is received at once]
    #[arg(long, value_name = "B", value_parser = bytes, allow_negative_numbers = true)]
    high_water: Option<usize>,
    /// Bytes held for all connections together; a connection that needs more is ended [default: 256m]
    #[arg(long, value_name = "B", value_parser = bytes, allow_negative_numbers = true)]
    max_held: Option<usize>,
    /// Connections accepted before the others get their turn [default: 64]
    #[arg(long, value_name = "N", value_parser = within(1usize, usize::MAX), allow_negative_numbers = true)]
    accepts_per_wake: Option<usize>,
    /// Print a line about the server every this many seconds
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true, help_heading = None)]
    status: Option<Duration>,
}

impl Limits {
    /// What was asked for, and the defaults where nothing was.
    pub fn limits(&self) -> selkey::Limits {
        let mut limits = selkey::Limits::default();
        let Limits {
            max_connections,
            header_timeout,
            message_timeout,
            idle_timeout,
            write_timeout,
            drain_timeout,
            high_water,
            max_held,
            accepts_per_wake,
            status: _,
        } = *self;
        set(&mut limits.max_connections, max_connections);
        set(&mut limits.header_timeout, header_timeout);
        set(&mut limits.message_timeout, message_timeout);
        set(&mut limits.idle_timeout, idle_timeout);
        set(&mut limits.write_timeout, write_timeout);
        set(&mut limits.drain_timeout, drain_timeout);
        set(&mut limits.high_water, high_water);
        set(&mut limits.max_held, max_held);
        set(&mut limits.accepts_per_wake, accepts_per_wake);
        limits
    }

    /// Raises the limit on descriptors, puts all others on a loop, complains when it runs out of descriptors nevertheless, and tells how it is doing
    /// where that was asked for.
    pub fn set<P: Protocol + 'static, B: Backend + 'static>(
        &self,
        reactor: &mut Reactor<P, B>,
        max_input: Option<usize>,
        quiet: bool,
    ) -> io::Result<()> {
        let (before, descriptors) = (descriptor_limit()?, raise_descriptor_limit()?);
        if before < descriptors && !quiet {
            say(format_args!("Raised the limit on descriptors from {before} to {descriptors}"));
        }
        let mut limits = self.limits();
        set(&mut limits.max_input, max_input);
        reactor.set_limits(limits);
        reactor.on_starved(|error| {
            complain(format_args!("cannot accept for now: {error}; accepting again once some are closed"))
        });
        if let Some(every) = self.status {
            let turns = Rc::new(RefCell::new(turn_times()));
            let told = turns.clone();
            // Longer than the histogram goes is its end.
            reactor.on_turn(move |time| told.borrow_mut().saturating_record(time.as_nanos() as u64));
            tell_every(reactor, every, turns, Instant::now(), Stats::default());
        }
        Ok(())
    }
}

fn set<T>(limit: &mut T, asked: Option<T>) {
    if let Some(asked) = asked {
        *limit = asked;
    }
}

/// Nanoseconds up to a minute, to two digits.
fn turn_times() -> Histogram<u64> {
    Histogram::new_with_max(60_000_000_000, 2).expect("bounds that a histogram can have")
}

fn tell_every<P: Protocol + 'static, B: Backend + 'static>(
    reactor: &mut Reactor<P, B>,
    every: Duration,
    turns: Rc<RefCell<Histogram<u64>>>,
    since: Instant,
    before: Stats,
) {
    reactor.after(every, move |reactor| {
        let (now, stats) = (Instant::now(), reactor.stats().clone());
        say(format_args!("{}", Status { stats: &stats, before: &before, time: now - since, turns: &turns.borrow() }));
        turns.borrow_mut().reset();
        tell_every(reactor, every, turns, now, stats);
    });
}

struct Status<'a> {
    stats: &'a Stats,
    before: &'a Stats,
    time: Duration,
    turns: &'a Histogram<u64>,
}

impl fmt::Display for Status<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { stats, before, time, turns } = self;
        let rate = |now: u64, before: u64| (now - before) as f64 / time.as_secs_f64();
        let moved = rate(stats.received + stats.sent, before.received + before.sent);
        write!(
            f,
            "Status: {} connections, {:.0} requests/s, {:.0} bytes/s, {} bytes held, p99 turn {:.3} ms",
            stats.connections,
            rate(stats.requests, before.requests),
            moved,
            stats.held,
            turns.value_at_quantile(0.99) as f64 / 1e6,
        )?;
        let expired: u64 = selkey::Deadline::ALL.iter().map(|&what| stats.expired(what)).sum();
        for (count, what) in [
            (stats.refused, "refused"),
            (stats.turned_away, "turned away"),
            (expired, "expired"),
            (stats.reset, "reset"),
            (stats.overfull, "over a limit"),
            (stats.failed, "failed"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
