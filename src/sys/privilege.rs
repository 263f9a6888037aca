//! Rights that one thread gives up.

use std::io;

use super::platform;

platform::on_epoll! {
    /// capabilities(7): the thread may not bind ports below 1024 any more.
    pub(crate) fn give_up_port_privilege() -> io::Result<()> {
        const VERSION_3: u32 = 0x2008_0522;
        const NET_BIND_SERVICE: u32 = 10;

        let header = [VERSION_3, 0];
        // Effective, permitted and inheritable of the first 32 capabilities, then of the others.
        let mut sets = [0u32; 6];
        // SAFETY: the kernel reads two words and writes six, which is what is there; process 0 is the calling thread.
        let got = unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) };
        super::check(got as libc::c_int)?;
        sets[..3].iter_mut().for_each(|set| *set &= !(1 << NET_BIND_SERVICE));
        // SAFETY: the kernel reads two words and six.
        let set = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
        super::check(set as libc::c_int).map(drop)
    }
}

platform::on_kqueue! {
    /// Threads have no rights of their own here.
    pub(crate) fn give_up_port_privilege() -> io::Result<()> {
        Ok(())
    }
}
