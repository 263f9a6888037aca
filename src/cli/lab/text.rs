//! What is shown on a terminal.

use selkey::lab::{self, ClaimReport};
use textwrap::{Options, fill};

use super::words;
use crate::cli::output::columns;

/// What a claim stands behind.
const INDENT: &str = "         ";

/// The machine, with an empty line behind.
pub fn environment() -> String {
    let lines: Vec<_> = lab::environment().into_iter().map(|(name, value)| [name, value]).collect();
    columns(&lines, &[false; 2])
}

/// A claim and what came of it.
pub fn claim(report: &ClaimReport, width: usize) -> String {
    let verdict = format!("{:<9}", report.verdict());
    let mut text = fill(report.claim.says, Options::new(width).initial_indent(&verdict).subsequent_indent(INDENT));
    let rows = words::rows(report);
    let longest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(width / 3);
    let gap = " ".repeat(INDENT.len() + longest + 2);
    for (name, value) in rows {
        let name = format!("{INDENT}{name:<longest$}  ");
        // One that is longer stands on a line of its own.
        let fits = name.chars().count() == gap.len();
        let first = if fits { &name } else { &gap };
        if !fits {
            text += &format!("\n{}", name.trim_end());
        }
        text += &format!("\n{}", fill(&value, Options::new(width).initial_indent(first).subsequent_indent(&gap)));
    }
    text
}
