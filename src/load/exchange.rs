//! What goes there and back: requests, and how their replies are recognised.

use std::sync::Arc;

/// What a load generator says and wants to hear: client code without I/O and without a clock.
///
/// Connections have numbers from 0 on, all those of a run different ones; requests are counted from 0 on each connection, and their replies come in that order.
/// Each thread has a clone of its own.
///
/// ```
/// use selkey::load::{Exchange, Reply};
///
/// /// A server that answers each line with a line, any.
/// #[derive(Clone)]
/// struct Lines;
///
/// impl Exchange for Lines {
///     fn request(&mut self, _connection: u64, _number: u64) -> &[u8] {
///         b"What time is it?\n"
///     }
///     fn reply(&mut self, _connection: u64, _number: u64, input: &[u8]) -> Reply {
///         match input.iter().position(|&byte| byte == b'\n') {
///             Some(end) => Reply::Whole(end + 1),
///             None if input.len() > 1000 => Reply::Wrong("a line without an end".to_owned()),
///             None => Reply::Part { need: input.len() + 1 },
///         }
///     }
/// }
/// ```
pub trait Exchange {
    /// The bytes of a request.
    fn request(&mut self, connection: u64, number: u64) -> &[u8];

    /// Looks for the whole reply to a request at the head of what has come. There is at least one byte.
    fn reply(&mut self, connection: u64, number: u64, input: &[u8]) -> Reply;
}

/// What the bytes that have come are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The right reply, so many bytes long.
    Whole(usize),
    /// Right as far as it goes; it can be judged when so many bytes of it are there.
    Part {
        /// More than there are now.
        need: usize,
    },
    /// Not what was asked for, and why; the connection ends.
    Wrong(String),
}

/// Messages of one size that must come back as they are.
///
/// Each is a piece of one list of random bytes. Where it begins depends on the connection and on the number of the message, so that a reply that is
/// doubled, left out, swapped or shifted differs from the right one, unless messages are so short that this is chance. Nothing is allocated for a message.
///
/// ```
/// use selkey::load::{Echo, Exchange, Reply};
///
/// let mut echo = Echo::new(64);
/// let first = echo.request(0, 0).to_vec();
/// assert_eq!(echo.reply(0, 0, &first), Reply::Whole(64));
/// assert_eq!(echo.reply(0, 0, &first[..10]), Reply::Part { need: 64 });
/// assert!(matches!(echo.reply(0, 1, &first), Reply::Wrong(_)));
/// ```
#[derive(Clone, Debug)]
pub struct Echo {
    size: usize,
    bytes: Arc<[u8]>,
}

/// Places where a message may begin: a prime, so that every step between messages goes through all of them; and few enough for a processor's first cache.
const PLACES: u64 = 4093;

impl Echo {
    /// Messages of this many bytes; an empty one would never be heard of, so 0 counts as 1.
    pub fn new(size: usize) -> Echo {
        let size = size.max(1);
        // Numerical Recipes' quick generator, of which the upper bits are good.
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some((*state >> 24) as u8)
        };
        let mut state = 1;
        let bytes = std::iter::from_fn(|| next(&mut state)).take(size + PLACES as usize).collect();
        Echo { size, bytes }
    }

    #[inline]
    fn message(&self, connection: u64, number: u64) -> &[u8] {
        let place = (number.wrapping_mul(1021).wrapping_add(connection.wrapping_mul(2029)) % PLACES) as usize;
        &self.bytes[place..place + self.size]
    }
}

impl Exchange for Echo {
    #[inline]
    fn request(&mut self, connection: u64, number: u64) -> &[u8] {
        self.message(connection, number)
    }

    #[inline]
    fn reply(&mut self, connection: u64, number: u64, input: &[u8]) -> Reply {
        match input.get(..self.size) {
            Some(reply) if reply == self.message(connection, number) => Reply::Whole(self.size),
            None if self.message(connection, number).starts_with(input) => Reply::Part { need: self.size },
            _ => {
                let right = self.message(connection, number);
                let same = input.iter().zip(right).take_while(|(came, right)| came == right).count();
                Reply::Wrong(format!("byte {same} of the echo of message {number} differs"))
            }
        }
    }
}
