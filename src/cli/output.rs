//! Transcript lines on standard output, complaints on standard error.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write, stderr, stdout};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
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

/// The bar in this style. It draws on a terminal, and nowhere else.
pub fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
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

/// Stores a file; an error names it.
pub fn store(file: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    fs::write(file, bytes).map_err(|error| cannot_write(file, error))
}

/// Whether there is or can be such a file; what is in it stays. For before the time is spent that fills it.
pub fn can_store(file: &Path) -> io::Result<()> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    opened.map(drop).map_err(|error| cannot_write(file, error))
}

/// An error that names the file.
pub fn cannot_write(file: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write {}: {error}", file.display()))
}

/// The lines that were written.
pub fn csv_text(lines: csv::Writer<Vec<u8>>) -> io::Result<String> {
    let bytes = lines.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}
