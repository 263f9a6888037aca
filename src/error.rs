//! Errors that name what they are about.

use std::error::Error;
use std::{fmt, io};

/// `error` with what was being done, and to what, in front; the original stays reachable as its source.
pub(crate) fn about(what: impl fmt::Display, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), About { what: what.to_string(), error })
}

/// The number with which the system refused something, however much was put in front of the error: Python's `OSError.errno`.
///
/// ```
/// use selkey::socket::{Options, listen};
///
/// let error = listen(&"unix:/nowhere/at/all".into(), &Options::default()).unwrap_err();
/// assert!(error.to_string().contains("/nowhere/at/all"));
/// assert_eq!(selkey::errno(&error), Some(libc::ENOENT));
/// assert_eq!(selkey::errno(&std::io::Error::other("ours")), None);
/// ```
pub fn errno(error: &io::Error) -> Option<i32> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(errno) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return Some(errno);
        }
        cause = error.source();
    }
    None
}

#[derive(Debug)]
struct About {
    what: String,
    error: io::Error,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.error)
    }
}

impl Error for About {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// What to say of a name that is not known: those that are near it, or else all. Each name comes with the form in which it is compared.
pub(crate) fn nearest<'a>(names: impl Iterator<Item = (&'a str, String)>, wanted: &str) -> String {
    let is_near = |candidate: &str| {
        distance(candidate, wanted) <= 2
            || wanted.len() > 2 && (candidate.contains(wanted) || wanted.contains(candidate))
    };
    let (near, all): (Vec<_>, Vec<_>) =
        names.map(|(name, compared)| (is_near(&compared).then_some(name), name)).unzip();
    let near: Vec<_> = near.into_iter().flatten().collect();
    if near.is_empty() { format!("known are {}", all.join(", ")) } else { format!("near it: {}", near.join(", ")) }
}

/// How many letters must be put in, taken out or replaced to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}
