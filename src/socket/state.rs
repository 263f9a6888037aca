//! What netstat shows, for one's own sockets: state, queues, round trips, retransmissions.

use std::time::Duration;
use std::{fmt, io};

use socket2::Socket;

use crate::sys::state as kernel;

/// Where a TCP connection stands (RFC 9293, 3.3.2). [`Display`](fmt::Display) writes netstat's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TcpState {
    /// `ESTABLISHED`: bytes go both ways.
    Established,
    /// `SYN_SENT`: a connect is under way and not answered.
    SynSent,
    /// `SYN_RECV`: a connect was answered, and the answer not confirmed.
    SynReceived,
    /// `FIN_WAIT1`: this end has said that it sends no more.
    FinWait1,
    /// `FIN_WAIT2`: the peer knows it, and may still send.
    FinWait2,
    /// `TIME_WAIT`: over; the ports stay taken a while (Linux: 60 s). No descriptor is left, so no socket of one's own shows it.
    TimeWait,
    /// `CLOSE`: not connected (yet), or no longer.
    Closed,
    /// `CLOSE_WAIT`: the peer sends no more, and this end has not closed. One that stays is a close forgotten by this program.
    CloseWait,
    /// `LAST_ACK`: this end has closed after the peer; one confirmation is missing.
    LastAck,
    /// `LISTEN`: takes connections.
    Listen,
    /// `CLOSING`: both ends closed at once.
    Closing,
}

impl TcpState {
    /// The state with this number in Linux's include/net/tcp_states.h, as in TCP_INFO and /proc/net/tcp.
    ///
    /// ```
    /// use selkey::socket::TcpState;
    ///
    /// assert_eq!(TcpState::from_number(10), Some(TcpState::Listen));
    /// assert_eq!(TcpState::from_number(0), None);
    /// ```
    pub fn from_number(number: u8) -> Option<TcpState> {
        Some(match number {
            1 => TcpState::Established,
            2 => TcpState::SynSent,
            // 12 is the same seen from the listener's queue.
            3 | 12 => TcpState::SynReceived,
            4 => TcpState::FinWait1,
            5 => TcpState::FinWait2,
            6 => TcpState::TimeWait,
            // 13 is a socket that is bound and no more.
            7 | 13 => TcpState::Closed,
            8 => TcpState::CloseWait,
            9 => TcpState::LastAck,
            10 => TcpState::Listen,
            11 => TcpState::Closing,
            _ => return None,
        })
    }

    /// netstat's name for it.
    pub fn name(self) -> &'static str {
        match self {
            TcpState::Established => "ESTABLISHED",
            TcpState::SynSent => "SYN_SENT",
            TcpState::SynReceived => "SYN_RECV",
            TcpState::FinWait1 => "FIN_WAIT1",
            TcpState::FinWait2 => "FIN_WAIT2",
            TcpState::TimeWait => "TIME_WAIT",
            TcpState::Closed => "CLOSE",
            TcpState::CloseWait => "CLOSE_WAIT",
            TcpState::LastAck => "LAST_ACK",
            TcpState::Listen => "LISTEN",
            TcpState::Closing => "CLOSING",
        }
    }
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the kernel knows of one TCP socket; see [`state`].
///
/// `None` is what a socket in this state does not have, or what this kernel is too old to tell. [`Display`](fmt::Display) writes what is
/// there as aligned lines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// Where the connection stands.
    pub state: TcpState,
    /// netstat's Recv-Q: bytes that have arrived and were not received yet. Grows while this program does not read.
    pub unread: Option<u64>,
    /// netstat's Send-Q: bytes sent by this program that the peer's system has not acknowledged. Grows while the peer does not read.
    pub unacknowledged: Option<u64>,
    /// Those of them that have not left this machine, because a window is full or more is waited for.
    pub unsent: Option<u64>,
    /// A listener's connections that wait for an accept.
    pub queued: Option<u32>,
    /// How many may wait: the backlog asked for, or `net.core.somaxconn` where that is less.
    pub backlog: Option<u32>,
    /// The smoothed time from sending a byte to its acknowledgement.
    pub rtt: Option<Duration>,
    /// How far it varies (the mean deviation, RFC 6298).
    pub rtt_variance: Option<Duration>,
    /// How often in a row the oldest unacknowledged segment was sent again; 0 when all is well.
    pub retransmits: Option<u32>,
    /// Segments sent again since the connection began.
    pub total_retransmits: Option<u32>,
    /// The congestion window: segments that may be on their way.
    pub cwnd: Option<u32>,
    /// Segments up to which the window grows fast (slow start); `None` while no loss has set it.
    pub ssthresh: Option<u32>,
    /// The largest segment that is sent, in bytes of data.
    pub mss: Option<u32>,
    /// Bytes that the peer's system has acknowledged; the SYN may count as one (Linux 4.1).
    pub bytes_acked: Option<u64>,
    /// Bytes that have arrived in order, read or not (Linux 4.1).
    pub bytes_received: Option<u64>,
    /// Segments with data that were sent, those sent again included (Linux 4.6).
    pub segments_sent: Option<u32>,
    /// By how many bits the window that this end announces is shifted (RFC 7323, 2); settled in the handshake.
    pub window_scale: Option<u8>,
    /// How fast bytes were delivered most recently, in bytes per second (Linux 4.9); `None` while nothing was measured.
    pub delivery_rate: Option<u64>,
}

/// Whether the kernel holds bytes of ours, or our end behind them, that the peer has not acknowledged. Where the system cannot be asked (all but
/// Linux) the answer is no.
pub(crate) fn is_unacknowledged(socket: &Socket) -> bool {
    kernel::unacknowledged(socket).is_ok_and(|bytes| bytes > 0)
}

/// Asks the kernel about a TCP socket of one's own: tcp(7), TCP_INFO, SIOCINQ and SIOCOUTQ.
///
/// It is several system calls, so on a connection that is in use the figures are from moments shortly after each other.
///
/// ```
/// use selkey::socket::{Options, TcpState, listen, state};
///
/// # fn main() -> std::io::Result<()> {
/// # if cfg!(not(target_os = "linux")) { return Ok(()) }
/// let listener = listen(&("127.0.0.1", 0).into(), &Options::default())?;
/// let state = state(&listener)?;
/// assert_eq!(state.state, TcpState::Listen);
/// assert_eq!(state.queued, Some(0)); // nobody waits for an accept
/// println!("{state}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Unsupported` on a system that has no such call, and for a socket that is not TCP; else what getsockopt(2) or ioctl(2) says.
pub fn state(socket: &Socket) -> io::Result<State> {
    let info = kernel::tcp_info(socket).map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENOPROTOOPT) => {
            io::Error::new(io::ErrorKind::Unsupported, "only a TCP socket has a TCP state")
        }
        _ => error,
    })?;
    let Some(state) = info.state().and_then(TcpState::from_number) else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel reports a TCP state that has no name here"));
    };
    let mut told = State {
        state,
        unread: None,
        unacknowledged: None,
        unsent: None,
        queued: None,
        backlog: None,
        rtt: None,
        rtt_variance: None,
        retransmits: None,
        total_retransmits: None,
        cwnd: None,
        ssthresh: None,
        mss: None,
        bytes_acked: None,
        bytes_received: None,
        segments_sent: None,
        window_scale: None,
        delivery_rate: None,
    };
    if state == TcpState::Listen {
        // The kernel puts a listener's queue into fields that mean something else in a connection, and fills in no more.
        told.queued = info.queued();
        told.backlog = info.backlog();
        return Ok(told);
    }
    told.unread = Some(kernel::unread(socket)?);
    told.unacknowledged = Some(kernel::unacknowledged(socket)?);
    told.unsent = Some(kernel::unsent(socket)?);
    // A zero stands for "no sample yet": a sample is at least 1 µs.
    told.rtt = info.rtt().filter(|micros| *micros > 0).map(|micros| Duration::from_micros(micros.into()));
    // Before the first sample it is a guess (RFC 6298, 2.1); after it a zero is a fact, as on loopback.
    told.rtt_variance = told.rtt.and(info.rtt_variance()).map(|micros| Duration::from_micros(micros.into()));
    told.retransmits = info.retransmits().map(u32::from);
    told.total_retransmits = info.total_retransmits();
    told.cwnd = info.cwnd();
    told.ssthresh = info.ssthresh().filter(|segments| *segments < kernel::NO_SSTHRESH);
    told.mss = info.mss();
    told.bytes_acked = info.bytes_acked();
    told.bytes_received = info.bytes_received();
    told.segments_sent = info.segments_sent();
    told.window_scale = info.window_scale();
    told.delivery_rate = info.delivery_rate().filter(|rate| *rate > 0);
    Ok(told)
}

impl State {
    /// What there is besides the state itself, each with its name and unit, as [`Display`](fmt::Display) shows it.
    pub fn entries(&self) -> Vec<(&'static str, String)> {
        let bytes = |n: Option<u64>| n.map(|n| format!("{n} bytes"));
        let segments = |n: Option<u32>| n.map(|n| format!("{n} segments"));
        let time = |t: Option<Duration>| t.map(|t| format!("{t:?}"));
        let entries = [
            ("unread", bytes(self.unread)),
            ("unacknowledged", bytes(self.unacknowledged)),
            ("unsent", bytes(self.unsent)),
            ("waiting for accept", self.queued.map(|n| format!("{n} connections"))),
            ("backlog", self.backlog.map(|n| format!("{n} connections"))),
            ("round trip", time(self.rtt)),
            ("its variance", time(self.rtt_variance)),
            ("retransmits now", self.retransmits.map(|n| n.to_string())),
            ("retransmits in all", segments(self.total_retransmits)),
            ("cwnd", segments(self.cwnd)),
            ("ssthresh", segments(self.ssthresh)),
            ("largest segment", bytes(self.mss.map(u64::from))),
            ("acknowledged", bytes(self.bytes_acked)),
            ("received", bytes(self.bytes_received)),
            ("segments sent", segments(self.segments_sent)),
            ("window scale", self.window_scale.map(|n| n.to_string())),
            ("delivery rate", self.delivery_rate.map(|n| format!("{n} bytes/s"))),
        ];
        entries.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20}{}", "state", self.state)?;
        self.entries().iter().try_for_each(|(name, value)| write!(f, "\n{name:<20}{value}"))
    }
}
