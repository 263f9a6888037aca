//! Which processor a thread runs on.

use std::io;

use super::platform;

platform::on_epoll! {
    /// Keeps the calling thread on this processor.
    pub(crate) fn pin_thread(processor: usize) -> io::Result<()> {
        // SAFETY: a set of zeros is a valid, empty one.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        if processor >= libc::CPU_SETSIZE as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the number is below the set's size.
        unsafe { libc::CPU_SET(processor, &mut set) };
        // SAFETY: `set` lives through the call, which only reads it.
        super::check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) }).map(drop)
    }
}

platform::on_kqueue! {
    pub(crate) fn pin_thread(_processor: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
