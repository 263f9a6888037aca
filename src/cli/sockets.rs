//! `sockets`: what netstat shows, once or again and again.

// Whether there are tables to read depends on the system, and nothing else here.
#[cfg_attr(target_os = "linux", path = "sockets/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "sockets/absent.rs")]
mod machine;
mod table;

use std::io::{self, ErrorKind, IsTerminal, Read, Write, stdout};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

const AFTER_HELP: &str = "\
Recv-Q are bytes that the program has not read yet, Send-Q bytes that the other end has not acknowledged; in a LISTEN row
Recv-Q are connections that wait for an accept. The tables are those of /proc/net, so a LISTEN row's backlog is not known.

--json prints one object on one line, with --watch one each time:
  {\"sockets\": [{\"proto\", \"recv_q\", \"send_q\", \"local_address\", \"local_port\", \"foreign_address\", \"foreign_port\",
                \"state\", \"pid\", \"program\"}, ...], \"programs_hidden\": true or false}
What does not apply or is not known is null; programs_hidden: some belong to other users and could not be looked at.

Example: selkey sockets 65432";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Sockets {
    /// Only sockets with this port at either end
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// For programs; the form is described below
    #[arg(long)]
    json: bool,
    /// Again every SECS seconds until Ctrl-C; a terminal is redrawn, a pipe gets block after block
    #[arg(long, value_name = "SECS", num_args = 0..=1, default_missing_value = "1", value_parser = seconds)]
    watch: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=86400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds from 0.1 to 86400".to_owned()),
    }
}

/// One socket of the machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub proto: &'static str,
    pub local: End,
    pub foreign: Option<End>,
    /// netstat's name; empty where the protocol has none, as an unconnected UDP socket.
    pub state: &'static str,
    /// The kernel's number of the socket; 0 where no process has it any more.
    pub inode: u64,
    /// `None` where the tables do not tell.
    pub recv_q: Option<u32>,
    pub send_q: Option<u32>,
    pub program: Option<(i32, String)>,
}

/// An end of a connection, or where one is to come in. Where no table is read, none is made.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Net(std::net::SocketAddr),
    Path(String),
}

impl End {
    fn port(&self) -> Option<u16> {
        match self {
            End::Net(address) => Some(address.port()),
            End::Path(_) => None,
        }
    }
}

/// What was found, in a stable order.
pub struct Found {
    pub rows: Vec<Row>,
    /// Some processes could not be looked at.
    pub programs_hidden: bool,
}

impl Sockets {
    pub fn run(self) -> io::Result<()> {
        match self.written() {
            // A reader that went away (`| head`) is no failure, and an end of the watch.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome,
        }
    }

    fn written(&self) -> io::Result<()> {
        let Some(period) = self.watch else { return put(&self.page()?) };
        let (mut signal, theirs) = UnixStream::pair()?;
        pipe::register(SIGTERM, theirs.try_clone()?)?;
        pipe::register(SIGINT, theirs)?;
        signal.set_read_timeout(Some(period))?;
        let redraw = stdout().is_terminal() && !self.json;
        loop {
            let page = self.page()?;
            match redraw {
                true => put(&over_the_last(&page))?,
                false if self.json => put(&page)?,
                false => put(&format!("{page}\n"))?,
            }
            // The pause, which a signal ends for good.
            loop {
                match signal.read(&mut [0]) {
                    Ok(_) => return Ok(()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                    Err(error) => return Err(error),
                }
            }
        }
    }

    fn page(&self) -> io::Result<String> {
        let mut found = machine::sockets()?;
        if let Some(port) = self.port {
            let at = |end: &End| end.port() == Some(port);
            found.rows.retain(|row| at(&row.local) || row.foreign.as_ref().is_some_and(at));
        }
        Ok(if self.json { table::json(&found) } else { table::text(&found) })
    }
}

fn put(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// From the top left corner, each line cleared behind its end and the screen below: no flicker as from clearing it all first.
fn over_the_last(page: &str) -> String {
    format!("\x1b[H{}\x1b[J", page.replace('\n', "\x1b[K\n"))
}
