//! `bench`: what servers take and what they give.

mod asking;
mod compare;

use std::io;

const AFTER_HELP: &str = "\
Example: selkey bench compare --a 'selkey multiconn-server 127.0.0.1 {port} --quiet' --b 'selkey echo-server 127.0.0.1 {port} --quiet' --scenario one --lots 2";

#[derive(clap::Args)]
#[command(disable_help_subcommand = true, after_help = AFTER_HELP)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Start two servers and measure them side by side
    Compare(compare::Compare),
}

impl Bench {
    pub fn run(self) -> io::Result<()> {
        match self.what {
            What::Compare(compare) => compare.run(),
        }
    }
}
