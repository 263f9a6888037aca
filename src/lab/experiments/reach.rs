//! reach: the address that a server is bound to decides who can reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Protocol, Type};

use crate::lab::ground::{PATIENCE, bound, outward};
use crate::lab::{Claim, Experiment, Finding, Obstacle, Seen, Trial, Unit};
use crate::socket::{Address, Socket, accept_next, connect};

pub(super) const EXPERIMENT: Experiment = Experiment {
    name: "reach",
    question: "Who can reach a server that is bound to '', 0.0.0.0, 127.0.0.1, :: or ::1?",
    claims: &[
        Claim {
            says: "A server bound to 127.0.0.1 is reached at that address alone.",
            expected: "reached at 127.0.0.1, nowhere else",
            control: "it is bound to 0.0.0.0",
            check: on_one_address,
        },
        Claim {
            says: "A server bound to '', which is 0.0.0.0, is reached at every IPv4 address of the machine, and at no IPv6 address.",
            expected: "reached at all of IPv4",
            control: "it is bound to 127.0.0.1",
            check: on_all_of_ipv4,
        },
        Claim {
            says: "A server bound to :: is reached over IPv6 and IPv4.",
            expected: "reached everywhere",
            control: "IPV6_V6ONLY is on",
            check: on_everything,
        },
        Claim {
            says: "A server bound to ::1 is reached at that address alone.",
            expected: "reached at ::1, nowhere else",
            control: "it is bound to ::",
            check: on_one_ipv6_address,
        },
    ],
    explanation: "A listener takes a SYN whose destination is the address it is bound to; the wildcard (0.0.0.0, or :: for IPv6) takes every \
        address that the machine has. Anything else is answered with a reset: the connect is refused. 127.0.0.0/8 and ::1 never leave the \
        machine, so a server bound there cannot be reached from outside, whatever a firewall says; not even as 127.0.0.2, which is another address. An empty \
        host is 0.0.0.0 in Python and here.\n\n\
        A socket bound to :: serves IPv4 as well unless IPV6_V6ONLY is on, and sees such clients as ::ffff:127.0.0.1. The option's default differs between \
        systems (Linux: net.ipv6.bindv6only), so set it. Bind 127.0.0.1 or ::1 while you try things out, and the wildcard only when \
        others are meant to come. localhost may be ::1 first: a client that tries only that address does not find a server on 127.0.0.1.",
    sources: &[
        "ip(7), INADDR_ANY and INADDR_LOOPBACK",
        "ipv6(7), IPV6_V6ONLY",
        "RFC 1122, 3.2.1.3 (g)",
        "RFC 4291, 2.5.3",
        "RFC 3493, 5.3",
    ],
};

fn on_one_address(trial: &mut Trial) -> Finding {
    let server = server(trial, trial.turn("127.0.0.1", "0.0.0.0"), false)?;
    is_reached(trial, &server, |ip| ip == Ipv4Addr::LOCALHOST)
}

fn on_all_of_ipv4(trial: &mut Trial) -> Finding {
    let server = server(trial, trial.turn("", "127.0.0.1"), false)?;
    is_reached(trial, &server, |ip| ip.is_ipv4())
}

fn on_everything(trial: &mut Trial) -> Finding {
    let only = trial.turn(false, true);
    let server = server(trial, "::", only)?;
    is_reached(trial, &server, |_| true)
}

fn on_one_ipv6_address(trial: &mut Trial) -> Finding {
    let server = server(trial, trial.turn("::1", "::"), false)?;
    is_reached(trial, &server, |ip| ip == Ipv6Addr::LOCALHOST)
}

/// A listener on a free port of this host.
fn server(trial: &mut Trial, host: &str, only_v6: bool) -> Result<Socket, Obstacle> {
    let address = Address::from((host, 0)).resolve()?.swap_remove(0);
    if address.is_ipv6() && !is_own(&Ipv6Addr::LOCALHOST.into()) {
        return Err(Obstacle::Lacking("this machine has no IPv6".into()));
    }
    let socket = Socket::new(address.domain(), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        trial.set("server", &socket, "IPV6_V6ONLY", only_v6)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address)?;
    socket.listen(8)?;
    Ok(socket)
}

/// Where the server is reached, of the addresses that are this machine's own, and whether it is just there.
fn is_reached(trial: &mut Trial, server: &Socket, expected: impl Fn(IpAddr) -> bool) -> Finding {
    let port = bound(server)?.port();
    let (mut reached, mut not_reached, mut holds) = (Vec::new(), Vec::new(), true);
    for ip in own_addresses()? {
        // Only what the server accepts has reached it: another program may have the same port at another address.
        let client = connect(&SocketAddr::new(ip, port).into(), PATIENCE);
        let is_reached = client.is_ok() && accept_next(server, PATIENCE).is_ok();
        trial.measure(format!("reached at {ip}"), u8::from(is_reached).into(), Unit::Count);
        if is_reached { &mut reached } else { &mut not_reached }.push(ip.to_string());
        holds &= is_reached == expected(ip);
    }
    let reached = if reached.is_empty() { "nowhere".into() } else { format!("at {}", reached.join(", ")) };
    let not = if not_reached.is_empty() { String::new() } else { format!("; not at {}", not_reached.join(", ")) };
    Ok(Seen { found: format!("reached {reached}{not}"), holds })
}

/// Two of the loopback, ::1, and that by which this machine speaks to others; as far as it has them.
fn own_addresses() -> Result<Vec<IpAddr>, Obstacle> {
    let mut all = vec![Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into(), Ipv6Addr::LOCALHOST.into()];
    all.extend(outward().ok());
    all.retain(is_own);
    if all.iter().filter(|ip| ip.is_ipv4()).count() < 2 {
        return Err(Obstacle::Lacking("this machine has one IPv4 address alone".into()));
    }
    Ok(all)
}

fn is_own(ip: &IpAddr) -> bool {
    TcpListener::bind((*ip, 0)).is_ok()
}
