//! A dial under way: one address of a name after the other.

use std::{io, vec};

use crate::error::about;
use crate::socket::{self, Address, Dial, Options, SockAddr, Socket};

pub(super) struct Dialing {
    address: Address,
    options: Options,
    current: Option<SockAddr>,
    rest: vec::IntoIter<SockAddr>,
    /// Why the last address failed.
    pub(super) last: io::Error,
}

impl Dialing {
    pub(super) fn new(address: Address, options: Options) -> io::Result<Dialing> {
        let rest = address.resolve()?.into_iter();
        Ok(Dialing { address, options, current: None, rest, last: io::ErrorKind::AddrNotAvailable.into() })
    }

    /// Tries no other address.
    pub(super) fn give_up(&mut self) {
        self.rest = Vec::new().into_iter();
    }

    /// Starts to connect to the next address that does not fail at once.
    ///
    /// # Errors
    /// None is left; the error says why the last one failed, and names it.
    pub(super) fn attempt(&mut self) -> io::Result<Socket> {
        for candidate in self.rest.by_ref() {
            let started = socket::dial(&candidate, &self.options);
            self.current = Some(candidate);
            match started {
                Ok((socket, Dial::Pending | Dial::Connected)) => return Ok(socket),
                Ok((_, Dial::Failed(errno))) => self.last = io::Error::from_raw_os_error(errno),
                Err(error) => self.last = error,
            }
        }
        let last = std::mem::replace(&mut self.last, io::ErrorKind::AddrNotAvailable.into());
        let (named, tried) = (self.address.to_string(), self.current.as_ref().map_or_else(String::new, socket::name));
        let tried = if tried == named { tried } else { format!("{named} ({tried})") };
        Err(about(format_args!("cannot connect to {tried}"), last))
    }
}
