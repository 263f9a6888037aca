//! `multiconn-server` and `multiconn-client`.

use std::io;
use std::time::Duration;

use selkey::apps::multiconn;
use selkey::socket::raise_descriptor_limit;
use selkey::{Protocol, Reactor, Retry};

use super::output::{say, transcript};
use super::serving::Serving;
use super::usage::seconds;
use super::{address, socket_options};

#[derive(clap::Args)]
#[command(
    override_usage = "selkey multiconn-server [OPTIONS] [HOST PORT | unix:PATH]",
    after_help = "Example: selkey multiconn-server 127.0.0.1 65432"
)]
pub struct Server {
    #[command(flatten)]
    serving: Serving,
}

impl Server {
    pub fn run(self) -> io::Result<()> {
        let told = self.serving.transcript();
        self.serving.run(None, || {
            let told = told.clone();
            move |socket| multiconn::Echo::new(socket, &told)
        })
    }
}

/// How many descriptors a client needs besides its connections: standard streams, the selector, its waker, one to look a name up.
const BESIDES: u64 = 8;

#[derive(clap::Args)]
#[command(
    override_usage = "selkey multiconn-client [OPTIONS] <HOST PORT | unix:PATH> <N>",
    after_help = "Example: selkey multiconn-client 127.0.0.1 65432 3"
)]
pub struct Client {
    /// The server's address, and how many connections to open
    #[arg(value_name = "ADDRESS N", allow_negative_numbers = true)]
    address: Vec<String>,
    /// Tell only how it ended
    #[arg(long)]
    quiet: bool,
    /// While the server cannot be reached try again, a little later each time, for this many seconds [default: not at all]
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    retry: Option<Duration>,
    #[command(flatten)]
    options: socket_options::Dialling,
}

impl Client {
    pub fn run(self) -> io::Result<()> {
        let (address, connections) = address::of_client_with_number(&self.address, "N");
        let limit = raise_descriptor_limit()?;
        if u64::from(connections) + BESIDES > limit {
            let what = format!("{connections} connections at once, but the limit is {limit} descriptors (ulimit -n)");
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, what));
        }
        let connections = connections as usize;
        let mut reactor: Reactor<Box<dyn Protocol>> = Reactor::new()?;
        let told = transcript("", self.quiet);
        let options = &self.options.0;
        let retry = self.retry.map(Retry::within);
        let tally = multiconn::start(&mut reactor, &address, options, retry, connections, &told, |client| client)?;
        reactor.run()?;
        let mut tally = tally.borrow_mut();
        match tally.first_failure.take() {
            None if self.quiet => say(format_args!("{} connections, {} bytes came back", tally.done, tally.bytes)),
            None => {}
            Some(error) if connections == 1 => return Err(error),
            Some(error) => {
                let what = format!("{} of {connections} connections failed, the first: {error}", tally.failed);
                return Err(io::Error::new(error.kind(), what));
            }
        }
        Ok(())
    }
}
