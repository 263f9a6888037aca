//! Errors that name what they are about.

use std::error::Error;
use std::{fmt, io};

/// `error` with what was being done, and to what, in front; the original stays reachable as its source.
pub(crate) fn about(what: impl fmt::Display, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), About { what: what.to_string(), error })
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
