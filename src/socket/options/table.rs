//! The one table of options, in the order in which they are set.

use super::option::{Kind, Level, Platform, Role, Scope, SocketOption, Unit, When};
use crate::sys::option as number;

const EVERYWHERE: &[Platform] =
    &[Platform::Linux, Platform::Apple, Platform::FreeBsd, Platform::NetBsd, Platform::OpenBsd];
const KEEPALIVE: &[Platform] = &[Platform::Linux, Platform::Apple, Platform::FreeBsd, Platform::NetBsd];
const LINUX: &[Platform] = &[Platform::Linux];

const BOUND: &[Role] = &[Role::Listener, Role::Dialled, Role::Datagram];
const STREAMS: &[Role] = &[Role::Listener, Role::Dialled, Role::Accepted];
const EVERY: &[Role] = &[Role::Listener, Role::Dialled, Role::Accepted, Role::Datagram];

const MOST: i64 = i32::MAX as i64;

pub(super) static TABLE: [SocketOption; 26] = [
    socket("SO_REUSEADDR", "reuse-addr", number::SO_REUSEADDR, Kind::Switch, Scope::Internet, BOUND)
        .before(When::BeforeBind)
        .does(
            "Binds a port although connections of an earlier listener are still in TIME_WAIT. A second listener on the same address is refused all the same.",
        ),
    socket("SO_REUSEPORT", "reuse-port", number::SO_REUSEPORT, Kind::Switch, Scope::Internet, BOUND)
        .before(When::BeforeBind)
        .needs("every socket on the port has it on and belongs to the same user")
        .does("Lets several sockets bind the same address and port. Linux spreads the connections over the listeners by a hash of both addresses."),
    option("IPV6_V6ONLY", "v6only", Level::Ipv6, number::IPV6_V6ONLY, Kind::Switch)
        .of(Scope::Ipv6, BOUND, "ipv6(7)")
        .before(When::BeforeBind)
        .does("Keeps IPv4 off an IPv6 socket. Off, a socket bound to :: serves IPv4 too, with addresses like ::ffff:127.0.0.1."),
    socket("SO_SNDBUF", "sndbuf", number::SO_SNDBUF, Kind::Size, Scope::Any, EVERY)
        .range(0, MOST)
        .needs("Linux clamps at net.core.wmem_max, then doubles for its own bookkeeping")
        .does("How many bytes may wait in the kernel to be sent. Setting it ends the automatic sizing."),
    socket("SO_RCVBUF", "rcvbuf", number::SO_RCVBUF, Kind::Size, Scope::Any, EVERY)
        .before(When::BeforeConnect)
        .range(0, MOST)
        .needs("Linux clamps at net.core.rmem_max, then doubles for its own bookkeeping")
        .does(
            "How many bytes may wait in the kernel to be received. The window scale of the handshake follows from it, so it comes before listen and connect; setting it ends the automatic sizing.",
        ),
    tcp("TCP_MAXSEG", "maxseg", number::TCP_MAXSEG, Kind::Size)
        .before(When::BeforeConnect)
        .range(88, 32767)
        .does("The greatest segment that is announced to the peer and sent. A connection may come out lower: the path, the peer and the timestamps (12 bytes) have their say."),
    tcp("TCP_NODELAY", "nodelay", number::TCP_NODELAY, Kind::Switch)
        .does("Sends small segments at once. Off (Nagle), a small segment waits until everything before it was acknowledged."),
    socket("SO_KEEPALIVE", "keepalive", number::SO_KEEPALIVE, Kind::Switch, Scope::Tcp, STREAMS)
        .does("Probes the peer of an idle connection. A peer that answers no probe ends the connection with ETIMEDOUT."),
    tcp("TCP_KEEPIDLE", "keepidle", number::TCP_KEEPIDLE, Kind::Duration(Unit::Seconds))
        .on(KEEPALIVE)
        .range(1, 32767)
        .needs("SO_KEEPALIVE on, which goes with it unless it was set off; called TCP_KEEPALIVE on Apple's systems")
        .does("How long a connection is idle before the first keepalive probe."),
    tcp("TCP_KEEPINTVL", "keepintvl", number::TCP_KEEPINTVL, Kind::Duration(Unit::Seconds))
        .on(KEEPALIVE)
        .range(1, 32767)
        .needs("SO_KEEPALIVE on, which goes with it unless it was set off")
        .does("The time between two keepalive probes."),
    tcp("TCP_KEEPCNT", "keepcnt", number::TCP_KEEPCNT, Kind::Number)
        .on(KEEPALIVE)
        .range(1, 127)
        .needs("SO_KEEPALIVE on, which goes with it unless it was set off")
        .does("How many keepalive probes in a row go unanswered before the connection ends."),
    socket("SO_LINGER", "linger", number::SO_LINGER, Kind::Linger, Scope::Tcp, STREAMS)
        .range(0, 32767)
        .does(
            "How long a close waits for unsent bytes to be acknowledged. 0 throws them away and resets the connection; off sends them in the background. A non-blocking socket waits too.",
        ),
    tcp("TCP_USER_TIMEOUT", "user-timeout", number::TCP_USER_TIMEOUT, Kind::Duration(Unit::Milliseconds))
        .on(LINUX)
        .range(0, MOST)
        .does("How long sent bytes may stay unacknowledged before the connection ends with ETIMEDOUT. 0 leaves it to the system's count of retransmissions."),
    tcp("TCP_QUICKACK", "quickack", number::TCP_QUICKACK, Kind::Switch)
        .on(LINUX)
        .of(Scope::Tcp, &[Role::Dialled, Role::Accepted], "tcp(7)")
        .not_inherited()
        .does("Acknowledges at once, without waiting for an answer to ride on. It does not last: the kernel may change it with the next segment."),
    tcp("TCP_CORK", "cork", number::TCP_CORK, Kind::Switch)
        .on(LINUX)
        .does("Holds back segments that are not full, for 200 ms at most, until it is turned off."),
    tcp("TCP_DEFER_ACCEPT", "defer-accept", number::TCP_DEFER_ACCEPT, Kind::Duration(Unit::Seconds))
        .on(LINUX)
        .of(Scope::Tcp, &[Role::Listener], "tcp(7)")
        .range(0, MOST)
        .does(
            "Accepts a connection only once its first bytes are there, or about this time has passed. Linux counts in retransmissions (1, 3, 7, 15, 31 s), so it grants the next step.",
        ),
    tcp("TCP_FASTOPEN", "fastopen", number::TCP_FASTOPEN, Kind::Number)
        .on(&[Platform::Linux, Platform::Apple, Platform::FreeBsd])
        .of(Scope::Tcp, &[Role::Listener], "tcp(7)")
        .range(0, MOST)
        .needs("bit 2 of net.ipv4.tcp_fastopen for it to have an effect; net.core.somaxconn is the most")
        .does("How many connections may be pending that sent data with their SYN. 0 is off."),
    tcp("TCP_NOTSENT_LOWAT", "notsent-lowat", number::TCP_NOTSENT_LOWAT, Kind::Size)
        .on(LINUX)
        .range(0, MOST)
        .does("The socket is writable only while fewer bytes than this wait to be sent for the first time. 0 leaves it to net.ipv4.tcp_notsent_lowat."),
    socket("SO_RCVLOWAT", "rcvlowat", number::SO_RCVLOWAT, Kind::Size, Scope::Stream, STREAMS)
        .range(1, MOST)
        .does("The socket is readable only from this many bytes on, or at the end. Linux enlarges the receive buffer to fit, or lowers the mark to half a buffer that was set."),
    tcp("TCP_CONGESTION", "congestion", number::TCP_CONGESTION, Kind::Text)
        .on(&[Platform::Linux, Platform::FreeBsd])
        .range(1, 15)
        .needs("CAP_NET_ADMIN for one that is not in net.ipv4.tcp_allowed_congestion_control; it is in tcp_available_congestion_control")
        .does("The congestion control by name: reno, cubic, bbr."),
    socket("SO_BUSY_POLL", "so-busy-poll", number::SO_BUSY_POLL, Kind::Duration(Unit::Microseconds), Scope::Internet, EVERY)
        .on(LINUX)
        .range(0, MOST)
        .needs("CAP_NET_ADMIN to raise it; a kernel with CONFIG_NET_RX_BUSY_POLL and a driver that can")
        .does("How long a receive polls the network card before it sleeps: less delay for more processor time."),
    option("IP_TOS", "tos", Level::Ip, number::IP_TOS, Kind::Number)
        .of(Scope::Ipv4, EVERY, "ip(7)")
        .range(0, 255)
        .needs("CAP_NET_ADMIN for the highest precedences in older kernels; the lowest two bits (ECN) of a TCP socket are the kernel's")
        .does("The type of service in the header of IPv4 packets: DSCP in the upper six bits."),
    option("IP_TTL", "ttl", Level::Ip, number::IP_TTL, Kind::Number)
        .of(Scope::Ipv4, EVERY, "ip(7)")
        .range(1, 255)
        .does("How many routers an IPv4 packet may pass."),
    socket("SO_PRIORITY", "priority", number::SO_PRIORITY, Kind::Number, Scope::Internet, EVERY)
        .on(LINUX)
        .range(0, MOST)
        .needs("CAP_NET_ADMIN above 6")
        .not_inherited()
        .does("The queue that packets take on their way out. Setting IP_TOS changes it too, so it is set after that."),
    socket("SO_OOBINLINE", "oobinline", number::SO_OOBINLINE, Kind::Switch, Scope::Tcp, STREAMS)
        .does("Leaves urgent bytes in their place among the others. Off, they are received with MSG_OOB alone."),
    socket("SO_BROADCAST", "broadcast", number::SO_BROADCAST, Kind::Switch, Scope::Udp, &[Role::Datagram])
        .does("Lets datagrams be sent to a broadcast address."),
];

const fn option(name: &'static str, flag: &'static str, level: Level, number: Option<i32>, kind: Kind) -> SocketOption {
    SocketOption {
        name,
        flag,
        level,
        number,
        kind,
        range: (0, 1),
        platforms: EVERYWHERE,
        scope: Scope::Any,
        roles: EVERY,
        when: When::Any,
        inherited: true,
        precondition: "",
        does: "",
        man: "",
    }
}

const fn socket(
    name: &'static str,
    flag: &'static str,
    number: Option<i32>,
    kind: Kind,
    scope: Scope,
    roles: &'static [Role],
) -> SocketOption {
    option(name, flag, Level::Socket, number, kind).of(scope, roles, "socket(7)")
}

const fn tcp(name: &'static str, flag: &'static str, number: Option<i32>, kind: Kind) -> SocketOption {
    option(name, flag, Level::Tcp, number, kind).of(Scope::Tcp, STREAMS, "tcp(7)")
}

impl SocketOption {
    const fn of(self, scope: Scope, roles: &'static [Role], man: &'static str) -> SocketOption {
        SocketOption { scope, roles, man, ..self }
    }

    const fn on(self, platforms: &'static [Platform]) -> SocketOption {
        SocketOption { platforms, ..self }
    }

    const fn before(self, when: When) -> SocketOption {
        SocketOption { when, ..self }
    }

    const fn range(self, least: i64, most: i64) -> SocketOption {
        SocketOption { range: (least, most), ..self }
    }

    const fn needs(self, precondition: &'static str) -> SocketOption {
        SocketOption { precondition, ..self }
    }

    const fn not_inherited(self) -> SocketOption {
        SocketOption { inherited: false, ..self }
    }

    const fn does(self, does: &'static str) -> SocketOption {
        SocketOption { does, ..self }
    }
}
