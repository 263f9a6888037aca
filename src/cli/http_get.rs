//! `http-get`: a file over plain HTTP.

mod store;

use std::io::{self, ErrorKind, IsTerminal, stdout};
use std::path::PathBuf;
use std::time::Duration;

use indicatif::ProgressBar;
use selkey::apps::http_get::{Head, Limits, Part, Url, get};

use super::output::{complain, say, styled};
use super::usage::{bytes, refuse, seconds};
use super::{signals, socket_options};
use store::Store;

const AFTER_HELP: &str = "\
Without -o the file is named after the last part of the URL's path, and one that is there already is kept. The file appears when it is
whole: an error, a status other than 2xx (both exit status 1) or an interrupt leaves none. Redirects are not followed, https is not
spoken. A fetch may take as long as it likes while it moves (--timeout), so that without --max-size it could fill a disk.

Something to fetch from: python3 -m http.server 65432 --bind 127.0.0.1

Example: selkey http-get http://127.0.0.1:65432/ -o page.html";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct HttpGet {
    /// http://HOST[:PORT]/PATH
    url: String,
    /// Store the body here, also over an old file; '-' is standard output, and the header goes to standard error
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Give up after this many seconds without a connection, without the whole header, or with less than 4 KiB more of the body
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// The longest body: bytes, or with k, m or g behind
    #[arg(long, value_name = "B", default_value = "1g", value_parser = bytes)]
    max_size: usize,
    #[command(flatten)]
    options: socket_options::Dialling,
}

impl HttpGet {
    pub fn run(self) -> io::Result<()> {
        let url: Url = self.url.parse().unwrap_or_else(|error| {
            refuse(&format!("invalid value '{}' for <URL>: {error}", self.url.escape_debug()));
        });
        let mut store = Store::at(self.output.as_deref(), &url)?;
        let to_stdout = store.is_stdout();
        signals::exit_dropping(store.unfinished(), to_stdout)?;
        let tell = if to_stdout { complain } else { say };
        let limits = Limits { patience: self.timeout, body: self.max_size as u64 };
        let mut bar = ProgressBar::hidden();
        let outcome = get(&url, &self.options.0, &limits, |part| {
            match part {
                Part::Head(head) => {
                    tell(format_args!("{head}\n"));
                    if head.is_success() {
                        store.open()?;
                        bar = progress(head, &store);
                    }
                }
                Part::Body(piece) => {
                    store.write(piece)?;
                    bar.inc(piece.len() as u64);
                }
            }
            Ok(())
        });
        bar.finish_and_clear();
        match outcome.and_then(|()| store.finish()) {
            // A reader that went away (`| head`) is no failure.
            Err(error) if to_stdout && is_ours(&error) => Ok(()),
            outcome => outcome,
        }
    }
}

/// A broken pipe of standard output, not of the connection: that error comes with the URL in front.
fn is_ours(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe && error.raw_os_error().is_some()
}

/// On a terminal, unless the body goes there; nowhere else.
fn progress(head: &Head, store: &Store) -> ProgressBar {
    if store.is_stdout() && stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match head.length() {
        Some(length) => (ProgressBar::new(length), "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {bytes}, {bytes_per_sec}"),
    };
    styled(bar, template)
}
