//! What can be watched, and the number the operating system knows it by.

use std::os::fd::{AsFd, AsRawFd, RawFd};

/// The operating system's number for a source: a file descriptor.
pub type RawSource = RawFd;

/// Anything with a descriptor: every type that implements [`AsFd`], so also `&T`, `Box<T>`, `Rc<T>`, `Arc<T>` and `BorrowedFd`.
///
/// It is implemented for all of them here and cannot be implemented elsewhere: a number that comes out of it belongs to something
/// that is open, which is what the selector's safety rests on.
pub trait AsSource: AsFd {
    /// The descriptor's number, valid as long as `self` is neither dropped nor changed.
    fn raw_source(&self) -> RawSource;
}

impl<T: AsFd + ?Sized> AsSource for T {
    fn raw_source(&self) -> RawSource {
        self.as_fd().as_raw_fd()
    }
}
