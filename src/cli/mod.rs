//! The command line: what is asked for, and how it ended.

mod address;
mod app;
mod backend;
mod bench;
mod demo;
mod echo;
mod hello;
mod http_get;
mod lab;
mod limits;
mod multiconn;
mod output;
mod plot;
mod relay;
mod serving;
mod signals;
mod socket_options;
mod sockets;
mod status;
mod udp;
mod usage;

use std::io;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use output::complain;
use selkey::errno;

/// Python-style socket programs on a selector: servers, clients, measurements.
#[derive(Parser)]
#[command(version, about, disable_help_subcommand = true, after_help = "Example: selkey demo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything at once in one process: a server on a free port, clients, the transcript of both
    #[command(after_help = "Example: selkey demo")]
    Demo,
    /// Echo to one connection at a time, blocking
    EchoServer(echo::Server),
    /// Say one thing to an echo server and check what comes back
    EchoClient(echo::Client),
    /// Echo to any number of connections at once
    MulticonnServer(multiconn::Server),
    /// Open many connections, send two messages on each, check what comes back
    MulticonnClient(multiconn::Client),
    /// Answer requests of the application protocol: a search in a table
    AppServer(app::Server),
    /// Send requests to an application server, show what comes back
    AppClient(app::Client),
    /// Echo datagrams to any number of clients (UDP)
    UdpServer(udp::Server),
    /// Send datagrams, wait for the echo of each, send again what is lost (UDP)
    UdpClient(udp::Client),
    /// Fetch a file over plain HTTP: print the header, store the body
    HttpGet(http_get::HttpGet),
    /// Greet everybody by name, with a thread for each connection
    HelloServer(hello::Server),
    /// Tell a greeting server some names
    HelloClient(hello::Client),
    /// Make a bad network between clients and a server: slow, late, in pieces, cut off
    Relay(relay::Relay),
    /// Measure a server under load, and check every reply
    Bench(bench::Bench),
    /// The sockets of this machine: queues, ends, states, programs; what netstat shows
    Sockets(sockets::Sockets),
    /// Experiments with sockets: what the texts claim, tried on this machine
    Lab(lab::Lab),
}

/// Exit status 0 done, 1 failed, 2 usage.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand || !error.use_stderr() => {
            error.exit()
        }
        Err(error) => {
            complain(format_args!("{}", usage::explain(&error)));
            return ExitCode::from(2);
        }
    };
    let outcome = match cli.command {
        Command::Demo => demo::run(),
        Command::EchoServer(server) => server.run(),
        Command::EchoClient(client) => client.run(),
        Command::MulticonnServer(server) => server.run(),
        Command::MulticonnClient(client) => client.run(),
        Command::AppServer(server) => server.run(),
        Command::AppClient(client) => client.run(),
        Command::UdpServer(server) => server.run(),
        Command::UdpClient(client) => client.run(),
        Command::HttpGet(get) => get.run(),
        Command::HelloServer(server) => server.run(),
        Command::HelloClient(client) => client.run(),
        Command::Relay(relay) => relay.run(),
        Command::Bench(bench) => bench.run(),
        Command::Sockets(sockets) => sockets.run(),
        Command::Lab(lab) => lab.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("error: {error}{}", hint(&error)));
            ExitCode::FAILURE
        }
    }
}

/// What to do about it, where that is not plain.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "; is the port right, the server started, no firewall between?",
        io::ErrorKind::AddrInUse => "; another program listens there, port 0 takes a free one",
        io::ErrorKind::FileTooLarge => "; --max-size allows more",
        // A socket option that needs a privilege is EPERM, and says itself what it needs.
        io::ErrorKind::PermissionDenied if errno(error) == Some(libc::EACCES) => "; ports below 1024 need a privilege",
        _ => "",
    }
}
