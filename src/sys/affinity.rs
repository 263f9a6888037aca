//! Which processors a thread runs on.

use std::io;

use super::platform;

platform::on_epoll! {
    use std::mem::zeroed;

    use super::check;

    const MOST: usize = libc::CPU_SETSIZE as usize;

    /// Keeps the calling thread on these processors, and what it starts from now on.
    pub(crate) fn pin_thread(processors: &[usize]) -> io::Result<()> {
        // SAFETY: a set of zeros is a valid, empty one.
        let mut set: libc::cpu_set_t = unsafe { zeroed() };
        for &processor in processors {
            if processor >= MOST {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            // SAFETY: the number is below the set's size.
            unsafe { libc::CPU_SET(processor, &mut set) };
        }
        // SAFETY: `set` lives through the call, which only reads it.
        check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) }).map(drop)
    }

    /// The processors that the calling thread may use.
    #[cfg(feature = "cli")]
    pub(crate) fn processors() -> io::Result<Vec<usize>> {
        // SAFETY: a set of zeros is a valid, empty one.
        let mut set: libc::cpu_set_t = unsafe { zeroed() };
        // SAFETY: `set` lives through the call, which fills it in.
        check(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) })?;
        // SAFETY: the numbers are below the set's size.
        Ok((0..MOST).filter(|&processor| unsafe { libc::CPU_ISSET(processor, &set) }).collect())
    }
}

platform::on_kqueue! {
    pub(crate) fn pin_thread(_processors: &[usize]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(feature = "cli")]
    pub(crate) fn processors() -> io::Result<Vec<usize>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
