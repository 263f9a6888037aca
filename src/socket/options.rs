//! Socket options: one table, and [`get`], [`set`] and [`dump`] on it; [`Options`] for what a server or client sets.
//!
//! ```
//! use selkey::socket::{Socket, options};
//! use socket2::{Domain, Type};
//!
//! # fn main() -> std::io::Result<()> {
//! let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
//! let setting = options::set(&socket, "SO_RCVBUF", "64k")?;
//! println!("{setting}"); // Linux: SO_RCVBUF asked 65536 granted 131072
//! assert_eq!(options::get(&socket, "rcvbuf")?, setting.granted);
//!
//! let error = options::set(&socket, "TCP_NODELAY", "maybe").unwrap_err();
//! assert_eq!(error.to_string(), r#"TCP_NODELAY takes on or off, not "maybe""#);
//! # Ok(())
//! # }
//! ```
#![doc = include_str!("options.md")]

mod declared;
mod option;
mod table;
mod value;

use std::ops::RangeInclusive;
use std::{fmt, io};

use socket2::Socket;

use crate::error::{about, nearest};
use crate::sys::option as number;
pub use declared::Options;
pub use option::{Kind, Level, Platform, Role, Scope, SocketOption, Unit, When, size};
pub use value::Value;

/// What was asked of an option and what the system made of it.
///
/// `{}` shows it on one line, `{:#}` in columns that stand under each other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Which.
    pub option: &'static SocketOption,
    /// What was asked.
    pub asked: Value,
    /// What was read back. Linux doubles the sizes of buffers and clamps them.
    pub granted: Value,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { option, asked, granted } = self;
        if f.alternate() {
            write!(f, "{:<17} asked {asked:<10} granted {granted}", option.name)
        } else {
            write!(f, "{} asked {asked} granted {granted}", option.name)
        }
    }
}

/// Every option known, also those that this platform lacks, in the order in which they are set.
pub fn all() -> &'static [SocketOption] {
    &table::TABLE
}

/// The option of this name: `SO_RCVBUF`, `rcvbuf`, `RcvBuf`; `reuse-port` or `reuseport`.
///
/// # Errors
/// There is none; the error names those that are near, or else all.
pub fn find(name: &str) -> io::Result<&'static SocketOption> {
    let wanted = plain(name);
    if let Some(option) = all().iter().find(|option| plain(option.name) == wanted || plain(option.flag) == wanted) {
        return Ok(option);
    }
    let known = nearest(all().iter().map(|option| (option.name, plain(option.name))), &wanted);
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no socket option is called {name:?}; {known}")))
}

/// A name without its level, in small letters, without what separates words.
fn plain(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let bare =
        ["so_", "so-", "tcp_", "ip_", "ipv6_"].iter().find_map(|level| name.strip_prefix(level)).unwrap_or(&name);
    bare.replace(['_', '-'], "")
}

/// What the option is now. Sizes are in bytes, and what Linux counts: twice what was asked for buffers.
///
/// # Errors
/// The name is not known, this platform lacks the option, or the socket does (ENOPROTOOPT, EOPNOTSUPP); the error names it.
pub fn get(socket: &Socket, name: &str) -> io::Result<Value> {
    let option = find(name)?;
    option.get(socket).map_err(|error| about(option.name, error))
}

/// Sets an option and reads it back. A text is read as what the option takes: `on`, `64k`, `1.5` (seconds).
///
/// # Errors
/// As [`get`]; the value is of another kind or out of range; the system refuses it, often for want of a privilege.
pub fn set(socket: &Socket, name: &str, value: impl Into<Value>) -> io::Result<Setting> {
    let option = find(name)?;
    put(socket, option, option.check(value)?)
}

/// For a value that was checked.
fn put(socket: &Socket, option: &'static SocketOption, asked: Value) -> io::Result<Setting> {
    let granted = option.set(socket, &asked).and_then(|()| option.get(socket)).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound if !option.precondition.is_empty() => {
            about(format_args!("{} {asked} (needs: {})", option.name, option.precondition), error)
        }
        _ => about(format_args!("{} {asked}", option.name), error),
    })?;
    Ok(Setting { option, asked, granted })
}

/// Every option that this socket has, with what it is now.
pub fn dump(socket: &Socket) -> Vec<(&'static SocketOption, io::Result<Value>)> {
    let has = |option: &&SocketOption| option.applies_to(socket);
    all().iter().filter(has).map(|option| (option, option.get(socket))).collect()
}

/// Narrows the ports that a connect without bind, or a bind to port 0, is given one of (IP_LOCAL_PORT_RANGE, Linux 6.3). An end that lies outside of
/// `net.ipv4.ip_local_port_range` is passed over.
///
/// # Errors
/// `Unsupported` where the system has no such option; `EINVAL` for a range that is empty.
///
/// ```
/// use selkey::socket::{Socket, options};
/// use socket2::{Domain, Type};
/// use std::io::ErrorKind;
///
/// # fn main() -> std::io::Result<()> {
/// let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
/// match options::local_ports(&socket, 40_000..=40_999) {
///     Err(error) if error.kind() == ErrorKind::Unsupported => println!("{error}"),
///     outcome => outcome?,
/// }
/// # Ok(())
/// # }
/// ```
pub fn local_ports(socket: &Socket, ports: RangeInclusive<u16>) -> io::Result<()> {
    let lacking =
        || io::Error::new(io::ErrorKind::Unsupported, "IP_LOCAL_PORT_RANGE: this system lacks it (Linux 6.3)");
    let option = number::IP_LOCAL_PORT_RANGE.ok_or_else(lacking)?;
    let ends = u32::from(*ports.end()) << 16 | u32::from(*ports.start());
    match number::set_int(socket, number::IPPROTO_IP, option, ends.cast_signed()) {
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Err(lacking()),
        outcome => outcome,
    }
}
