//! A timeout in the units of the system calls: rounded up, clamped, never early.

use std::time::Duration;

use super::platform;

/// Milliseconds for epoll_wait(2) and poll(2); -1 waits as long as it takes.
pub(super) fn millis(timeout: Option<Duration>) -> libc::c_int {
    let Some(timeout) = timeout else { return -1 };
    let millis =
        timeout.as_secs().saturating_mul(1_000).saturating_add(u64::from(timeout.subsec_nanos().div_ceil(1_000_000)));
    libc::c_int::try_from(millis).unwrap_or(libc::c_int::MAX)
}

platform::on_epoll! {
    /// A timeout that has a part of a millisecond, which epoll_wait(2) and poll(2) would round up. Beyond some days nobody asks for that.
    #[inline(always)]
    pub(super) fn fine(timeout: Option<Duration>) -> Option<Duration> {
        const DAYS: u64 = 1 << 20;
        timeout.filter(|time| time.subsec_nanos() % 1_000_000 > 0 && time.as_secs() < DAYS)
    }
}

/// Seconds and microseconds for select(2). Clamped where milliseconds are, since systems differ in what they take.
pub(super) fn timeval(timeout: Duration) -> libc::timeval {
    let longest = Duration::from_millis(libc::c_int::MAX as u64);
    let timeout = timeout.min(longest);
    let micros = timeout.as_secs() * 1_000_000 + u64::from(timeout.subsec_nanos().div_ceil(1_000));
    libc::timeval { tv_sec: (micros / 1_000_000) as libc::time_t, tv_usec: (micros % 1_000_000) as libc::suseconds_t }
}

#[cfg(test)]
mod tests {
    use super::*;

    platform::on_epoll! {
        #[test]
        fn a_part_of_a_millisecond_is_known() {
            let time = Some(Duration::from_nanos(3_000_000_001));
            assert_eq!(fine(time), time);
            let coarse = [None, Some(Duration::ZERO), Some(Duration::from_millis(7)), Some(Duration::MAX)];
            assert_eq!(coarse.map(fine), [None; 4]);
        }
    }

    #[test]
    fn rounds_up_and_clamps() {
        assert_eq!(millis(None), -1);
        assert_eq!(millis(Some(Duration::ZERO)), 0);
        assert_eq!(millis(Some(Duration::from_nanos(1))), 1);
        assert_eq!(millis(Some(Duration::from_millis(7))), 7);
        assert_eq!(millis(Some(Duration::from_micros(7_001))), 8);
        assert_eq!(millis(Some(Duration::MAX)), libc::c_int::MAX);

        let tv = |t| (timeval(t).tv_sec, timeval(t).tv_usec);
        assert_eq!(tv(Duration::from_nanos(1)), (0, 1));
        assert_eq!(tv(Duration::from_nanos(1_999_999_001)), (2, 0));
        assert_eq!(tv(Duration::MAX), tv(Duration::from_millis(libc::c_int::MAX as u64)));
    }
}
