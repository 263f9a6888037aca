//! Ending a loop from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::selector::Waker;

/// Ends a [`Reactor`](super::Reactor)'s loop from another thread, a signal handler or one of its own protocols.
///
/// Clones are equal; using one after the reactor is gone does nothing.
#[derive(Clone, Debug)]
pub struct Handle {
    asked: Arc<AtomicU8>,
    waker: Waker,
}

/// In the order in which they outdo each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Asked {
    Nothing,
    Drain,
    Stop,
}

impl Handle {
    pub(super) fn new(waker: Waker) -> Handle {
        Handle { asked: Arc::new(AtomicU8::new(Asked::Nothing as u8)), waker }
    }

    /// Accepts whoever waits already, then closes the listeners. What was sent before is answered, whoever is silent between messages is hung up on, and the
    /// loop ends when no connection is left, or those that are left were cut after [`drain_timeout`](super::Limits::drain_timeout). Adopted connections
    /// do not keep it from ending.
    ///
    /// A protocol that keeps connections for further requests should look at [`Out::is_draining`](super::Out::is_draining), and close instead.
    pub fn drain(&self) {
        self.ask(Asked::Drain);
    }

    /// Ends the loop: a wait that is under way ends, and what is ready then is dealt with still. Connections stay where they are until the reactor is dropped.
    pub fn stop(&self) {
        self.ask(Asked::Stop);
    }

    /// Ends the wait that is under way, or else the next one; the loop goes on.
    pub fn wake(&self) {
        // It cannot fail while the descriptor is open, and that is as long as this handle.
        let _ = self.waker.wake();
    }

    pub(super) fn asked(&self) -> Asked {
        match self.asked.load(Ordering::Relaxed) {
            0 => Asked::Nothing,
            1 => Asked::Drain,
            _ => Asked::Stop,
        }
    }

    fn ask(&self, what: Asked) {
        self.asked.fetch_max(what as u8, Ordering::Relaxed);
        self.wake();
    }
}
