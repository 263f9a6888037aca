//! What the kernel tells about one TCP socket: getsockopt(TCP_INFO) and the queue ioctls.

use std::io;

use socket2::Socket;

use super::platform;

/// The bytes of `struct tcp_info` as far as the kernel filled them in.
///
/// The structure only ever grows at its end, so a field is there when the answer is long enough. libc's type is not used: on some
/// systems it is shorter than what the kernel answers, on others longer.
#[derive(Debug)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code))]
pub(crate) struct TcpInfo {
    bytes: [u8; ROOM],
    filled: usize,
}

/// More than any field asked for below needs.
const ROOM: usize = 192;

/// Where the fields lie, the same on every architecture: `struct tcp_info` of linux/tcp.h.
const STATE: usize = 0;
const RETRANSMITS: usize = 2;
const WINDOW_SCALES: usize = 6;
const SND_MSS: usize = 16;
const UNACKED: usize = 24;
const SACKED: usize = 28;
const RTT: usize = 68;
const RTTVAR: usize = 72;
const SND_SSTHRESH: usize = 76;
const SND_CWND: usize = 80;
const TOTAL_RETRANS: usize = 100;
const BYTES_ACKED: usize = 120;
const BYTES_RECEIVED: usize = 128;
const DATA_SEGS_OUT: usize = 156;
const DELIVERY_RATE: usize = 160;

impl TcpInfo {
    pub(crate) fn state(&self) -> Option<u8> {
        self.field(STATE).map(u8::from_ne_bytes)
    }
    pub(crate) fn retransmits(&self) -> Option<u8> {
        self.field(RETRANSMITS).map(u8::from_ne_bytes)
    }
    /// The shift of the window that this end announces: one of two bit fields in a byte.
    pub(crate) fn window_scale(&self) -> Option<u8> {
        let shift = if cfg!(target_endian = "big") { 0 } else { 4 };
        self.field(WINDOW_SCALES).map(|[scales]| scales >> shift & 0xf)
    }
    pub(crate) fn mss(&self) -> Option<u32> {
        self.word(SND_MSS)
    }
    /// Of a listener: how many connections wait for an accept.
    pub(crate) fn queued(&self) -> Option<u32> {
        self.word(UNACKED)
    }
    /// Of a listener: how many may wait.
    pub(crate) fn backlog(&self) -> Option<u32> {
        self.word(SACKED)
    }
    /// Microseconds.
    pub(crate) fn rtt(&self) -> Option<u32> {
        self.word(RTT)
    }
    /// Microseconds.
    pub(crate) fn rtt_variance(&self) -> Option<u32> {
        self.word(RTTVAR)
    }
    /// Segments, or [`NO_SSTHRESH`].
    pub(crate) fn ssthresh(&self) -> Option<u32> {
        self.word(SND_SSTHRESH)
    }
    /// Segments.
    pub(crate) fn cwnd(&self) -> Option<u32> {
        self.word(SND_CWND)
    }
    pub(crate) fn total_retransmits(&self) -> Option<u32> {
        self.word(TOTAL_RETRANS)
    }
    pub(crate) fn bytes_acked(&self) -> Option<u64> {
        self.long(BYTES_ACKED)
    }
    pub(crate) fn bytes_received(&self) -> Option<u64> {
        self.long(BYTES_RECEIVED)
    }
    pub(crate) fn segments_sent(&self) -> Option<u32> {
        self.word(DATA_SEGS_OUT)
    }
    /// Bytes per second.
    pub(crate) fn delivery_rate(&self) -> Option<u64> {
        self.long(DELIVERY_RATE)
    }

    fn word(&self, at: usize) -> Option<u32> {
        self.field(at).map(u32::from_ne_bytes)
    }

    fn long(&self, at: usize) -> Option<u64> {
        self.field(at).map(u64::from_ne_bytes)
    }

    fn field<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(..self.filled)?.get(at..at + N)?.try_into().ok()
    }
}

/// What stands for "no threshold yet" (TCP_INFINITE_SSTHRESH).
pub(crate) const NO_SSTHRESH: u32 = 0x7fff_ffff;

platform::on_epoll! {
    /// What TCP_INFO answers.
    pub(crate) fn tcp_info(socket: &Socket) -> io::Result<TcpInfo> {
        use std::os::fd::AsRawFd;

        let mut info = TcpInfo { bytes: [0; ROOM], filled: 0 };
        let mut length = ROOM as libc::socklen_t;
        let into = info.bytes.as_mut_ptr().cast();
        // SAFETY: `into` has room for `length` bytes and both live through the call; any bytes are a valid value.
        super::check(unsafe {
            libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, into, &mut length)
        })?;
        info.filled = length as usize;
        Ok(info)
    }

    /// Bytes that have arrived and were not received yet (SIOCINQ, which is FIONREAD).
    pub(crate) fn unread(socket: &Socket) -> io::Result<u64> {
        queue(socket, libc::FIONREAD as _)
    }

    /// Bytes sent by the program that the peer has not acknowledged, on their way or not (SIOCOUTQ, which is TIOCOUTQ).
    pub(crate) fn unacknowledged(socket: &Socket) -> io::Result<u64> {
        queue(socket, libc::TIOCOUTQ as _)
    }

    /// Bytes sent by the program that have not left this machine (SIOCOUTQNSD).
    pub(crate) fn unsent(socket: &Socket) -> io::Result<u64> {
        queue(socket, SIOCOUTQNSD as _)
    }

    /// linux/sockios.h; the same number on every architecture, and missing in libc for some.
    const SIOCOUTQNSD: u32 = 0x894b;

    fn queue(socket: &Socket, what: libc::c_ulong) -> io::Result<u64> {
        use std::os::fd::AsRawFd;

        let mut bytes: libc::c_int = 0;
        // SAFETY: these requests write one int, and `bytes` lives through the call.
        super::check(unsafe { libc::ioctl(socket.as_raw_fd(), what as _, &mut bytes) })?;
        Ok(bytes.max(0) as u64)
    }
}

platform::on_kqueue! {
    /// There is no TCP_INFO with these fields here.
    pub(crate) fn tcp_info(_socket: &Socket) -> io::Result<TcpInfo> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "the state of a TCP socket can be asked on Linux only"))
    }

    pub(crate) fn unread(socket: &Socket) -> io::Result<u64> {
        tcp_info(socket).map(|_| 0)
    }

    pub(crate) fn unacknowledged(socket: &Socket) -> io::Result<u64> {
        tcp_info(socket).map(|_| 0)
    }

    pub(crate) fn unsent(socket: &Socket) -> io::Result<u64> {
        tcp_info(socket).map(|_| 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// glibc's declaration is long enough to compare with.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[test]
    fn the_places_are_those_of_the_structure() {
        use std::mem::offset_of;

        macro_rules! same {
            ($($place:ident $field:ident),* $(,)?) => {
                $( assert_eq!($place, offset_of!(libc::tcp_info, $field), stringify!($field)); )*
            };
        }
        same!(
            STATE tcpi_state,
            RETRANSMITS tcpi_retransmits,
            WINDOW_SCALES tcpi_snd_rcv_wscale,
            SND_MSS tcpi_snd_mss,
            UNACKED tcpi_unacked,
            SACKED tcpi_sacked,
            RTT tcpi_rtt,
            RTTVAR tcpi_rttvar,
            SND_SSTHRESH tcpi_snd_ssthresh,
            SND_CWND tcpi_snd_cwnd,
            TOTAL_RETRANS tcpi_total_retrans,
            BYTES_ACKED tcpi_bytes_acked,
            BYTES_RECEIVED tcpi_bytes_received,
            DATA_SEGS_OUT tcpi_data_segs_out,
            DELIVERY_RATE tcpi_delivery_rate,
        );
    }

    #[test]
    fn a_field_that_an_older_kernel_does_not_fill_is_none() {
        // Linux 2.6 and 3.x end after `tcpi_total_retrans`.
        let old = TcpInfo { bytes: [1; ROOM], filled: 104 };
        assert_eq!(old.state(), Some(1));
        assert_eq!(old.total_retransmits(), Some(0x0101_0101));
        assert_eq!((old.bytes_acked(), old.bytes_received(), old.delivery_rate()), (None, None, None));
        // Half a field is none.
        assert_eq!(TcpInfo { bytes: [1; ROOM], filled: 103 }.total_retransmits(), None);
        let empty = TcpInfo { bytes: [1; ROOM], filled: 0 };
        assert_eq!((empty.state(), empty.retransmits(), empty.rtt()), (None, None, None));
    }
}
