//! What a program tells while it runs, wherever that goes.

use std::fmt;
use std::sync::Arc;

use crate::socket::{Options, Role, Socket, peer_name};

/// Takes the lines that a program tells, one call for each; a silent one costs nothing.
///
/// ```
/// use selkey::apps::Transcript;
///
/// let shown = Transcript::new(|line| println!("server: {line}"));
/// shown.say(format_args!("Accepted connection from {}", "127.0.0.1:42852"));
/// assert!(!shown.is_silent() && Transcript::silent().is_silent());
/// ```
#[derive(Clone, Default)]
pub struct Transcript {
    tell: Option<Arc<Tell>>,
}

type Tell = dyn Fn(fmt::Arguments<'_>) + Send + Sync;

impl Transcript {
    /// Hands each line to `tell`, without its newline, from whatever thread it is told.
    pub fn new(tell: impl Fn(fmt::Arguments<'_>) + Send + Sync + 'static) -> Transcript {
        Transcript { tell: Some(Arc::new(tell)) }
    }

    /// Tells nobody.
    pub fn silent() -> Transcript {
        Transcript::default()
    }

    /// Whether nobody is told, so that a line need not be made.
    pub fn is_silent(&self) -> bool {
        self.tell.is_none()
    }

    /// Tells one line.
    pub fn say(&self, line: fmt::Arguments<'_>) {
        if let Some(tell) = &self.tell {
            tell(line);
        }
    }

    /// Sets what is asked for of an accepted connection, and tells what is refused: the connection is good without it.
    pub fn apply(&self, options: &Options, accepted: &Socket) {
        if let Err(error) = options.apply(accepted, Role::Accepted) {
            self.say(format_args!("{error}"));
        }
    }

    /// How lines name the peer of an accepted connection. It is not looked up where nobody is told.
    pub(super) fn peer(&self, socket: &Socket) -> String {
        if self.is_silent() {
            return String::new();
        }
        let name = peer_name(socket);
        // It may have reset the connection while that waited to be accepted.
        if name.is_empty() { "a client that is gone".to_owned() } else { name }
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").field("silent", &self.is_silent()).finish()
    }
}
