//! `hello-server` and `hello-client`.

use std::io;
use std::time::Duration;

use selkey::apps::hello::{self, LONGEST, NAMES};
use selkey::socket::{listen, local_name, raise_descriptor_limit};

use super::output::{say, transcript};
use super::usage::{refuse, seconds, seconds_or_none, within};
use super::{address, signals, socket_options};

const DEFAULT: (&str, u16) = ("127.0.0.1", 9999);

#[derive(clap::Args)]
#[command(
    override_usage = "selkey hello-server [OPTIONS] [HOST PORT | unix:PATH]",
    after_help = "What one receive brings, at most 1024 bytes, is one name: nothing on the wire says where a name ends. Names are answered as the bytes \
                  they are; exit ends the conversation.\n\nExample: selkey hello-server 127.0.0.1 9999"
)]
pub struct Server {
    /// Where to listen: '' is every IPv4 interface, '::' every interface, port 0 takes a free one [default: 127.0.0.1 9999]
    #[arg(value_name = "ADDRESS", allow_negative_numbers = true)]
    address: Vec<String>,
    /// What to say first, 1 to 1024 bytes
    #[arg(long, value_name = "TEXT", value_parser = welcome, default_value = "Welcome!", allow_hyphen_values = true)]
    welcome: String,
    /// How long to think before each answer
    #[arg(long, value_name = "S", value_parser = seconds_or_none, default_value = "0", allow_negative_numbers = true)]
    delay: Duration,
    /// Refuse who comes while so many are connected: each takes a thread and a descriptor, of which a process often has 1024
    #[arg(long, value_name = "N", value_parser = within(1u32, u32::MAX), default_value = "256", allow_negative_numbers = true)]
    max_connections: u32,
    /// Leave a client that sends nothing for so long: it keeps a thread
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "60", allow_negative_numbers = true)]
    idle_timeout: Duration,
    /// Leave a client that does not take its answer for so long: it keeps a thread
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "30", allow_negative_numbers = true)]
    write_timeout: Duration,
    /// Tell only where it listens and that it ends
    #[arg(long)]
    quiet: bool,
    /// Exit after this many connections
    #[arg(long, value_name = "N", value_parser = within(1u64, u64::MAX), allow_negative_numbers = true)]
    once: Option<u64>,
    #[command(flatten)]
    options: socket_options::Listening<5>,
}

fn welcome(text: &str) -> Result<String, String> {
    if (1..=LONGEST).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected 1 to {LONGEST} bytes"))
    }
}

impl Server {
    pub fn run(self) -> io::Result<()> {
        raise_descriptor_limit()?;
        let stop = signals::stop()?;
        let listener = listen(&address::of_server(&self.address, DEFAULT), &self.options.0)?;
        say(format_args!("Listening on {}", local_name(&listener)));
        let server = hello::Server {
            welcome: self.welcome.into_bytes(),
            delay: self.delay,
            max_connections: self.max_connections as usize,
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
    override_usage = "selkey hello-client [OPTIONS] [<HOST PORT | unix:PATH> [NAME]...]",
    after_help = "Example: selkey hello-client 127.0.0.1 9999"
)]
pub struct Client {
    /// The server's address, and the names to tell it [default: 127.0.0.1 9999 Michael Tracy Sarah]
    #[arg(value_name = "ADDRESS NAME", allow_negative_numbers = true)]
    words: Vec<String>,
    /// Give up when the connection, the welcome or an answer takes so long
    #[arg(long, value_name = "S", value_parser = seconds, default_value = "30", allow_negative_numbers = true)]
    timeout: Duration,
    #[command(flatten)]
    options: socket_options::Dialling,
}

impl Client {
    pub fn run(self) -> io::Result<()> {
        let (address, names) = address::of_client_with_messages(&self.words, DEFAULT);
        let names: Vec<&str> = if names.is_empty() { NAMES.into() } else { names.iter().map(String::as_str).collect() };
        if names.iter().any(|name| !hello::is_name(name.as_bytes())) {
            refuse(&format!("a <NAME> is 1 to {LONGEST} bytes, and not exit, which ends the conversation"));
        }
        hello::tell(&address, &self.options.0, &names, self.timeout, &transcript("", false))
    }
}
