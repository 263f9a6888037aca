//! One descriptor of the process that is kept for the moment when there is no other.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::socket::{self, Accept, Socket};

/// How often one who waits is turned away, over all loops of the process.
const EVERY: Duration = Duration::from_millis(100);

struct Reserve {
    /// Open on nothing, to be closed.
    file: Option<File>,
    used: Option<Instant>,
}

static RESERVE: Mutex<Reserve> = Mutex::new(Reserve { file: None, used: None });

impl Reserve {
    fn lock() -> MutexGuard<'static, Reserve> {
        RESERVE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&mut self) {
        if self.file.is_none() {
            self.file = File::open("/dev/null").ok();
        }
    }
}

/// Takes the descriptor while there are some.
pub(super) fn keep() {
    Reserve::lock().fill();
}

/// Accepts one connection in place of the reserve, and closes it. Answers whether there was one.
pub(super) fn turn_away(listener: &Socket) -> bool {
    let (mut reserve, now) = (Reserve::lock(), Instant::now());
    if reserve.used.is_some_and(|used| now - used < EVERY) || reserve.file.take().is_none() {
        return false;
    }
    reserve.used = Some(now);
    let turned = matches!(socket::accept(listener), Ok(Accept::Connection(_)));
    reserve.fill();
    turned
}
