//! getsockopt(2) and setsockopt(2) by number, and the numbers: `None` where a platform lacks an option.

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;

use libc::{c_int, c_void, socklen_t};
use socket2::Socket;

use super::{check, platform};

/// The value of an option that is an int.
pub(crate) fn int(socket: &Socket, level: c_int, number: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    read(socket, level, number, (&raw mut value).cast(), size_of::<c_int>())?;
    Ok(value)
}

/// Sets an option that is an int.
pub(crate) fn set_int(socket: &Socket, level: c_int, number: c_int, value: c_int) -> io::Result<()> {
    write(socket, level, number, (&raw const value).cast(), size_of::<c_int>())
}

/// Whole seconds for which a close waits; `None` where it does not.
pub(crate) fn linger(socket: &Socket, level: c_int, number: c_int) -> io::Result<Option<c_int>> {
    let mut value = libc::linger { l_onoff: 0, l_linger: 0 };
    read(socket, level, number, (&raw mut value).cast(), size_of::<libc::linger>())?;
    Ok((value.l_onoff != 0).then_some(value.l_linger))
}

/// Sets for how many seconds a close waits.
pub(crate) fn set_linger(socket: &Socket, level: c_int, number: c_int, seconds: Option<c_int>) -> io::Result<()> {
    let value = libc::linger { l_onoff: c_int::from(seconds.is_some()), l_linger: seconds.unwrap_or(0) };
    write(socket, level, number, (&raw const value).cast(), size_of::<libc::linger>())
}

/// The value of an option that is a short text.
pub(crate) fn text(socket: &Socket, level: c_int, number: c_int) -> io::Result<String> {
    let mut bytes = [0u8; 64];
    let length = read(socket, level, number, bytes.as_mut_ptr().cast(), bytes.len())?;
    let text = bytes[..length].split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// Sets an option that is a short text.
pub(crate) fn set_text(socket: &Socket, level: c_int, number: c_int, text: &str) -> io::Result<()> {
    write(socket, level, number, text.as_ptr().cast(), text.len())
}

/// `value` points to `size` bytes that may be written. Answers how many were.
pub(super) fn read(socket: &Socket, level: c_int, number: c_int, value: *mut c_void, size: usize) -> io::Result<usize> {
    let mut length = size as socklen_t;
    // SAFETY: the callers' `value` has `size` bytes, which is what `length` says, and lives through the call.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), level, number, value, &mut length) })?;
    Ok(length as usize)
}

/// `value` points to `size` bytes that may be read.
fn write(socket: &Socket, level: c_int, number: c_int, value: *const c_void, size: usize) -> io::Result<()> {
    // SAFETY: the callers' `value` has `size` bytes and lives through the call, which only reads it.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, number, value, size as socklen_t) })?;
    Ok(())
}

pub(crate) const SOL_SOCKET: c_int = libc::SOL_SOCKET;
pub(crate) const IPPROTO_TCP: c_int = libc::IPPROTO_TCP;
pub(crate) const IPPROTO_IP: c_int = libc::IPPROTO_IP;
pub(crate) const IPPROTO_IPV6: c_int = libc::IPPROTO_IPV6;

pub(crate) const SO_REUSEADDR: Option<c_int> = Some(libc::SO_REUSEADDR);
pub(crate) const SO_REUSEPORT: Option<c_int> = Some(libc::SO_REUSEPORT);
pub(crate) const SO_SNDBUF: Option<c_int> = Some(libc::SO_SNDBUF);
pub(crate) const SO_RCVBUF: Option<c_int> = Some(libc::SO_RCVBUF);
pub(crate) const SO_KEEPALIVE: Option<c_int> = Some(libc::SO_KEEPALIVE);
pub(crate) const SO_RCVLOWAT: Option<c_int> = Some(libc::SO_RCVLOWAT);
pub(crate) const SO_OOBINLINE: Option<c_int> = Some(libc::SO_OOBINLINE);
pub(crate) const SO_BROADCAST: Option<c_int> = Some(libc::SO_BROADCAST);
pub(crate) const TCP_NODELAY: Option<c_int> = Some(libc::TCP_NODELAY);
pub(crate) const TCP_MAXSEG: Option<c_int> = Some(libc::TCP_MAXSEG);
pub(crate) const IP_TOS: Option<c_int> = Some(libc::IP_TOS);
pub(crate) const IP_TTL: Option<c_int> = Some(libc::IP_TTL);
pub(crate) const IPV6_V6ONLY: Option<c_int> = Some(libc::IPV6_V6ONLY);

platform::on_epoll! {
    pub(crate) const TCP_USER_TIMEOUT: Option<c_int> = Some(libc::TCP_USER_TIMEOUT);
    pub(crate) const TCP_QUICKACK: Option<c_int> = Some(libc::TCP_QUICKACK);
    pub(crate) const TCP_CORK: Option<c_int> = Some(libc::TCP_CORK);
    pub(crate) const TCP_DEFER_ACCEPT: Option<c_int> = Some(libc::TCP_DEFER_ACCEPT);
    pub(crate) const TCP_NOTSENT_LOWAT: Option<c_int> = Some(libc::TCP_NOTSENT_LOWAT);
    pub(crate) const SO_BUSY_POLL: Option<c_int> = Some(libc::SO_BUSY_POLL);
    pub(crate) const SO_PRIORITY: Option<c_int> = Some(libc::SO_PRIORITY);
    /// linux/in.h, Linux 6.3; not in libc.
    pub(crate) const IP_LOCAL_PORT_RANGE: Option<c_int> = Some(51);

    /// An accepted socket begins with its listener's options. Elsewhere systems differ.
    pub(crate) const INHERITED: bool = true;
    /// Options of the level IPPROTO_IP are for IPv6 sockets too, which may carry IPv4.
    pub(crate) const IP_ON_IPV6: bool = true;
}

platform::on_kqueue! {
    pub(crate) const TCP_USER_TIMEOUT: Option<c_int> = None;
    pub(crate) const TCP_QUICKACK: Option<c_int> = None;
    pub(crate) const TCP_CORK: Option<c_int> = None;
    pub(crate) const TCP_DEFER_ACCEPT: Option<c_int> = None;
    pub(crate) const TCP_NOTSENT_LOWAT: Option<c_int> = None;
    pub(crate) const SO_BUSY_POLL: Option<c_int> = None;
    pub(crate) const SO_PRIORITY: Option<c_int> = None;
    pub(crate) const IP_LOCAL_PORT_RANGE: Option<c_int> = None;

    /// An accepted socket begins with its listener's options. Elsewhere systems differ.
    pub(crate) const INHERITED: bool = false;
    /// Options of the level IPPROTO_IP are for IPv6 sockets too, which may carry IPv4.
    pub(crate) const IP_ON_IPV6: bool = false;
}

/// Apple counts the time of the standard SO_LINGER in ticks; the other one in seconds as everywhere.
#[cfg(target_vendor = "apple")]
pub(crate) const SO_LINGER: Option<c_int> = Some(libc::SO_LINGER_SEC);
#[cfg(not(target_vendor = "apple"))]
pub(crate) const SO_LINGER: Option<c_int> = Some(libc::SO_LINGER);

/// Apple's name of the same.
#[cfg(target_vendor = "apple")]
pub(crate) const TCP_KEEPIDLE: Option<c_int> = Some(libc::TCP_KEEPALIVE);
#[cfg(target_os = "openbsd")]
pub(crate) const TCP_KEEPIDLE: Option<c_int> = None;
#[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
pub(crate) const TCP_KEEPIDLE: Option<c_int> = Some(libc::TCP_KEEPIDLE);

#[cfg(target_os = "openbsd")]
pub(crate) const TCP_KEEPINTVL: Option<c_int> = None;
#[cfg(not(target_os = "openbsd"))]
pub(crate) const TCP_KEEPINTVL: Option<c_int> = Some(libc::TCP_KEEPINTVL);

#[cfg(target_os = "openbsd")]
pub(crate) const TCP_KEEPCNT: Option<c_int> = None;
#[cfg(not(target_os = "openbsd"))]
pub(crate) const TCP_KEEPCNT: Option<c_int> = Some(libc::TCP_KEEPCNT);

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_vendor = "apple"))]
pub(crate) const TCP_FASTOPEN: Option<c_int> = Some(libc::TCP_FASTOPEN);
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_vendor = "apple")))]
pub(crate) const TCP_FASTOPEN: Option<c_int> = None;

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) const TCP_CONGESTION: Option<c_int> = Some(libc::TCP_CONGESTION);
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) const TCP_CONGESTION: Option<c_int> = None;
