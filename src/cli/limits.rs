//! The limits on what peers may do, as arguments.

use std::time::Duration;

use selkey::backend::Backend;
use selkey::{Protocol, Reactor};

use super::output::complain;
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
}

impl Limits {
    /// Puts them on one of so many loops, which then also complains while it runs out of descriptors.
    pub fn put_on<P: Protocol, B: Backend>(&self, reactor: &mut Reactor<P, B>, loops: usize, max_input: Option<usize>) {
        reactor.set_limits(self.of_each(loops, max_input));
        reactor.on_starved(|error| {
            complain(format_args!("cannot accept for now: {error}; accepting again once some are closed"));
        });
    }

    /// What was asked for, and the defaults where nothing was, for each of so many loops that share what they are together.
    fn of_each(&self, loops: usize, max_input: Option<usize>) -> selkey::Limits {
        let mut limits = selkey::Limits::default();
        set(&mut limits.max_input, max_input);
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
        limits.max_connections = limits.max_connections.div_ceil(loops);
        limits.max_held = limits.max_held.div_ceil(loops);
        limits
    }
}

fn set<T>(limit: &mut T, asked: Option<T>) {
    if let Some(asked) = asked {
        *limit = asked;
    }
}
