//! A wait ended from another thread.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::platform;

/// Ends a wait of the selector it came from, from any thread or from a signal handler.
///
/// Clones share one descriptor. A wake that comes while nobody waits ends the next wait at once; several wakes before it count as one.
/// Waking after the selector is gone does nothing.
///
/// ```
/// use std::time::Duration;
/// use selkey::DefaultSelector;
///
/// # fn main() -> std::io::Result<()> {
/// let mut selector: DefaultSelector<std::net::TcpStream> = DefaultSelector::new()?;
/// let waker = selector.waker()?;
/// let other = std::thread::spawn(move || waker.wake());
/// assert!(selector.select(None)?.is_empty()); // ends although nothing is registered
/// other.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Waker {
    ends: Arc<Ends>,
}

impl Waker {
    /// A waker that no backend listens to yet.
    ///
    /// For a [`Backend`](super::Backend) of one's own: watch the waker's descriptor for reading under
    /// [`WAKER_TOKEN`](super::WAKER_TOKEN) and [`drain`](Waker::drain) it when it is ready.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    pub fn new() -> io::Result<Waker> {
        Ok(Waker { ends: Arc::new(Ends::new()?) })
    }

    /// Ends the wait that is under way, or else the next one.
    ///
    /// # Errors
    /// None is known that can happen to an open descriptor; what the operating system says is passed on.
    pub fn wake(&self) -> io::Result<()> {
        match self.ends.writer().write(&1u64.to_ne_bytes()) {
            // Full means that a wake is pending already.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Takes back every wake that came so far.
    pub fn drain(&self) {
        // One read empties an eventfd; what a socket pair still holds ends the next wait too, which is allowed.
        let _ = self.ends.reader().read(&mut [0; 512]);
    }
}

/// The end that becomes readable.
impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ends.reader().as_fd()
    }
}

platform::on_epoll! {
    use eventfd::Ends;
}

platform::on_kqueue! {
    use pair::Ends;
}

platform::on_epoll! {
    mod eventfd {
        use std::fs::File;
        use std::io;
        use std::os::fd::FromRawFd;

        use crate::sys::check;

        /// eventfd(2): one descriptor is both ends, and adding to its counter never needs room.
        #[derive(Debug)]
        pub(super) struct Ends(File);

        impl Ends {
            pub(super) fn new() -> io::Result<Ends> {
                // SAFETY: the call takes no pointers.
                let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
                // SAFETY: the kernel has just made `fd` and nobody else has it.
                Ok(Ends(unsafe { File::from_raw_fd(fd) }))
            }

            pub(super) fn reader(&self) -> &File {
                &self.0
            }

            pub(super) fn writer(&self) -> &File {
                &self.0
            }
        }
    }
}

platform::on_kqueue_or_test! {
    #[cfg_attr(test, allow(dead_code))]
    mod pair {
        use std::io;
        use std::os::unix::net::UnixStream;

        /// Both ends are kept, so that waking after the selector is gone meets no closed peer.
        #[derive(Debug)]
        pub(super) struct Ends(UnixStream, UnixStream);

        impl Ends {
            pub(super) fn new() -> io::Result<Ends> {
                let (reader, writer) = UnixStream::pair()?;
                reader.set_nonblocking(true)?;
                writer.set_nonblocking(true)?;
                Ok(Ends(reader, writer))
            }

            pub(super) fn reader(&self) -> &UnixStream {
                &self.0
            }

            pub(super) fn writer(&self) -> &UnixStream {
                &self.1
            }
        }
    }
}
