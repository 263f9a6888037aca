//! `multiconn-server` and `multiconn-client`.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use selkey::apps::multiconn;
use selkey::backend::Backend;
use selkey::socket::{Role, listen, local_name, raise_descriptor_limit};
use selkey::{Flow, Handle, Out, Protocol, Reactor};

use super::backend::{BackendName, OnBackend};
use super::output::{say, transcript};
use super::usage::within;
use super::{address, signals, socket_options};

#[derive(clap::Args)]
#[command(
    override_usage = "selkey multiconn-server [OPTIONS] [HOST PORT | unix:PATH]",
    after_help = "Example: selkey multiconn-server 127.0.0.1 65432"
)]
pub struct Server {
    /// Where to listen: '' is every IPv4 interface, '::' every interface, port 0 takes a free one [default: 127.0.0.1 65432]
    #[arg(value_name = "ADDRESS", allow_negative_numbers = true)]
    address: Vec<String>,
    /// What watches the sockets
    #[arg(long, value_enum, default_value = "epoll")]
    backend: BackendName,
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
        raise_descriptor_limit()?;
        self.backend.run(self)
    }
}

impl OnBackend for Server {
    fn serve<B: Backend>(self, backend: B) -> io::Result<()> {
        let mut reactor: Reactor<Box<dyn Protocol>, B> = Reactor::with_backend(backend)?;
        signals::watch(&mut reactor)?;
        let listener = listen(&address::of_server(&self.address, ("127.0.0.1", 65432)), &self.options.0)?;
        say(format_args!("Listening on {}", local_name(&listener)));
        let told = transcript("", self.quiet);
        let once = self.once.map(|connections| (Rc::new(Cell::new(connections)), reactor.handle()));
        let options = self.options.0;
        reactor.serve(listener, move |socket| {
            // The connection is good without them.
            if let Err(error) = options.apply(socket, Role::Accepted) {
                told.say(format_args!("{error}"));
            }
            let echo = multiconn::Echo::new(socket, &told);
            match &once {
                None => Box::new(echo) as Box<dyn Protocol>,
                Some((left, handle)) => Box::new(Counted { echo, left: left.clone(), handle: handle.clone() }),
            }
        })?;
        reactor.run()
    }
}

/// An echo whose end is counted, and the last of which ends the loop.
struct Counted {
    echo: multiconn::Echo,
    left: Rc<Cell<u64>>,
    handle: Handle,
}

impl Protocol for Counted {
    fn receive<'i>(&mut self, input: &'i [u8], out: &mut Out<'i, '_>) -> Flow {
        self.echo.receive(input, out)
    }
    fn failed(&mut self, error: io::Error) {
        self.echo.failed(error);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0 {
            self.handle.stop();
        }
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
        let tally = multiconn::start(&mut reactor, &address, options, connections, &told, |client| client)?;
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
