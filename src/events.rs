//! The interest mask: what to wait for and what became ready.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// Wait until a receive (or an accept) would not block. Python's `selectors.EVENT_READ`.
pub const EVENT_READ: Events = Events(1);

/// Wait until a send would not block (or a connect has ended). Python's `selectors.EVENT_WRITE`.
pub const EVENT_WRITE: Events = Events(2);

/// A set of [`EVENT_READ`] and [`EVENT_WRITE`], with the bits Python gives them.
///
/// ```
/// use selkey::{EVENT_READ, EVENT_WRITE, Events};
///
/// let both = EVENT_READ | EVENT_WRITE;
/// assert_eq!(both.bits(), 3);
/// assert_eq!(both - EVENT_READ, EVENT_WRITE);
/// assert!(both.contains(EVENT_READ));
/// assert!((EVENT_READ & EVENT_WRITE).is_empty());
/// assert_eq!(Events::default(), Events::from_bits(0));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Events(u8);

impl Events {
    /// The mask with exactly these bits, also bits that mean nothing.
    ///
    /// A selector refuses a mask that has such bits, as Python does; making one is not an error.
    pub const fn from_bits(bits: u8) -> Events {
        Events(bits)
    }

    /// The bits: 1 for [`EVENT_READ`], 2 for [`EVENT_WRITE`].
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether no bit is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every bit of `other` is set here too. The empty mask is contained in all.
    pub const fn contains(self, other: Events) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is a bit that is neither [`EVENT_READ`] nor [`EVENT_WRITE`].
    pub(crate) const fn has_unknown(self) -> bool {
        self.0 & !(EVENT_READ.0 | EVENT_WRITE.0) != 0
    }
}

impl BitOr for Events {
    type Output = Events;
    fn bitor(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

impl BitOrAssign for Events {
    fn bitor_assign(&mut self, other: Events) {
        *self = *self | other;
    }
}

impl BitAnd for Events {
    type Output = Events;
    fn bitand(self, other: Events) -> Events {
        Events(self.0 & other.0)
    }
}

/// The bits of the left mask that the right one lacks.
impl Sub for Events {
    type Output = Events;
    fn sub(self, other: Events) -> Events {
        Events(self.0 & !other.0)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            1 => f.write_str("EVENT_READ"),
            2 => f.write_str("EVENT_WRITE"),
            3 => f.write_str("EVENT_READ | EVENT_WRITE"),
            bits => write!(f, "Events({bits:#04x})"),
        }
    }
}
