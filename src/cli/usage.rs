//! What is wrong with the arguments, on one line; and numbers as arguments.

use std::fmt::Display;
use std::process::exit;
use std::str::FromStr;
use std::time::Duration;

use selkey::socket::options::size;

use super::output::complain;

/// The message of a usage error without its layout: what is wrong, what was perhaps meant, how the command is used.
pub fn explain(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let (mut explained, mut hint) = (String::new(), "try --help".to_owned());
    for paragraph in text.trim().split("\n\n") {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.starts_with("error: ") {
            explained = line;
        } else if let Some(tip) = line.strip_prefix("tip: ").filter(|tip| tip.contains("similar")) {
            hint = tip.to_owned();
        } else if let Some(usage) = line.strip_prefix("Usage: ").filter(|_| hint.starts_with("try")) {
            hint = format!("usage: {usage}; try --help");
        }
    }
    format!("{explained}; {hint}")
}

/// Ends the program over arguments that clap took but that mean nothing: one line, status 2.
pub fn refuse(what: &str) -> ! {
    complain(format_args!("error: {what}; try --help"));
    exit(2)
}

/// Reads a whole number of this range.
pub fn within<N>(least: N, most: N) -> impl Fn(&str) -> Result<N, String> + Clone
where
    N: FromStr + PartialOrd + Display + Copy,
{
    move |text| match text.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("expected a whole number from {least} to {most}")),
    }
}

/// Reads a time in seconds, above 0.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero()).ok_or_else(|| "expected seconds above 0, like 60 or 0.5".to_owned())
}

/// Reads a size above 0: bytes, or KiB, MiB, GiB with `k`, `m`, `g`.
pub fn bytes(text: &str) -> Result<usize, String> {
    let size = size(text).and_then(|size| usize::try_from(size).ok());
    size.filter(|&size| size > 0).ok_or_else(|| "expected bytes above 0, like 65536, 64k or 16m".to_owned())
}

/// Reads a time in seconds that may be 0.
pub fn seconds_or_none(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(0.0) => Ok(Duration::ZERO),
        _ => seconds(text).map_err(|_| "expected seconds, like 0 or 0.5".to_owned()),
    }
}

/// Reads a time in milliseconds that may be 0.
pub fn milliseconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|time: f64| Duration::try_from_secs_f64(time / 1e3).ok());
    time.ok_or_else(|| "expected milliseconds, like 50 or 0.5".to_owned())
}
