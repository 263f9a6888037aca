//! `relay`: a bad network between clients and a server.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use selkey::apps::relay::{self, Datagrams, Network, Passed, Rules, Settings, Tally};
use selkey::backend::Backend;
use selkey::socket::{Address, Listener, bind_datagram, listen, local_name, raise_descriptor_limit};
use selkey::{Handle, Protocol, Reactor, Waker};

use super::backend::{BackendName, OnBackend};
use super::output::{say, transcript};
use super::usage::{bytes, milliseconds, seconds, within};
use super::{address, limits, signals, socket_options};

#[derive(clap::Args)]
#[command(
    override_usage = "selkey relay [OPTIONS] <HOST PORT | unix:PATH> <HOST PORT | unix:PATH>",
    after_help = "Example: selkey relay 127.0.0.1 65433 127.0.0.1 65432 --delay 50 --chunk 64"
)]
pub struct Relay {
    /// Where to listen, port 0 takes a free one; and the target to connect to for each client
    #[arg(value_name = "LISTEN TARGET", allow_negative_numbers = true)]
    addresses: Vec<String>,
    /// Relay datagrams; those that are delayed differently overtake each other
    #[arg(long, conflicts_with_all = ["chunk", "reset_after", "reset_after_back"])]
    udp: bool,
    /// Milliseconds that everything is under way, each way
    #[arg(long, value_name = "MS", value_parser = milliseconds, default_value = "0", allow_negative_numbers = true)]
    delay: Duration,
    /// Up to so many milliseconds more, by chance for each piece; the bytes keep their order
    #[arg(long, value_name = "MS", value_parser = milliseconds, default_value = "0", allow_negative_numbers = true)]
    jitter: Duration,
    /// Bytes a second, of each connection and direction; 64k and 16m work too [default: no limit]
    #[arg(long, value_name = "BPS", value_parser = bytes, allow_negative_numbers = true)]
    rate: Option<usize>,
    /// The longest piece in bytes, each in a send of its own [default: as it comes, at most 32k]
    #[arg(long, value_name = "B", value_parser = bytes, allow_negative_numbers = true)]
    chunk: Option<usize>,
    /// Seconds from the start of each connection in which nothing passes
    #[arg(long, value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    freeze: Option<Duration>,
    /// Pass so many bytes to the target of each connection, then nothing more, and tell nobody
    #[arg(long, value_name = "N", value_parser = within(0u64, u64::MAX), allow_negative_numbers = true)]
    drop_after: Option<u64>,
    /// The same for bytes to the client
    #[arg(long, value_name = "N", value_parser = within(0u64, u64::MAX), allow_negative_numbers = true)]
    drop_after_back: Option<u64>,
    /// Reset both connections after exactly so many bytes to the target
    #[arg(long, value_name = "N", value_parser = within(0u64, u64::MAX), allow_negative_numbers = true)]
    reset_after: Option<u64>,
    /// The same for bytes to the client
    #[arg(long, value_name = "N", value_parser = within(0u64, u64::MAX), allow_negative_numbers = true)]
    reset_after_back: Option<u64>,
    /// Where chance begins: the same seed and the same pieces make the same jitter
    #[arg(long, value_name = "N", value_parser = within(0u64, u64::MAX), default_value = "0", allow_negative_numbers = true)]
    seed: u64,
    /// What watches the sockets
    #[arg(long, value_enum, default_value = "epoll")]
    backend: BackendName,
    /// Tell only where it listens and that it ends
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    limits: limits::Limits,
    #[command(flatten)]
    options: socket_options::Listening,
}

impl Relay {
    /// Relays until a signal: the first drains, the second ends at once.
    pub fn run(self) -> io::Result<()> {
        let (address, target) = address::of_relay(&self.addresses);
        let signals = signals::pairs()?;
        if self.udp {
            return self.backend.run(Udp { relay: self, address, target, signals });
        }
        raise_descriptor_limit()?;
        let listener = listen(&address, &self.options.0)?;
        say(format_args!("Listening on {}", local_name(&listener)));
        let (ended, (send, handles)) = (Waker::new()?, mpsc::channel());
        thread::scope(|scope| {
            let loop_ended = ended.clone();
            let relaying = scope.spawn(move || {
                let backend = self.backend;
                let outcome = backend.run(Stream { relay: self, listener, target, started: send });
                let _ = loop_ended.wake();
                outcome
            });
            // None comes where it failed before.
            if let Ok(handle) = handles.recv() {
                let end = |before| if before == 0 { handle.drain() } else { handle.stop() };
                signals::attend(&signals, &ended, end).inspect_err(|_| handle.stop())?;
            }
            relaying.join().unwrap_or_else(|_| Err(io::Error::other("the relay panicked")))
        })
    }

    fn settings(&self, target: Address) -> Settings {
        let rules = Rules {
            delay: self.delay,
            jitter: self.jitter,
            rate: self.rate.map(|rate| rate as u64),
            chunk: self.chunk,
            freeze: self.freeze.unwrap_or_default(),
            drop_after: self.drop_after,
            reset_after: self.reset_after,
        };
        let back = Rules { drop_after: self.drop_after_back, reset_after: self.reset_after_back, ..rules.clone() };
        let mut settings = Settings::new(target);
        settings.network = Network { to_target: rules, to_client: back };
        settings.accepted = self.options.0.clone();
        settings.seed = self.seed;
        settings.transcript = transcript("", self.quiet);
        settings
    }
}

struct Stream {
    relay: Relay,
    listener: Listener,
    target: Address,
    started: Sender<Handle>,
}

impl OnBackend for Stream {
    type Outcome = ();

    fn serve<B: Backend + 'static>(self, backend: B) -> io::Result<()> {
        let Stream { relay, listener, target, started } = self;
        let mut reactor: Reactor<Box<dyn Protocol>, B> = Reactor::with_backend(backend)?;
        relay.limits.put_on(&mut reactor, 1, None);
        let mut relaying = relay::Relay::start(&mut reactor, listener, relay.settings(target))?;
        // Whoever started this waits for the end of it.
        let _ = started.send(reactor.handle());
        relaying.run(&mut reactor)?;
        let Tally { accepted, reset, to_target, to_client, .. } = relaying.tally();
        say(format_args!(
            "Totals: {accepted} clients, {to_target} bytes to the target, {to_client} bytes back, {reset} clients reset"
        ));
        Ok(())
    }
}

struct Udp {
    relay: Relay,
    address: Address,
    target: Address,
    signals: signals::Pairs,
}

impl OnBackend for Udp {
    type Outcome = ();

    fn serve<B: Backend + 'static>(self, backend: B) -> io::Result<()> {
        let Udp { relay, address, target, signals } = self;
        let socket = bind_datagram(&address, &relay.options.0)?;
        let bound = local_name(&socket);
        let mut relaying = Datagrams::with_backend(backend, socket, relay.settings(target))?;
        let mut watched = Vec::new();
        for (end, line) in signals {
            watched.push((relaying.watch(end)?, line));
        }
        say(format_args!("Listening on {bound}"));
        let ended = relaying.run()?;
        if let Some((_, line)) = watched.iter().find(|(key, _)| *key == ended) {
            signals::tell(line);
        }
        let Passed { passed, lost, .. } = relaying.tally();
        say(format_args!("Totals: {passed} datagrams passed, {lost} lost"));
        Ok(())
    }
}
