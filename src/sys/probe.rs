//! What experiments ask of the system, and no program needs.

use std::io;
use std::time::Duration;

use socket2::Socket;

use super::{check, platform};

/// Processor time that the calling thread has used.
pub(crate) fn thread_time() -> io::Result<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives through the call, which fills it in.
    check(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) })?;
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

platform::on_epoll! {
    /// How many SYNs and segments a socket has thrown away (SO_MEMINFO, SK_MEMINFO_DROPS).
    pub(crate) fn drops(socket: &Socket) -> io::Result<u32> {
        let mut words = [0u32; 9];
        super::option::read(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, words.as_mut_ptr().cast(), size_of_val(&words))?;
        Ok(words[8])
    }

    /// Makes an end of an IPv4 connection as good as gone: the kernel drops every packet that comes for it with a TTL below the highest (IP_MINTTL, RFC 5082),
    /// and no peer sends that unless it was told to. What the socket sends still goes out.
    pub(crate) fn deafen(socket: &Socket) -> io::Result<()> {
        super::option::set_int(socket, libc::IPPROTO_IP, libc::IP_MINTTL, 255)
    }

    /// capabilities(7): the thread may not bind ports below 1024 any more.
    pub(crate) fn give_up_port_privilege() -> io::Result<()> {
        const VERSION_3: u32 = 0x2008_0522;
        const NET_BIND_SERVICE: u32 = 10;

        let mut header = [VERSION_3, 0];
        // Effective, permitted and inheritable of the first 32 capabilities, then of the others.
        let mut sets = [0u32; 6];
        // SAFETY: the kernel has two words and six, which is what is there; process 0 is the calling thread.
        let got = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) };
        check(got as libc::c_int)?;
        sets[..3].iter_mut().for_each(|set| *set &= !(1 << NET_BIND_SERVICE));
        // SAFETY: as before.
        let set = unsafe { libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) };
        check(set as libc::c_int).map(drop)
    }
}

platform::on_kqueue! {
    pub(crate) fn drops(_socket: &Socket) -> io::Result<u32> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not tell what a socket has thrown away"))
    }

    pub(crate) fn deafen(_socket: &Socket) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system cannot make a socket deaf"))
    }

    /// Threads have no rights of their own here.
    pub(crate) fn give_up_port_privilege() -> io::Result<()> {
        Ok(())
    }
}
