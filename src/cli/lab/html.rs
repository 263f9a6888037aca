//! The page.
use selkey::lab::{ExperimentReport, Runs};
use std::io;
pub fn page(_runs: &Runs, _reports: &[ExperimentReport]) -> io::Result<String> {
    Ok(String::new())
}
