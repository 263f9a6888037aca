//! The limit on open descriptors.

use std::io;

use super::check;

/// The soft limit.
pub(crate) fn descriptor_limit() -> io::Result<u64> {
    // Signed on FreeBSD.
    #[allow(clippy::unnecessary_cast)]
    limit().map(|limit| limit.rlim_cur as u64)
}

/// Raises the soft limit to the hard one and says what it is now.
pub(crate) fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = limit()?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the call only reads `limit`.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    }
    descriptor_limit()
}

fn limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives through the call, which fills it in.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    Ok(limit)
}
