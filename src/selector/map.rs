//! Looking over all registrations, and taking them out.

use std::fmt;

use super::Selector;
use super::key::{Key, SelectorKey};
use super::slots::{IntoEntries, Slots};
use crate::sys::Backend;

/// The registrations of a selector, for reading; Python's `get_map()`.
pub struct Map<'a, F, D> {
    pub(super) keys: &'a Slots<F, D>,
}

impl<'a, F, D> Map<'a, F, D> {
    /// How many registrations there are, paused ones included.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this key's registration is alive.
    pub fn contains(&self, key: Key) -> bool {
        self.keys.get(key).is_some()
    }

    /// All registrations, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &'a SelectorKey<F, D>)> + use<'a, F, D> {
        self.keys.iter()
    }
}

impl<F, D> fmt::Debug for Map<'_, F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(key, entry)| (key, (entry.fd(), entry.events())))).finish()
    }
}

impl<F, D, B: Backend> Selector<F, D, B> {
    /// Every registration: key, object, and data for writing; in no particular order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &F, &mut D)> {
        self.keys.iter_mut().map(|(key, entry)| (key, &entry.fileobj, &mut entry.data))
    }

    /// Unregisters what `pick` answers true for and hands it back, one by one as the iterator is driven.
    ///
    /// What the iterator did not reach when it is dropped stays registered.
    pub fn extract_if<P>(&mut self, pick: P) -> impl Iterator<Item = SelectorKey<F, D>>
    where
        P: FnMut(Key, &F, &mut D) -> bool,
    {
        ExtractIf { selector: self, at: 0, pick }
    }
}

struct ExtractIf<'a, F, D, B, P> {
    selector: &'a mut Selector<F, D, B>,
    at: usize,
    pick: P,
}

impl<F, D, B: Backend, P: FnMut(Key, &F, &mut D) -> bool> Iterator for ExtractIf<'_, F, D, B, P> {
    type Item = SelectorKey<F, D>;

    fn next(&mut self) -> Option<SelectorKey<F, D>> {
        loop {
            let key = self.selector.keys.occupied_from(self.at)?;
            self.at = key.slot() + 1;
            let (fileobj, data) = self.selector.get_mut(key)?;
            if (self.pick)(key, fileobj, data) {
                return self.selector.unregister(key);
            }
        }
    }
}

/// Closes the selector and hands everything back; Python's `close()`.
impl<F, D, B> IntoIterator for Selector<F, D, B> {
    type Item = SelectorKey<F, D>;
    type IntoIter = IntoIter<F, D>;

    fn into_iter(self) -> IntoIter<F, D> {
        drop(self.backend);
        IntoIter { entries: self.keys.into_entries() }
    }
}

/// What was registered with a selector that is closed.
pub struct IntoIter<F, D> {
    entries: IntoEntries<F, D>,
}

impl<F, D> Iterator for IntoIter<F, D> {
    type Item = SelectorKey<F, D>;

    fn next(&mut self) -> Option<SelectorKey<F, D>> {
        self.entries.next()
    }
}
