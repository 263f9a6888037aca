//! What on this machine is low or missing for experiments with sockets, and what to do about it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::{fmt, io, thread};

use socket2::{Domain, Socket, Type};

use super::environment::{hard_descriptor_limit, sysctl};
use super::ground::{listener, tcp, udp};
use crate::socket::{descriptor_limit, options, state};

/// What was looked at, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkup {
    /// What was looked at.
    pub what: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What cannot be shown or comes out short because of it, and what to do; empty where all is well.
    pub advice: &'static str,
}

/// Whether it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It does.
    Good,
    /// Experiments run, but large values are cut to it.
    Low,
    /// Something cannot be shown here.
    Lacking,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Health::Good => "ok",
            Health::Low => "low",
            Health::Lacking => "lacking",
        })
    }
}

/// Looks at the limits and abilities of this machine and process that experiments need. Only sockets of its own are touched, and no packet leaves.
///
/// ```
/// for checkup in selkey::lab::doctor() {
///     println!("{:<8} {}: {} {}", checkup.health, checkup.what, checkup.found, checkup.advice);
/// }
/// ```
pub fn doctor() -> Vec<Checkup> {
    [limits(), buffers(), queues(), abilities()].into_iter().flatten().flatten().collect()
}

/// Where the number is below what is enough, it is low.
fn enough(what: &'static str, number: Option<u64>, least: u64, advice: &'static str) -> Option<Checkup> {
    let found = number?;
    let health = if found < least { Health::Low } else { Health::Good };
    Some(checked(what, health, found.to_string(), advice))
}

/// Where it is not so, something is lacking.
fn ability(what: &'static str, is_there: bool, found: impl Into<String>, advice: &'static str) -> Option<Checkup> {
    Some(checked(what, if is_there { Health::Good } else { Health::Lacking }, found.into(), advice))
}

/// Advice is for who needs it.
fn checked(what: &'static str, health: Health, found: String, advice: &'static str) -> Checkup {
    Checkup { what, health, found, advice: if health == Health::Good { "" } else { advice } }
}

/// One of the numbers of a sysctl.
fn number(name: &str, which: usize) -> Option<u64> {
    sysctl(name)?.split(' ').nth(which)?.parse().ok()
}

fn limits() -> Vec<Option<Checkup>> {
    let ports = number("ipv4.ip_local_port_range", 0).zip(number("ipv4.ip_local_port_range", 1));
    vec![
        enough(
            "descriptors",
            hard_descriptor_limit().or_else(|| descriptor_limit().ok()),
            4096,
            "each connection takes one at either end; raise it in the shell that starts selkey (ulimit -n 65536), or in limits.conf(5)",
        ),
        enough(
            "processors",
            thread::available_parallelism().ok().map(|processors| processors.get() as u64),
            2,
            "client and server take turns on one, so times say more about the scheduler than about sockets; give the machine another",
        ),
        enough(
            "ephemeral ports",
            ports.map(|(first, last)| (last + 1).saturating_sub(first)),
            10_000,
            "one address can be dialled that often before the ports of the last minute come free; \
             sysctl -w net.ipv4.ip_local_port_range='32768 60999'",
        ),
    ]
}

fn buffers() -> Vec<Option<Checkup>> {
    vec![
        enough(
            "net.core.rmem_max",
            number("core.rmem_max", 0),
            4_096_000,
            "SO_RCVBUF is cut to it before it is doubled; sysctl -w net.core.rmem_max=4194304",
        ),
        enough(
            "net.core.wmem_max",
            number("core.wmem_max", 0),
            4_096_000,
            "SO_SNDBUF is cut to it before it is doubled; sysctl -w net.core.wmem_max=4194304",
        ),
        enough(
            "net.ipv4.tcp_rmem",
            number("ipv4.tcp_rmem", 2),
            1 << 20,
            "a receive buffer that sizes itself ends there; sysctl -w net.ipv4.tcp_rmem='4096 131072 6291456'",
        ),
        enough(
            "net.ipv4.tcp_wmem",
            number("ipv4.tcp_wmem", 2),
            1 << 20,
            "a send buffer that sizes itself ends there; sysctl -w net.ipv4.tcp_wmem='4096 16384 4194304'",
        ),
        number("ipv4.tcp_moderate_rcvbuf", 0).and_then(|on| {
            let advice = "a receive buffer stays as it begins, so its growth cannot be shown; sysctl -w net.ipv4.tcp_moderate_rcvbuf=1";
            ability("net.ipv4.tcp_moderate_rcvbuf", on != 0, on.to_string(), advice)
        }),
    ]
}

fn queues() -> Vec<Option<Checkup>> {
    vec![
        enough(
            "net.core.somaxconn",
            number("core.somaxconn", 0),
            4096,
            "a longer backlog is cut to it; sysctl -w net.core.somaxconn=4096",
        ),
        number("ipv4.tcp_abort_on_overflow", 0).and_then(|on| {
            let advice = "whoever comes to a full queue is reset, so that it waits and tries again cannot be shown; \
                          sysctl -w net.ipv4.tcp_abort_on_overflow=0";
            ability("net.ipv4.tcp_abort_on_overflow", on == 0, on.to_string(), advice)
        }),
    ]
}

fn abilities() -> Vec<Option<Checkup>> {
    let told = |outcome: io::Result<()>| outcome.map_or_else(|error| error.to_string(), |()| "yes".to_owned());
    let loopback = listener(1).and_then(|(_listener, address)| tcp()?.connect(&address.into()));
    let ipv6 = bind(Domain::IPV6, Type::STREAM, (Ipv6Addr::LOCALHOST, 0).into());
    let tcp_info = tcp().and_then(|socket| state(&socket)).map(|_| ());
    let missing = options::all().iter().filter(|option| !option.is_available()).map(|option| option.name);
    let missing: Vec<&str> = missing.collect();
    let outside = own_address();
    vec![
        ability(
            "loopback",
            loopback.is_ok(),
            told(loopback),
            "next to nothing can be shown; ip link set lo up, and no firewall on 127.0.0.1",
        ),
        ability(
            "IPv6",
            ipv6.is_ok(),
            told(ipv6),
            "nothing about IPv6 can be shown; sysctl -w net.ipv6.conf.lo.disable_ipv6=0, or a kernel with IPv6",
        ),
        ability(
            "a network besides loopback",
            outside.is_ok(),
            outside.map_or_else(|error| error.to_string(), |address| address.ip().to_string()),
            "who reaches 0.0.0.0 and not 127.0.0.1 cannot be shown without a second address; connect to a network, or ip link add d0 type dummy",
        ),
        privileged_ports(),
        ability(
            "TCP_INFO",
            tcp_info.is_ok(),
            told(tcp_info),
            "what the kernel knows of a connection stays unknown; only Linux tells it here",
        ),
        ability(
            "socket options",
            missing.is_empty(),
            if missing.is_empty() { "all there".to_owned() } else { format!("without {}", missing.join(", ")) },
            "what takes these is skipped; another system has them",
        ),
    ]
}

fn bind(domain: Domain, kind: Type, address: SocketAddr) -> io::Result<()> {
    Socket::new(domain, kind, None)?.bind(&address.into())
}

/// The address that packets to the world would come from. Connecting a UDP socket sends none; 192.0.2.1 is for documentation (RFC 5737).
fn own_address() -> io::Result<SocketAddr> {
    let socket = udp()?;
    socket.connect(&SocketAddr::from(([192, 0, 2, 1], 9)).into())?;
    let address = socket.local_addr()?.as_socket();
    let own = address.filter(|address| !address.ip().is_loopback() && !address.ip().is_unspecified());
    own.ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// Whether there is a port that this process may not have.
fn privileged_ports() -> Option<Checkup> {
    let first_free = number("ipv4.ip_unprivileged_port_start", 0).unwrap_or(1024);
    let last = u16::try_from(first_free).ok()?.checked_sub(1).filter(|last| *last > 0);
    let refused = last.map(|last| bind(Domain::IPV4, Type::DGRAM, (Ipv4Addr::LOCALHOST, last).into()));
    let (is_refused, found) = match refused {
        None => (false, "net.ipv4.ip_unprivileged_port_start leaves none".to_owned()),
        Some(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            (true, format!("below {first_free}, refused to this process"))
        }
        Some(_) => (false, format!("below {first_free}, but this process may bind them")),
    };
    ability(
        "privileged ports",
        is_refused,
        found,
        "that a low port is refused cannot be shown; run as a user other than root and without CAP_NET_BIND_SERVICE, \
         with net.ipv4.ip_unprivileged_port_start=1024",
    )
}
