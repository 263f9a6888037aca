//! A dial under way: one address of a name after the other.

use std::io;
use std::time::{Duration, Instant};

use crate::error::about;
use crate::socket::{self, Address, Dial, Options, SockAddr, Socket};

/// How a dial goes on when no address of its name answered: again after a pause that doubles each time, until it has taken too long.
///
/// ```
/// use std::time::Duration;
/// use selkey::Retry;
///
/// let mut retry = Retry::within(Duration::from_secs(30));
/// retry.most = Duration::from_secs(5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// The first pause. Default: 50 ms.
    pub first: Duration,
    /// The longest pause. Default: 2 s.
    pub most: Duration,
    /// From the first attempt to the start of the last one at the latest.
    pub within: Duration,
}

impl Retry {
    /// With the default pauses, for so long.
    pub fn within(within: Duration) -> Retry {
        Retry { first: Duration::from_millis(50), most: Duration::from_secs(2), within }
    }
}

pub(super) struct Dialing {
    address: Address,
    options: Options,
    addresses: Vec<SockAddr>,
    /// Which of them comes next.
    next: usize,
    started: Instant,
    retry: Option<Retry>,
    /// Why the last address failed.
    pub(super) last: io::Error,
}

impl Dialing {
    pub(super) fn new(address: Address, options: Options, retry: Option<Retry>) -> io::Result<Dialing> {
        let addresses = address.resolve()?;
        let last = io::ErrorKind::AddrNotAvailable.into();
        Ok(Dialing { address, options, addresses, next: 0, started: Instant::now(), retry, last })
    }

    /// Tries no other address, and none again.
    pub(super) fn give_up(&mut self) {
        (self.next, self.retry) = (self.addresses.len(), None);
    }

    /// When to begin again with the first address, if at all.
    pub(super) fn again(&mut self) -> Option<Instant> {
        let retry = self.retry.as_mut()?;
        let at = Instant::now() + retry.first;
        retry.first = (retry.first * 2).min(retry.most);
        self.next = 0;
        (at.duration_since(self.started) <= retry.within).then_some(at)
    }

    /// Starts to connect to the next address that does not fail at once.
    ///
    /// # Errors
    /// None is left; the error says why the last one failed, and names it.
    pub(super) fn attempt(&mut self) -> io::Result<Socket> {
        while let Some(candidate) = self.addresses.get(self.next) {
            self.next += 1;
            match socket::dial(candidate, &self.options) {
                Ok((socket, Dial::Pending | Dial::Connected)) => return Ok(socket),
                Ok((_, Dial::Failed(errno))) => self.last = io::Error::from_raw_os_error(errno),
                Err(error) => self.last = error,
            }
        }
        let last = std::mem::replace(&mut self.last, io::ErrorKind::AddrNotAvailable.into());
        let tried = self.next.checked_sub(1).and_then(|last| self.addresses.get(last));
        let (named, tried) = (self.address.to_string(), tried.map_or_else(String::new, socket::name));
        let tried = if tried == named { tried } else { format!("{named} ({tried})") };
        Err(about(format_args!("cannot connect to {tried}"), last))
    }
}
