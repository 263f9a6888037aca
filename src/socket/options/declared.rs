//! What a server or client wants of its sockets, said once and applied to each.

use std::io;
use std::time::Duration;

use socket2::Socket;

use super::{Role, Setting, SocketOption, Value, all, find, put};
use crate::sys::option::INHERITED;

/// How many connections may wait for an accept. std's 128 overflows when some thousand clients start at once.
const BACKLOG: u32 = 4096;

/// What is set where nobody asked.
const DEFAULTS: [(&str, bool, &[Role]); 3] = [
    ("SO_REUSEADDR", true, &[Role::Listener]),
    ("IPV6_V6ONLY", false, &[Role::Listener, Role::Datagram]),
    // Where a listener does not hand it down, what it accepts is set too.
    ("TCP_NODELAY", true, &[Role::Listener, Role::Dialled, Role::Accepted]),
];

/// Socket options said once, for any number of sockets.
///
/// The default is what servers and clients here start with: listeners have SO_REUSEADDR on, IPV6_V6ONLY off, TCP_NODELAY on and a backlog of
/// 4096, dialled sockets have TCP_NODELAY on, datagram sockets IPV6_V6ONLY off. Whatever is not asked for beyond that stays as the system has it.
///
/// ```
/// use selkey::socket::{Options, Role, Socket};
/// use socket2::{Domain, Type};
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let mut options = Options::default();
/// options.set("SO_RCVBUF", 100_000)?;
/// options.nodelay(false).keepalive(Duration::from_secs(60), Duration::from_secs(5), 3);
///
/// let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
/// for setting in options.apply(&socket, Role::Dialled)? {
///     println!("{setting:#}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Options {
    backlog: Option<u32>,
    /// In the order of the table, at most one of each.
    asked: Vec<(&'static SocketOption, Value)>,
}

impl Options {
    /// Asks for an option by name; the last word counts. See [`SocketOption::check`] for the values.
    ///
    /// # Errors
    /// The name is not known, or the option does not take this value; the error names what it takes.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> io::Result<&mut Options> {
        let option = find(name)?;
        let value = option.check(value)?;
        Ok(self.ask(option, value))
    }

    /// What was asked of an option; `None` where nobody asked, or where there is no such option.
    pub fn asked(&self, name: &str) -> Option<&Value> {
        let option = find(name).ok()?;
        self.asked.iter().find(|(asked, _)| *asked == option).map(|(_, value)| value)
    }

    fn ask(&mut self, option: &'static SocketOption, value: Value) -> &mut Options {
        let place = |option: &'static SocketOption| all().iter().position(|entry| std::ptr::eq(entry, option));
        match self.asked.binary_search_by_key(&place(option), |(asked, _)| place(asked)) {
            Ok(at) => self.asked[at].1 = value,
            Err(at) => self.asked.insert(at, (option, value)),
        }
        self
    }

    /// For the methods below, which cannot fail: what the option does not take comes up in `apply`.
    fn ask_by_name(&mut self, name: &str, value: impl Into<Value>) -> &mut Options {
        match find(name) {
            Ok(option) => self.ask(option, value.into()),
            Err(_) => self,
        }
    }

    /// How many connections may wait for an accept; the system may have its own limit (Linux: `net.core.somaxconn`).
    pub fn backlog(&mut self, connections: u32) -> &mut Options {
        self.backlog = Some(connections);
        self
    }

    /// The backlog for listen(2).
    pub fn backlog_for_listen(&self) -> i32 {
        i32::try_from(self.backlog.unwrap_or(BACKLOG)).unwrap_or(i32::MAX)
    }

    /// SO_REUSEADDR: bind although old connections are in TIME_WAIT.
    pub fn reuse_address(&mut self, on: bool) -> &mut Options {
        self.ask_by_name("SO_REUSEADDR", on)
    }

    /// SO_REUSEPORT: several listeners on one port.
    pub fn reuse_port(&mut self, on: bool) -> &mut Options {
        self.ask_by_name("SO_REUSEPORT", on)
    }

    /// IPV6_V6ONLY: no IPv4 on an IPv6 socket.
    pub fn only_v6(&mut self, on: bool) -> &mut Options {
        self.ask_by_name("IPV6_V6ONLY", on)
    }

    /// TCP_NODELAY: small segments go out at once.
    pub fn nodelay(&mut self, on: bool) -> &mut Options {
        self.ask_by_name("TCP_NODELAY", on)
    }

    /// SO_RCVBUF in bytes. More than an `i32` holds is an error of [`apply`](Options::apply).
    pub fn rcvbuf(&mut self, bytes: usize) -> &mut Options {
        self.ask_by_name("SO_RCVBUF", bytes)
    }

    /// SO_SNDBUF in bytes. More than an `i32` holds is an error of [`apply`](Options::apply).
    pub fn sndbuf(&mut self, bytes: usize) -> &mut Options {
        self.ask_by_name("SO_SNDBUF", bytes)
    }

    /// SO_KEEPALIVE with the time before the first probe, the time between two and how many go unanswered. Times are rounded up to whole
    /// seconds; what is out of range is an error of [`apply`](Options::apply).
    pub fn keepalive(&mut self, idle: Duration, interval: Duration, count: u32) -> &mut Options {
        self.ask_by_name("SO_KEEPALIVE", true).ask_by_name("TCP_KEEPIDLE", idle);
        self.ask_by_name("TCP_KEEPINTVL", interval).ask_by_name("TCP_KEEPCNT", count)
    }

    /// SO_LINGER: how long a close waits for unsent bytes, in whole seconds; zero resets the connection, `None` is the system's way.
    pub fn linger(&mut self, time: Option<Duration>) -> &mut Options {
        self.ask_by_name("SO_LINGER", time)
    }

    /// TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged, in milliseconds. Linux only.
    pub fn user_timeout(&mut self, time: Duration) -> &mut Options {
        self.ask_by_name("TCP_USER_TIMEOUT", time)
    }

    /// TCP_DEFER_ACCEPT: how long a connection that sends nothing is kept from being accepted. Linux only.
    pub fn defer_accept(&mut self, time: Duration) -> &mut Options {
        self.ask_by_name("TCP_DEFER_ACCEPT", time)
    }

    /// Sets on `socket` what was asked and what is the default of its role, and tells what was granted, in the order in which it was set.
    ///
    /// A new socket gets it before bind and connect: everything is set there that may have to be. An accepted socket gets what was asked and
    /// is not inherited from its listener, which on most is nothing and costs nothing. What a listener itself has no use for, but what it
    /// accepts has, it leaves to those.
    ///
    /// # Errors
    /// An option that was asked for is not one of such a socket (TCP_NODELAY on a Unix-domain socket, TCP_DEFER_ACCEPT on a dialled one), does
    /// not take the value, or the system refuses it. The error names it; those before it in the table are set.
    pub fn apply(&self, socket: &Socket, role: Role) -> io::Result<Vec<Setting>> {
        if let Some((option, value)) = self.asked.iter().find(|(option, _)| !serves(option, role)) {
            let what = format!("{} {value}: of no use on a {}", option.name, role.name());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut settings = Vec::new();
        let mut domain_and_type = None;
        for (option, value, explicit) in self.plan(role) {
            let (family, kind) = match domain_and_type {
                Some(known) => known,
                None => *domain_and_type.insert((socket.local_addr()?.domain(), socket.r#type()?)),
            };
            if option.scope.holds(family, kind) && option.is_available() {
                settings.push(put(socket, option, option.check(value)?)?);
            } else if explicit {
                let what = if option.is_available() { "this kind of socket" } else { "this platform" };
                let lacking = format!("{} {value}: {what} has no such option", option.name);
                return Err(io::Error::new(io::ErrorKind::Unsupported, lacking));
            }
        }
        Ok(settings)
    }

    /// What is to be set on a socket of this role, in order, and whether somebody asked for it.
    fn plan(&self, role: Role) -> Vec<(&'static SocketOption, Value, bool)> {
        if role == Role::Accepted && INHERITED && self.asked.iter().all(|(option, _)| option.inherited) {
            return Vec::new();
        }
        let keepalive = self.asked.iter().any(|(option, _)| option.name.starts_with("TCP_KEEP"));
        let wanted = |option: &'static SocketOption| {
            if role == Role::Accepted && INHERITED && option.inherited || !option.roles.contains(&role) {
                return None;
            }
            if let Some((_, value)) = self.asked.iter().find(|(asked, _)| std::ptr::eq(*asked, option)) {
                return Some((option, value.clone(), true));
            }
            let default = DEFAULTS.iter().find(|(name, _, roles)| *name == option.name && roles.contains(&role));
            let implied = keepalive && option.name == "SO_KEEPALIVE";
            let on = default.map(|(_, on, _)| *on).or(implied.then_some(true))?;
            Some((option, Value::Switch(on), false))
        };
        all().iter().filter_map(wanted).collect()
    }
}

/// Whether the option is one of this role, or of what comes of it: a listener's are also those of what it accepts, and the other way round.
fn serves(option: &SocketOption, role: Role) -> bool {
    let has = |role| option.roles.contains(&role);
    match role {
        Role::Listener | Role::Accepted => has(Role::Listener) || has(Role::Accepted),
        _ => has(role),
    }
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Listener => "listener",
            Role::Dialled => "socket that connects",
            Role::Accepted => "socket that was accepted",
            Role::Datagram => "datagram socket",
        }
    }
}
