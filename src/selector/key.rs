//! Keys: the name of one registration, and what a selector keeps under it.

use std::fmt;

use crate::events::Events;
use crate::sys::RawSource;

/// The name of one registration.
///
/// A key is made by [`register`](super::Selector::register) alone. It names a slot and the slot's generation, so a key whose registration
/// has ended finds nothing, also when the slot or the descriptor's number is in use again. A key is good for the selector it came
/// from; another selector may happen to have one that is equal.
///
/// Keys are not numbers and cannot be made from one:
///
/// ```compile_fail,E0277
/// let key: selkey::Key = 7.into();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    /// Never all ones: no slot has the number `u32::MAX`.
    pub(super) fn new(slot: u32, generation: u32) -> Key {
        Key(u64::from(slot) << 32 | u64::from(generation))
    }

    pub(super) fn slot(self) -> usize {
        (self.0 >> 32) as usize
    }

    pub(super) fn generation(self) -> u32 {
        self.0 as u32
    }

    /// What a backend knows the registration by.
    pub(super) fn token(self) -> u64 {
        self.0
    }

    pub(super) fn from_token(token: u64) -> Key {
        Key(token)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}.{})", self.slot(), self.generation())
    }
}

/// What is kept under a [`Key`]; Python's `SelectorKey`.
#[derive(Debug)]
pub struct SelectorKey<F, D> {
    // Private and never lent as a whole for writing: whoever could swap `fileobj` could close a registered descriptor.
    pub(super) fileobj: F,
    pub(super) fd: RawSource,
    pub(super) events: Events,
    pub(super) data: D,
}

impl<F, D> SelectorKey<F, D> {
    /// The registered object.
    pub fn fileobj(&self) -> &F {
        &self.fileobj
    }

    /// The descriptor the object had when it was registered.
    pub fn fd(&self) -> RawSource {
        self.fd
    }

    /// What is waited for. Empty while the registration is paused.
    pub fn events(&self) -> Events {
        self.events
    }

    /// What was attached at register.
    pub fn data(&self) -> &D {
        &self.data
    }

    /// Object and data, handed back.
    pub fn into_parts(self) -> (F, D) {
        (self.fileobj, self.data)
    }
}
