//! Socket calls that socket2 lacks.

use std::hint::assert_unchecked;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::ptr;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::platform;

/// recv(2) into bytes that are initialised already; inlined where a server spends its time. The count is at most what fits.
#[inline(always)]
pub(crate) fn receive(socket: &Socket, bytes: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    let room = bytes.len();
    // SAFETY: pointer and length describe `bytes`, which is ours for the call.
    let n = unsafe { libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), room, flags) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel never moves more than it was offered.
    unsafe { assert_unchecked(n as usize <= room) };
    Ok(n as usize)
}

/// send(2), never with a SIGPIPE. The count is at most what was offered.
#[inline(always)]
pub(crate) fn send(socket: &Socket, bytes: &[u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: pointer and length describe `bytes`.
    let n = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags | NO_SIGNAL) };
    if n < 0 { Err(io::Error::last_os_error()) } else { Ok(n as usize) }
}

/// recvfrom(2) with MSG_TRUNC: the datagram's whole length, of which what fits was stored, and who sent it.
pub(crate) fn receive_from(socket: &Socket, bytes: &mut [u8]) -> io::Result<(usize, SockAddr)> {
    // SAFETY: the same bytes; the call only writes initialised ones into them.
    let bytes = unsafe { &mut *(ptr::from_mut(bytes) as *mut [MaybeUninit<u8>]) };
    socket.recv_from_with_flags(bytes, libc::MSG_TRUNC)
}

/// A send on a broken connection is an error and raises no SIGPIPE. Where the flag is missing, socket2 sets SO_NOSIGPIPE on its sockets.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: libc::c_int = 0;

platform::on_epoll! {
    /// A socket that is non-blocking and close-on-exec from the start, in one system call.
    pub(crate) fn new(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
        Socket::new_raw(domain, kind.nonblocking().cloexec(), protocol)
    }

    /// More follows at once.
    pub(crate) const MORE: libc::c_int = libc::MSG_MORE;

    /// Drops every packet that comes for the socket with a TTL below the highest.
    pub(crate) fn deafen(socket: &Socket) -> io::Result<()> {
        super::option::set_int(socket, libc::IPPROTO_IP, libc::IP_MINTTL, 255)
    }

    /// Takes one connection off the queue; it comes non-blocking and close-on-exec, in one system call.
    pub(crate) fn accept(listener: &Socket) -> io::Result<Socket> {
        use std::os::fd::FromRawFd;

        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: null pointers tell the kernel that nobody asks for the peer's address.
        let fd = super::check(unsafe { libc::accept4(listener.as_raw_fd(), ptr::null_mut(), ptr::null_mut(), flags) })?;
        // SAFETY: the kernel has just made `fd` and nobody else has it.
        Ok(unsafe { Socket::from_raw_fd(fd) })
    }
}

platform::on_kqueue! {
    /// A socket that is non-blocking and close-on-exec.
    pub(crate) fn new(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
        let socket = Socket::new(domain, kind, protocol)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// There is no such hint here.
    pub(crate) const MORE: libc::c_int = 0;

    pub(crate) fn deafen(_socket: &Socket) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system cannot make a socket deaf"))
    }

    /// Takes one connection off the queue; it comes non-blocking and close-on-exec.
    pub(crate) fn accept(listener: &Socket) -> io::Result<Socket> {
        let (socket, _) = listener.accept()?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}
