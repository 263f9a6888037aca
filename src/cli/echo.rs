//! `echo-server` and `echo-client`.

use std::io;
use std::time::Duration;

use selkey::apps::echo::{self, MESSAGE};
use selkey::python;
use selkey::socket::{listen, local_name};

use super::output::{say, transcript};
use super::usage::{seconds, within};
use super::{address, signals, socket_options};

const DEFAULT: (&str, u16) = ("127.0.0.1", 65432);

#[derive(clap::Args)]
#[command(
    override_usage = "selkey echo-server [OPTIONS] [HOST PORT | unix:PATH]",
    after_help = "Example: selkey echo-server 127.0.0.1 65432"
)]
pub struct Server {
    /// Where to listen: '' is every IPv4 interface, '::' every interface, port 0 takes a free one [default: 127.0.0.1 65432]
    #[arg(value_name = "ADDRESS", allow_negative_numbers = true)]
    address: Vec<String>,
    /// Leave a client that sends nothing for so long: while it is connected nobody else is served
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "60", allow_negative_numbers = true)]
    idle_timeout: Duration,
    /// Leave a client that does not take its echo for so long: it keeps out everybody else just as much
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "30", allow_negative_numbers = true)]
    write_timeout: Duration,
    /// Tell only where it listens and that it ends
    #[arg(long)]
    quiet: bool,
    /// Exit after this many connections
    #[arg(long, value_name = "N", value_parser = within(1u64, u64::MAX), allow_negative_numbers = true)]
    once: Option<u64>,
    #[command(flatten)]
    options: socket_options::Listening,
}

impl Server {
    pub fn run(self) -> io::Result<()> {
        let stop = signals::stop()?;
        let listener = listen(&address::of_server(&self.address, DEFAULT), &self.options.0)?;
        say(format_args!("Listening on {}", local_name(&listener)));
        let server = echo::Server {
            idle_timeout: self.idle_timeout,
            write_timeout: self.write_timeout,
            once: self.once,
            options: self.options.0,
            transcript: transcript("", self.quiet),
        };
        server.serve(&listener, &stop)
    }
}

#[derive(clap::Args)]
#[command(
    override_usage = "selkey echo-client [OPTIONS] [HOST PORT | unix:PATH]",
    after_help = "Example: selkey echo-client 127.0.0.1 65432"
)]
pub struct Client {
    /// The server's address [default: 127.0.0.1 65432]
    #[arg(value_name = "ADDRESS", allow_negative_numbers = true)]
    address: Vec<String>,
    /// Give up when it is not done after so long: a server that serves one at a time may be busy with another
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "30", allow_negative_numbers = true)]
    timeout: Duration,
    #[command(flatten)]
    options: socket_options::Dialling,
}

impl Client {
    pub fn run(self) -> io::Result<()> {
        let address = address::of_client(&self.address, DEFAULT);
        let back = echo::ask(&address, &self.options.0, MESSAGE, self.timeout)?;
        say(format_args!("Received {}", python(&back)));
        Ok(())
    }
}
