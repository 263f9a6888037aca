//! The function with three lists: `select.select`, as in the Socket HOWTO.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::sys::AsSource;
use crate::sys::fdset::{FdSet, Sets, place, select_once};

/// Waits until something in one of the lists is ready, and answers the three lists of what is.
///
/// `readers` are ready when a receive or an accept would not block, `writers` when a send would not, `exceptional` when urgent data waits. Every list
/// may be empty, and the same object may stand in several. `None` waits as long as it takes, zero looks and returns, anything else is rounded up to
/// microseconds; more than 24 days are 24 days. With three empty lists it sleeps, Python's portable short sleep. All answers are empty after a timeout
/// or a signal.
///
/// It is select(2), with select's limits: descriptors below `FD_SETSIZE` (1024), and the time of a call grows with the highest of them. A
/// [`Selector`](crate::Selector) has neither.
///
/// # Errors
/// `InvalidInput` for a descriptor of `FD_SETSIZE` or more, which it names; `EBADF` for one that is closed; whatever else select(2) says.
///
/// A list is anything to iterate over: `&sockets`, `[&one, &other]`, [`NONE`].
///
/// ```
/// use selkey::{NONE, select};
/// use std::{io::Write, os::unix::net::UnixStream, time::Duration};
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let (readable, writable, _) = select([&ours], [&ours], NONE, Duration::ZERO)?;
/// assert_eq!((readable.len(), writable.len()), (0, 1));
/// theirs.write_all(b"!")?;
/// let sockets = vec![ours];
/// assert_eq!(select(&sockets, NONE, NONE, None)?.0.len(), 1);
/// # Ok(())
/// # }
/// ```
pub fn select<R: AsSource, W: AsSource, X: AsSource>(
    readers: impl IntoIterator<Item = R>,
    writers: impl IntoIterator<Item = W>,
    exceptional: impl IntoIterator<Item = X>,
    timeout: impl Into<Option<Duration>>,
) -> io::Result<(Vec<R>, Vec<W>, Vec<X>)> {
    let mut sets = Sets::new();
    let readers = List::put(readers, &mut sets.readers)?;
    let writers = List::put(writers, &mut sets.writers)?;
    let exceptional = List::put(exceptional, &mut sets.exceptional)?;
    let end = readers.end.max(writers.end).max(exceptional.end);
    if select_once(&mut sets, end, timeout.into())? == 0 {
        // The kernel leaves the sets as they were after a signal.
        sets = Sets::new();
    }
    Ok((readers.ready(&sets.readers), writers.ready(&sets.writers), exceptional.ready(&sets.exceptional)))
}

/// An empty list for [`select`].
pub const NONE: [BorrowedFd<'static>; 0] = [];

/// One of the three lists: each source with its place in the set, and one more than the highest place.
struct List<F> {
    sources: Vec<(F, usize)>,
    end: usize,
}

impl<F: AsSource> List<F> {
    fn put(sources: impl IntoIterator<Item = F>, set: &mut FdSet) -> io::Result<List<F>> {
        let mut list = List { sources: Vec::new(), end: 0 };
        for source in sources {
            let at = place(source.raw_source())?;
            set.put(at, true);
            list.end = list.end.max(at + 1);
            list.sources.push((source, at));
        }
        Ok(list)
    }

    fn ready(self, set: &FdSet) -> Vec<F> {
        self.sources.into_iter().filter_map(|(source, at)| set.has(at).then_some(source)).collect()
    }
}
