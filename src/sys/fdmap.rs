//! A map from descriptors to small numbers: an array, since the kernel hands out the lowest free descriptor.

use super::RawSource;

/// Four bytes for every descriptor up to the highest one that was ever put in.
#[derive(Debug, Default)]
pub(crate) struct FdMap {
    places: Vec<u32>,
}

/// Marks a descriptor that is not in the map, so `insert` takes everything below it.
const NONE: u32 = u32::MAX;

impl FdMap {
    pub(crate) fn get(&self, fd: RawSource) -> Option<u32> {
        let place = *self.places.get(usize::try_from(fd).ok()?)?;
        (place != NONE).then_some(place)
    }

    /// A negative descriptor cannot be watched and is not kept.
    pub(crate) fn insert(&mut self, fd: RawSource, place: u32) {
        debug_assert_ne!(place, NONE);
        let Ok(at) = usize::try_from(fd) else { return };
        if at >= self.places.len() {
            self.places.resize(at + 1, NONE);
        }
        self.places[at] = place;
    }

    pub(crate) fn remove(&mut self, fd: RawSource) -> Option<u32> {
        let place = self.get(fd)?;
        self.places[fd as usize] = NONE;
        Some(place)
    }
}
