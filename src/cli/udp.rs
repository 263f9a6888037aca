//! `udp-server` and `udp-client`.

use std::io;
use std::time::Duration;

use selkey::apps::udp;
use selkey::backend::Backend;
use selkey::socket::{bind_datagram, local_name};

use super::backend::{BackendName, OnBackend};
use super::output::{say, transcript};
use super::usage::{seconds, within};
use super::{address, signals, socket_options};

#[derive(clap::Args)]
#[command(
    override_usage = "selkey udp-server [OPTIONS] [HOST PORT]",
    after_help = "Example: selkey udp-server 127.0.0.1 65432"
)]
pub struct Server {
    /// Where to receive: '' is every IPv4 interface, '::' every interface, port 0 takes a free one [default: 127.0.0.1 65432]
    #[arg(value_name = "ADDRESS", allow_negative_numbers = true)]
    address: Vec<String>,
    /// What watches the socket
    #[arg(long, value_enum, default_value = "epoll")]
    backend: BackendName,
    /// Tell only where it listens and that it ends
    #[arg(long)]
    quiet: bool,
    /// Exit after this many datagrams, echoed or not
    #[arg(long, value_name = "N", value_parser = within(1u64, u64::MAX), allow_negative_numbers = true)]
    once: Option<u64>,
    /// The longest datagram in bytes that is echoed; a longer one is told of, and not answered
    #[arg(long, value_name = "B", default_value_t = udp::LONGEST, value_parser = within(1, udp::LONGEST), allow_negative_numbers = true)]
    max_datagram: usize,
    #[command(flatten)]
    options: socket_options::Datagrams,
}

impl Server {
    pub fn run(self) -> io::Result<()> {
        self.backend.run(self)
    }
}

impl OnBackend for Server {
    type Outcome = ();

    fn serve<B: Backend + 'static>(self, backend: B) -> io::Result<()> {
        let socket = bind_datagram(&address::of_server(&self.address, ("127.0.0.1", 65432)), &self.options.0)?;
        let address = local_name(&socket);
        let mut server = udp::Server::with_backend(backend, socket, self.max_datagram, &transcript("", self.quiet))?;
        let mut signals = Vec::new();
        for (end, line) in signals::pairs()? {
            signals.push((server.watch(end)?, line));
        }
        say(format_args!("Listening on {address}"));
        if let Some(datagrams) = self.once {
            server.stop_after(datagrams);
        }
        let ended = server.run()?;
        if let Some((_, line)) = signals.iter().find(|(key, _)| Some(*key) == ended) {
            signals::tell(line);
        }
        Ok(())
    }
}

#[derive(clap::Args)]
#[command(
    override_usage = "selkey udp-client [OPTIONS] [HOST PORT [MESSAGE...]]",
    after_help = "Example: selkey udp-client 127.0.0.1 65432 'Hello, world' ''"
)]
pub struct Client {
    /// The server's address [default: 127.0.0.1 65432], and what to send, each as one datagram [default: 'Hello, world']
    #[arg(value_name = "ADDRESS MESSAGE", allow_negative_numbers = true)]
    address: Vec<String>,
    /// How long to wait for the echo of a message, in seconds
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds, allow_negative_numbers = true)]
    timeout: Duration,
    /// How often to send a message again within that time, in equal intervals, while no echo comes
    #[arg(long, value_name = "N", default_value = "3", value_parser = within(0u32, 100), allow_negative_numbers = true)]
    retries: u32,
    #[command(flatten)]
    options: socket_options::Datagrams,
}

impl Client {
    pub fn run(self) -> io::Result<()> {
        let (address, messages) = address::of_client_with_messages(&self.address, ("127.0.0.1", 65432));
        let hello = ["Hello, world".to_owned()];
        let messages = if messages.is_empty() { &hello } else { messages };
        let patience = udp::Patience { timeout: self.timeout, retries: self.retries };
        udp::exchange(&address, &self.options.0, messages, patience, &transcript("", false))
    }
}
