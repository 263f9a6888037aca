//! Datagrams: whole ones, with their sender, and a word where one was too long.

use std::io;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Address, Options, Role, Transfer, name};
use crate::error::about;
use crate::sys;

/// What receiving a datagram came to.
#[derive(Clone, Debug)]
pub enum Datagram {
    /// One has come. It may be empty, and it does not end anything if it is.
    Received {
        /// How many of its bytes lie in the buffer now.
        stored: usize,
        /// How many it had; more than `stored` where the buffer was too short, and then the rest is lost. Systems other than Linux say only
        /// `stored` here.
        length: usize,
        /// Who sent it.
        from: SockAddr,
    },
    /// None is there; wait for readiness.
    Pending,
}

/// A non-blocking UDP socket with these options, bound to the first address that can be.
///
/// # Errors
/// The address is not known, in use, not ours or a path; an option is refused; the error names it.
///
/// ```
/// use selkey::socket::{Address, Datagram, Options, bind_datagram, receive_from, send_to};
///
/// # fn main() -> std::io::Result<()> {
/// let server = bind_datagram(&Address::from("127.0.0.1:0"), &Options::default())?;
/// let client = bind_datagram(&Address::from("127.0.0.1:0"), &Options::default())?;
/// send_to(&client, b"much too long", &server.local_addr()?)?;
/// # server.set_nonblocking(false)?;
/// let mut buffer = [0; 4];
/// let Datagram::Received { stored, length, .. } = receive_from(&server, &mut buffer)? else { panic!("none came") };
/// assert_eq!((&buffer[..stored], length), (&b"much"[..], 13));
/// # Ok(())
/// # }
/// ```
pub fn bind_datagram(address: &Address, options: &Options) -> io::Result<Socket> {
    first(address, options, "cannot bind", Socket::bind)
}

/// A non-blocking UDP socket that sends to and receives from one address only, and is told of its refusals (ICMP) as errors.
///
/// # Errors
/// The address is not known or a path; an option is refused; the error names it. Nobody is asked whether somebody is there.
pub fn connect_datagram(address: &Address, options: &Options) -> io::Result<Socket> {
    first(address, options, "cannot connect to", Socket::connect)
}

fn first(
    address: &Address,
    options: &Options,
    cannot: &str,
    attach: impl Fn(&Socket, &SockAddr) -> io::Result<()>,
) -> io::Result<Socket> {
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for candidate in address.resolve()? {
        outcome = make(candidate.domain()).and_then(|socket| {
            options.apply(&socket, Role::Datagram)?;
            attach(&socket, &candidate).map(|()| socket)
        });
        outcome = outcome.map_err(|error| about(format_args!("{cannot} {}", name(&candidate)), error));
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn make(domain: Domain) -> io::Result<Socket> {
    if domain == Domain::UNIX {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "datagrams go over UDP here, not over a path"));
    }
    sys::socket::new(domain, Type::DGRAM, Some(Protocol::UDP))
}

/// Receives one datagram.
///
/// # Errors
/// On a connected socket `ConnectionRefused` where an earlier one found nobody; what else recvfrom(2) says. A signal counts as
/// [`Datagram::Pending`].
pub fn receive_from(socket: &Socket, bytes: &mut [u8]) -> io::Result<Datagram> {
    match sys::socket::receive_from(socket, bytes) {
        Ok((length, from)) => Ok(Datagram::Received { stored: length.min(bytes.len()), length, from }),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(Datagram::Pending)
        }
        Err(error) => Err(error),
    }
}

/// Sends one datagram, whole or not at all.
///
/// # Errors
/// It is longer than the protocol allows (EMSGSIZE), or what else sendto(2) says; a full buffer counts as [`Transfer::Pending`].
pub fn send_to(socket: &Socket, bytes: &[u8], address: &SockAddr) -> io::Result<Transfer> {
    match socket.send_to(bytes, address) {
        Ok(n) => Ok(Transfer::Moved(n)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(Transfer::Pending)
        }
        Err(error) => Err(about(format_args!("cannot send {} bytes to {}", bytes.len(), name(address)), error)),
    }
}
