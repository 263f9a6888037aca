//! Why a selector refused, with what was refused handed back.

use std::error::Error;
use std::{fmt, io};

use super::key::{Key, SelectorKey};
use crate::events::Events;

/// Why a registration was not made or not changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The mask is empty or has bits that mean nothing. Python's `ValueError`.
    InvalidEvents(Events),
    /// The descriptor is registered already, under this key. Python's `KeyError`.
    AlreadyRegistered(Key),
    /// The key's registration has ended. Python's `KeyError`.
    NotRegistered,
    /// The operating system refused. Python's `OSError`.
    Io(io::Error),
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::InvalidEvents(events) => {
                write!(f, "invalid events {events:?}: expected EVENT_READ, EVENT_WRITE or both")
            }
            ErrorKind::AlreadyRegistered(key) => write!(f, "the descriptor is already registered as {key:?}"),
            ErrorKind::NotRegistered => f.write_str("the key is not registered (any more)"),
            ErrorKind::Io(error) => error.fmt(f),
        }
    }
}

impl From<ErrorKind> for io::Error {
    fn from(kind: ErrorKind) -> io::Error {
        let class = match kind {
            ErrorKind::Io(error) => return error,
            ErrorKind::InvalidEvents(_) => io::ErrorKind::InvalidInput,
            ErrorKind::AlreadyRegistered(_) => io::ErrorKind::AlreadyExists,
            ErrorKind::NotRegistered => io::ErrorKind::NotFound,
        };
        io::Error::new(class, kind.to_string())
    }
}

/// A registration that was refused. Nothing is left behind; object and data come back.
///
/// Where they are not needed, `?` turns the error into an [`io::Error`] with the operating system's code or, for the crate's own
/// refusals, `InvalidInput`, `AlreadyExists` or `NotFound`.
pub struct RegisterError<F, D> {
    /// Why.
    pub kind: ErrorKind,
    /// The object that was to be watched.
    pub fileobj: F,
    /// The data that was to be attached.
    pub data: D,
}

/// A change that was refused.
pub struct ModifyError<F, D> {
    /// Why.
    pub kind: ErrorKind,
    /// The registration, which has ended: `Some` exactly when the operating system refused the change.
    pub removed: Option<SelectorKey<F, D>>,
}

// By hand, since deriving would ask for `F: Debug, D: Debug`, which sockets and closures need not have.
macro_rules! as_error {
    ($error:ident, $what:literal) => {
        impl<F, D> fmt::Debug for $error<F, D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($error)).field("kind", &self.kind).finish_non_exhaustive()
            }
        }

        impl<F, D> fmt::Display for $error<F, D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($what, ": {}"), self.kind)
            }
        }

        impl<F, D> Error for $error<F, D> {}

        impl<F, D> From<$error<F, D>> for io::Error {
            fn from(error: $error<F, D>) -> io::Error {
                error.kind.into()
            }
        }
    };
}

as_error!(RegisterError, "cannot register");
as_error!(ModifyError, "cannot modify");
