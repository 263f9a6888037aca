//! Transcript lines on standard output, complaints on standard error.

use std::fmt;
use std::io::{Write, stderr, stdout};

use selkey::apps::Transcript;

/// One line. A reader that went away (`| head`) is no reason to fail.
pub fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(stdout().lock(), "{line}");
}

/// What went wrong. Where nobody reads it the exit status still says that something did.
pub fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(stderr().lock(), "{line}");
}

/// Shows what a program tells, each line behind `label`, or nothing.
pub fn transcript(label: &'static str, quiet: bool) -> Transcript {
    if quiet { Transcript::silent() } else { Transcript::new(move |line| say(format_args!("{label}{line}"))) }
}
