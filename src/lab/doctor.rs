//! What on this machine is low or missing for experiments with sockets, and what to do about it.

use std::net::{Ipv6Addr, TcpListener};
use std::{fmt, io, thread};

use super::environment::hard_descriptor_limit;
use super::ground::{listener, outward, sysctl, tcp};
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

/// A kernel parameter that must be one way to show something.
fn switch(name: &'static str, is_right: impl Fn(u64) -> bool, advice: &'static str) -> Option<Checkup> {
    let found = number(name, 0)?;
    ability(name, is_right(found), found.to_string(), advice)
}

/// Advice is for who needs it.
fn checked(what: &'static str, health: Health, found: String, advice: &'static str) -> Checkup {
    Checkup { what, health, found, advice: if health == Health::Good { "" } else { advice } }
}

/// One of the numbers of a kernel parameter.
fn number(name: &str, which: usize) -> Option<u64> {
    sysctl(name).ok()?.get(which).map(|&number| number as u64)
}

fn limits() -> Vec<Option<Checkup>> {
    let ports = number("net.ipv4.ip_local_port_range", 0).zip(number("net.ipv4.ip_local_port_range", 1));
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
            number("net.core.rmem_max", 0),
            4_096_000,
            "SO_RCVBUF is cut to it before it is doubled; sysctl -w net.core.rmem_max=4194304",
        ),
        enough(
            "net.core.wmem_max",
            number("net.core.wmem_max", 0),
            4_096_000,
            "SO_SNDBUF is cut to it before it is doubled; sysctl -w net.core.wmem_max=4194304",
        ),
        enough(
            "net.ipv4.tcp_rmem",
            number("net.ipv4.tcp_rmem", 2),
            1 << 20,
            "a receive buffer that sizes itself ends there; sysctl -w net.ipv4.tcp_rmem='4096 131072 6291456'",
        ),
        enough(
            "net.ipv4.tcp_wmem",
            number("net.ipv4.tcp_wmem", 2),
            1 << 20,
            "a send buffer that sizes itself ends there; sysctl -w net.ipv4.tcp_wmem='4096 16384 4194304'",
        ),
        switch(
            "net.ipv4.tcp_moderate_rcvbuf",
            |on| on != 0,
            "a receive buffer stays as it begins, so its growth cannot be shown; sysctl -w net.ipv4.tcp_moderate_rcvbuf=1",
        ),
    ]
}

fn queues() -> Vec<Option<Checkup>> {
    vec![
        enough(
            "net.core.somaxconn",
            number("net.core.somaxconn", 0),
            4096,
            "a longer backlog is cut to it; sysctl -w net.core.somaxconn=4096",
        ),
        switch(
            "net.ipv4.tcp_abort_on_overflow",
            |on| on == 0,
            "whoever comes to a full queue is reset, so that it waits and tries again cannot be shown; sysctl -w net.ipv4.tcp_abort_on_overflow=0",
        ),
        switch(
            "net.ipv4.tcp_migrate_req",
            |on| on == 0,
            "a queue is handed on when its listener closes, so that it is lost cannot be shown; sysctl -w net.ipv4.tcp_migrate_req=0",
        ),
        switch(
            "net.ipv4.ip_unprivileged_port_start",
            |first| first > 1,
            "every port is for everybody, so that a low one is refused cannot be shown; sysctl -w net.ipv4.ip_unprivileged_port_start=1024",
        ),
    ]
}

fn abilities() -> Vec<Option<Checkup>> {
    let told = |outcome: io::Result<()>| outcome.map_or_else(|error| error.to_string(), |()| "yes".to_owned());
    let loopback = listener(1).and_then(|(_listener, address)| tcp()?.connect(&address.into()));
    let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).map(drop);
    let tcp_info = tcp().and_then(|socket| state(&socket)).map(|_| ());
    let missing = options::all().iter().filter(|option| !option.is_available()).map(|option| option.name);
    let missing: Vec<&str> = missing.collect();
    let outside = outward();
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
            outside.map_or_else(|error| error.to_string(), |ip| ip.to_string()),
            "who reaches 0.0.0.0 and not 127.0.0.1 cannot be shown without a second address; connect to a network, or ip link add d0 type dummy",
        ),
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
