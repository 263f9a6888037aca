//! Where registrations lie: slots with generations, and the way from a descriptor to its slot.

use std::vec;

use super::key::{Key, SelectorKey};
use crate::sys::{FdMap, RawSource};

#[derive(Debug)]
pub(super) struct Slots<F, D> {
    slots: Vec<Slot<F, D>>,
    free: Vec<u32>,
    by_fd: FdMap,
    len: usize,
}

#[derive(Debug)]
struct Slot<F, D> {
    /// Counts the registrations that have ended here. At its last value the slot is not used again.
    generation: u32,
    entry: Option<SelectorKey<F, D>>,
}

/// As many as a key can name; also what keeps a key from being `u64::MAX`.
const MAX_SLOTS: usize = u32::MAX as usize;

impl<F, D> Slots<F, D> {
    pub(super) fn new() -> Slots<F, D> {
        Slots { slots: Vec::new(), free: Vec::new(), by_fd: FdMap::default(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: Key) -> Option<&SelectorKey<F, D>> {
        let slot = self.slots.get(key.slot())?;
        if slot.generation == key.generation() { slot.entry.as_ref() } else { None }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut SelectorKey<F, D>> {
        let slot = self.slots.get_mut(key.slot())?;
        if slot.generation == key.generation() { slot.entry.as_mut() } else { None }
    }

    pub(super) fn key_of(&self, fd: RawSource) -> Option<Key> {
        self.by_fd.get(fd).map(|slot| self.key_at(slot as usize))
    }

    /// The key under which the next insert will put its entry.
    pub(super) fn next_key(&self) -> Key {
        match self.free.last() {
            Some(&slot) => self.key_at(slot as usize),
            None => {
                assert!(self.slots.len() < MAX_SLOTS, "more registrations than there can be descriptors");
                Key::new(self.slots.len() as u32, 0)
            }
        }
    }

    pub(super) fn insert(&mut self, entry: SelectorKey<F, D>) -> Key {
        let key = self.next_key();
        self.by_fd.insert(entry.fd, key.slot() as u32);
        self.len += 1;
        if self.free.pop().is_some() {
            self.slots[key.slot()].entry = Some(entry);
        } else {
            self.slots.push(Slot { generation: 0, entry: Some(entry) });
        }
        key
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<SelectorKey<F, D>> {
        let slot = self.slots.get_mut(key.slot())?;
        if slot.generation != key.generation() {
            return None;
        }
        let entry = slot.entry.take()?;
        slot.generation += 1;
        if slot.generation < u32::MAX {
            self.free.push(key.slot() as u32);
        }
        self.by_fd.remove(entry.fd);
        self.len -= 1;
        Some(entry)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &SelectorKey<F, D>)> {
        self.slots.iter().enumerate().filter_map(|(at, slot)| Some((self.key_at(at), slot.entry.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut SelectorKey<F, D>)> {
        self.slots.iter_mut().enumerate().filter_map(|(at, slot)| {
            let key = Key::new(at as u32, slot.generation);
            Some((key, slot.entry.as_mut()?))
        })
    }

    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(super) fn at(&mut self, place: usize) -> Option<(Key, &mut SelectorKey<F, D>)> {
        let slot = self.slots.get_mut(place)?;
        let key = Key::new(place as u32, slot.generation);
        Some((key, slot.entry.as_mut()?))
    }

    pub(super) fn into_entries(self) -> IntoEntries<F, D> {
        IntoEntries { slots: self.slots.into_iter() }
    }

    /// The first occupied slot from `at` on.
    pub(super) fn occupied_from(&self, at: usize) -> Option<Key> {
        let found = self.slots.get(at..)?.iter().position(|slot| slot.entry.is_some())?;
        Some(self.key_at(at + found))
    }

    fn key_at(&self, at: usize) -> Key {
        Key::new(at as u32, self.slots[at].generation)
    }
}

pub(super) struct IntoEntries<F, D> {
    slots: vec::IntoIter<Slot<F, D>>,
}

impl<F, D> Iterator for IntoEntries<F, D> {
    type Item = SelectorKey<F, D>;

    fn next(&mut self) -> Option<SelectorKey<F, D>> {
        self.slots.find_map(|slot| slot.entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::EVENT_READ;

    fn entry(fd: RawSource) -> SelectorKey<(), ()> {
        SelectorKey { fileobj: (), fd, events: EVENT_READ, data: () }
    }

    #[test]
    fn a_slot_is_used_again_under_a_new_generation() {
        let mut slots = Slots::new();
        let first = slots.insert(entry(3));
        assert!(slots.remove(first).is_some());
        let second = slots.insert(entry(3));
        assert_eq!(first.slot(), second.slot());
        assert!(slots.get(first).is_none() && slots.remove(first).is_none());
        assert_eq!(slots.key_of(3), Some(second));
        assert_eq!(slots.len(), 1);
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_retired() {
        let mut slots = Slots::new();
        let first = slots.insert(entry(3));
        slots.slots[0].generation = u32::MAX - 1;
        let last = Key::new(0, u32::MAX - 1);
        assert_eq!(first.slot(), last.slot());
        assert!(slots.remove(last).is_some());
        let next = slots.insert(entry(3));
        assert_eq!((next.slot(), next.generation()), (1, 0));
        assert!(slots.get(Key::new(0, u32::MAX)).is_none());
    }

    #[test]
    fn a_key_survives_the_way_through_a_token() {
        let key = Key::new(u32::MAX - 1, u32::MAX);
        assert_eq!(Key::from_token(key.token()), key);
        assert_ne!(key.token(), u64::MAX);
    }
}
