//! One socket option: what is known of it, and which values it takes.

use std::io;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::Value;
use crate::sys::option as sys;

/// What is known of one socket option. [`all`](super::all) lists them, [`find`](super::find) finds one by its name.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOption {
    /// As the manual pages call it: `SO_RCVBUF`.
    pub name: &'static str,
    /// As the command line calls it: `rcvbuf`.
    pub flag: &'static str,
    /// Whom setsockopt(2) speaks to.
    pub level: Level,
    /// The number of the option here; `None` where this platform lacks it.
    pub number: Option<i32>,
    /// What it takes, and in which unit.
    pub kind: Kind,
    /// The least and the greatest value, in the unit of `kind`. The system may narrow it down.
    pub range: (i64, i64),
    /// The platforms that have it.
    pub platforms: &'static [Platform],
    /// The sockets that have it.
    pub scope: Scope,
    /// Which sockets it can be set on to some effect.
    pub roles: &'static [Role],
    /// By when it must be set.
    pub when: When,
    /// On Linux an accepted socket begins with what its listener had.
    pub inherited: bool,
    /// What must hold besides: a capability, a sysctl; empty where nothing must.
    pub precondition: &'static str,
    /// What it does. The first sentence says it in short.
    pub does: &'static str,
    /// The manual page.
    pub man: &'static str,
}

/// Whom an option belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// SOL_SOCKET
    Socket,
    /// IPPROTO_TCP
    Tcp,
    /// IPPROTO_IP
    Ip,
    /// IPPROTO_IPV6
    Ipv6,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On or off.
    Switch,
    /// A number.
    Number,
    /// A size in bytes; as text also `64k`, `1m`.
    Size,
    /// A time, which the system counts in this unit.
    Duration(Unit),
    /// Off, or a time in whole seconds.
    Linger,
    /// A text of so many bytes.
    Text,
}

/// What the system counts a time in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 1 s
    Seconds,
    /// 1/1,000 s
    Milliseconds,
    /// 1/1,000,000 s
    Microseconds,
}

/// A family of operating systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux and Android.
    Linux,
    /// macOS and its relatives.
    Apple,
    /// FreeBSD.
    FreeBsd,
    /// NetBSD and DragonFly BSD.
    NetBsd,
    /// OpenBSD.
    OpenBsd,
}

/// The sockets that have an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every socket.
    Any,
    /// Every stream socket.
    Stream,
    /// IPv4 and IPv6.
    Internet,
    /// TCP over either.
    Tcp,
    /// UDP over either.
    Udp,
    /// IPv4, and the IPv4 side of a dual-stack IPv6 socket where the system has that.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Will be bound and listen.
    Listener,
    /// Will connect.
    Dialled,
    /// Was accepted from a listener.
    Accepted,
    /// Will send and receive datagrams.
    Datagram,
}

/// By when an option must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before bind(2).
    BeforeBind,
    /// Before listen(2) or connect(2): it goes into the handshake.
    BeforeConnect,
    /// At any time.
    Any,
}

impl Unit {
    /// How many there are in a second.
    fn per_second(self) -> u64 {
        match self {
            Unit::Seconds => 1,
            Unit::Milliseconds => 1_000,
            Unit::Microseconds => 1_000_000,
        }
    }

    /// Rounded up: a time is never cut short.
    fn count(self, time: Duration) -> i64 {
        let nanoseconds = u128::from(1_000_000_000 / self.per_second());
        i64::try_from(time.as_nanos().div_ceil(nanoseconds)).unwrap_or(i64::MAX)
    }

    fn time(self, count: i64) -> Duration {
        Duration::from_nanos(1_000_000_000 / self.per_second()).saturating_mul(count.clamp(0, i32::MAX.into()) as u32)
    }
}

impl SocketOption {
    /// Whether this platform has it.
    pub fn is_available(&self) -> bool {
        self.number.is_some()
    }

    /// Whether this socket has it: its family and type do, and the platform.
    pub fn applies_to(&self, socket: &Socket) -> bool {
        let Ok((family, kind)) =
            socket.local_addr().map(|address| address.domain()).and_then(|f| Ok((f, socket.r#type()?)))
        else {
            return false;
        };
        self.is_available() && self.scope.holds(family, kind)
    }

    /// The values it takes, in words: `a size from 0 to 2147483647 bytes (64k, 1m)`.
    pub fn takes(&self) -> String {
        let (least, most) = self.range;
        match self.kind {
            Kind::Switch => "on or off".to_owned(),
            Kind::Number => format!("a number from {least} to {most}"),
            Kind::Size => format!("a size from {least} to {most} bytes (64k, 1m)"),
            Kind::Duration(unit) => {
                let [least, most] = [least, most].map(|count| Value::Duration(unit.time(count)));
                format!("a time from {least} to {most}")
            }
            Kind::Linger => format!("off or a time from {least}s to {most}s"),
            Kind::Text => format!("a text of {least} to {most} bytes"),
        }
    }

    /// `value` as this option takes it: a text is read, a time rounded up to what the system counts in.
    ///
    /// # Errors
    /// It is of another kind or out of range; the error names the option and what it takes.
    pub fn check(&self, value: impl Into<Value>) -> io::Result<Value> {
        let value = value.into();
        self.accept(&value).ok_or_else(|| self.refusal(&value))
    }

    fn accept(&self, value: &Value) -> Option<Value> {
        if let (Value::Text(text), true) = (value, self.kind != Kind::Text) {
            return self.accept(&self.read(text.trim())?);
        }
        let whole = |unit: Unit, time: Duration| Some(unit.time(self.within(unit.count(time))?));
        match (self.kind, value) {
            (Kind::Switch, Value::Switch(on)) => Some(Value::Switch(*on)),
            (Kind::Number | Kind::Size, Value::Number(number)) => self.within(*number).map(Value::Number),
            (Kind::Duration(unit), Value::Duration(time)) => whole(unit, *time).map(Value::Duration),
            (Kind::Linger, Value::Linger(None)) => Some(Value::Linger(None)),
            (Kind::Linger, Value::Linger(Some(time)) | Value::Duration(time)) => {
                whole(Unit::Seconds, *time).map(|time| Value::Linger(Some(time)))
            }
            (Kind::Text, Value::Text(text)) => {
                self.within(text.len() as i64)?;
                (!text.contains('\0')).then(|| Value::Text(text.clone()))
            }
            _ => None,
        }
    }

    fn within(&self, number: i64) -> Option<i64> {
        (self.range.0..=self.range.1).contains(&number).then_some(number)
    }

    fn read(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Switch => match text.to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" | "1" => Some(Value::Switch(true)),
                "off" | "false" | "no" | "0" => Some(Value::Switch(false)),
                _ => None,
            },
            Kind::Number => text.parse().ok().map(Value::Number),
            Kind::Size => size(text).map(Value::Number),
            Kind::Duration(_) => time(text).map(Value::Duration),
            Kind::Linger if text.eq_ignore_ascii_case("off") => Some(Value::Linger(None)),
            Kind::Linger => time(text).map(|time| Value::Linger(Some(time))),
            Kind::Text => Some(text.into()),
        }
    }

    fn refusal(&self, value: &Value) -> io::Error {
        let got = match value {
            Value::Text(text) => format!("{text:?}"),
            value => value.to_string(),
        };
        io::Error::new(io::ErrorKind::InvalidInput, format!("{} takes {}, not {got}", self.name, self.takes()))
    }

    fn place(&self) -> io::Result<(i32, i32)> {
        let level = match self.level {
            Level::Socket => sys::SOL_SOCKET,
            Level::Tcp => sys::IPPROTO_TCP,
            Level::Ip => sys::IPPROTO_IP,
            Level::Ipv6 => sys::IPPROTO_IPV6,
        };
        let lacking = || io::Error::new(io::ErrorKind::Unsupported, "this platform lacks it");
        Ok((level, self.number.ok_or_else(lacking)?))
    }

    pub(super) fn get(&self, socket: &Socket) -> io::Result<Value> {
        let (level, number) = self.place()?;
        Ok(match self.kind {
            Kind::Switch => Value::Switch(sys::int(socket, level, number)? != 0),
            Kind::Number | Kind::Size => Value::Number(sys::int(socket, level, number)?.into()),
            Kind::Duration(unit) => Value::Duration(unit.time(sys::int(socket, level, number)?.into())),
            Kind::Linger => {
                let seconds = sys::linger(socket, level, number)?;
                Value::Linger(seconds.map(|seconds| Unit::Seconds.time(seconds.into())))
            }
            Kind::Text => Value::Text(sys::text(socket, level, number)?),
        })
    }

    /// Sets a value that [`check`](SocketOption::check) let pass: it fits.
    pub(super) fn set(&self, socket: &Socket, value: &Value) -> io::Result<()> {
        let (level, number) = self.place()?;
        let fits = |number: i64| i32::try_from(number).map_err(|_| self.refusal(value));
        match (self.kind, value) {
            (Kind::Duration(unit), Value::Duration(time)) => {
                sys::set_int(socket, level, number, fits(unit.count(*time))?)
            }
            (_, Value::Switch(on)) => sys::set_int(socket, level, number, i32::from(*on)),
            (_, Value::Number(wanted)) => sys::set_int(socket, level, number, fits(*wanted)?),
            (_, Value::Linger(time)) => {
                let seconds = time.map(|time| fits(Unit::Seconds.count(time))).transpose()?;
                sys::set_linger(socket, level, number, seconds)
            }
            (_, Value::Text(text)) => sys::set_text(socket, level, number, text),
            (_, Value::Duration(_)) => Err(self.refusal(value)),
        }
    }
}

impl Scope {
    pub(super) fn holds(self, family: Domain, kind: Type) -> bool {
        let internet = family == Domain::IPV4 || family == Domain::IPV6;
        match self {
            Scope::Any => true,
            Scope::Stream => kind == Type::STREAM,
            Scope::Internet => internet,
            Scope::Tcp => internet && kind == Type::STREAM,
            Scope::Udp => internet && kind == Type::DGRAM,
            Scope::Ipv4 => family == Domain::IPV4 || (sys::IP_ON_IPV6 && family == Domain::IPV6),
            Scope::Ipv6 => family == Domain::IPV6,
        }
    }
}

/// Reads a size as it stands on a command line: bytes, or so many KiB, MiB or GiB with `k`, `m` or `g` behind the number.
///
/// ```
/// use selkey::socket::options::size;
///
/// assert_eq!((size("64k"), size("100"), size("big")), (Some(65_536), Some(100), None));
/// ```
pub fn size(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

/// Seconds, with a fraction or without; `s`, `ms` and `us` may follow.
fn time(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        _ => return None,
    };
    // Nanoseconds in a float are exact for months; rounding there takes away what the multiplication added.
    let nanoseconds = (digits.parse::<f64>().ok()? * factor * 1e9).round();
    (0.0..9e18).contains(&nanoseconds).then(|| Duration::from_nanos(nanoseconds as u64))
}
