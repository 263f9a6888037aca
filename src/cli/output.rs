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

/// Lines of cells that stand under each other, two blanks apart; the columns of `right` end together.
pub fn columns(lines: &[impl AsRef<[String]>], right: &[bool]) -> String {
    let mut widths = vec![0; right.len()];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line.as_ref()) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in lines {
        let cells = line.as_ref().iter().zip(&widths).zip(right);
        let padded: Vec<_> = cells
            .map(|((cell, &width), right)| if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") })
            .collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    text
}
