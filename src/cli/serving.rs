//! What every server on the loop is asked for on the command line, and does with it.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use selkey::apps::Transcript;
use selkey::backend::Backend;
use selkey::socket::{Role, Socket, listen, local_name};
use selkey::{Deadline, Flow, Handle, Out, Protocol, Reactor};

use super::backend::{BackendName, OnBackend};
use super::output::{say, transcript};
use super::usage::within;
use super::{address, limits, signals, socket_options};

#[derive(clap::Args)]
pub struct Serving {
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
    limits: limits::Limits,
    #[command(flatten)]
    options: socket_options::Listening,
}

impl Serving {
    /// Where the program tells what happens.
    pub fn transcript(&self) -> Transcript {
        transcript("", self.quiet)
    }

    /// Serves each connection with the protocol that `make` makes of it. `max_input` is how much of a message may lie unfinished, where the protocol has a limit of its own.
    pub fn run<P: Protocol + 'static>(
        self,
        max_input: Option<usize>,
        make: impl FnMut(&Socket) -> P + 'static,
    ) -> io::Result<()> {
        let backend = self.backend;
        backend.run(Server { serving: self, max_input, make })
    }
}

struct Server<M> {
    serving: Serving,
    max_input: Option<usize>,
    make: M,
}

impl<P: Protocol + 'static, M: FnMut(&Socket) -> P + 'static> OnBackend for Server<M> {
    fn serve<B: Backend + 'static>(self, backend: B) -> io::Result<()> {
        let Server { serving, max_input, mut make } = self;
        let mut reactor: Reactor<Box<dyn Protocol>, B> = Reactor::with_backend(backend)?;
        signals::watch(&mut reactor)?;
        let listener = listen(&address::of_server(&serving.address, ("127.0.0.1", 65432)), &serving.options.0)?;
        say(format_args!("Listening on {}", local_name(&listener)));
        serving.limits.set(&mut reactor, max_input, serving.quiet)?;
        let told = serving.transcript();
        let once = serving.once.map(|connections| (Rc::new(Cell::new(connections)), reactor.handle()));
        let options = serving.options.0;
        reactor.serve(listener, move |socket| {
            // The connection is good without them.
            if let Err(error) = options.apply(socket, Role::Accepted) {
                told.say(format_args!("{error}"));
            }
            let protocol = make(socket);
            match &once {
                None => Box::new(protocol) as Box<dyn Protocol>,
                Some((left, handle)) => Box::new(Counted { protocol, left: left.clone(), handle: handle.clone() }),
            }
        })?;
        reactor.run()
    }
}

/// A connection whose end is counted; the last one's ends the loop.
struct Counted<P> {
    protocol: P,
    left: Rc<Cell<u64>>,
    handle: Handle,
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
    fn failed(&mut self, error: io::Error) {
        self.protocol.failed(error);
    }
}

impl<P> Drop for Counted<P> {
    fn drop(&mut self) {
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() == 0 {
            self.handle.stop();
        }
    }
}
