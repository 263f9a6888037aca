//! Where to listen and whom to dial: a host and a port or a path, or a text that says so.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use socket2::{SockAddr, Socket};

use crate::error::about;

/// An address to listen on or to dial.
///
/// It is made from a `SocketAddr`, from a host and a port, or from a text: `HOST:PORT`, or `unix:PATH` for a Unix-domain socket. What is wrong
/// with it comes up where it is used, as an error that names it. As in Python an empty host is every IPv4 interface, `0.0.0.0`.
///
/// ```
/// use selkey::socket::Address;
///
/// assert_eq!(Address::from(("localhost", 80)).to_string(), "localhost:80");
/// assert_eq!(Address::from(("", 80)).to_string(), "0.0.0.0:80");
/// assert_eq!(Address::from("[::1]:80").to_string(), "[::1]:80");
/// assert_eq!(Address::from("unix:/tmp/echo").path().unwrap(), "/tmp/echo");
/// assert!(Address::from("nonsense").resolve().unwrap_err().to_string().contains("nonsense"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Socket(SocketAddr),
    Name(String, u16),
    /// A name that was looked up.
    Known(String, Vec<SocketAddr>),
    Path(PathBuf),
    Unreadable(String),
}

impl Address {
    /// The socket addresses meant, in the order in which they are to be tried. A name is looked up, which may block.
    ///
    /// # Errors
    /// The text is not an address, the name is not known, or the path is too long for a socket (107 bytes on Linux); all name it.
    pub fn resolve(&self) -> io::Result<Vec<SockAddr>> {
        self.look_up().map_err(|error| about(format_args!("address {self}"), error))
    }

    fn look_up(&self) -> io::Result<Vec<SockAddr>> {
        let found: Vec<SocketAddr> = match &self.0 {
            Kind::Socket(address) => vec![*address],
            Kind::Known(_, addresses) => addresses.clone(),
            Kind::Name(host, port) => (host.as_str(), *port).to_socket_addrs()?.collect(),
            Kind::Path(path) => return Ok(vec![SockAddr::unix(path)?]),
            Kind::Unreadable(_) => {
                let expected = "not an address, expected HOST:PORT or unix:PATH";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, expected));
            }
        };
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found.into_iter().map(SockAddr::from).collect())
    }

    /// The same address with its name looked up, so that using it many times looks it up once.
    ///
    /// # Errors
    /// As [`resolve`](Address::resolve).
    pub fn resolved(&self) -> io::Result<Address> {
        Ok(match &self.0 {
            Kind::Name(..) => {
                let found = self.resolve()?.iter().filter_map(SockAddr::as_socket).collect();
                Address(Kind::Known(self.to_string(), found))
            }
            _ => self.clone(),
        })
    }

    /// The path of a Unix-domain address.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Path(path) => Some(path),
            _ => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Socket(address) => address.fmt(f),
            Kind::Name(host, port) => write!(f, "{host}:{port}"),
            Kind::Path(path) => write!(f, "unix:{}", path.display()),
            Kind::Known(text, _) | Kind::Unreadable(text) => f.write_str(text),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address(Kind::Socket(address))
    }
}

/// Several addresses of one host, tried in turn as those of a name are.
impl From<Vec<SocketAddr>> for Address {
    fn from(addresses: Vec<SocketAddr>) -> Address {
        let texts: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        Address(Kind::Known(texts.join(" or "), addresses))
    }
}

impl From<(&str, u16)> for Address {
    fn from((host, port): (&str, u16)) -> Address {
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match bare.parse() {
            Ok(ip) => SocketAddr::new(ip, port).into(),
            Err(_) => Address(Kind::Name(host.to_owned(), port)),
        }
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Address {
        if let Some(path) = text.strip_prefix("unix:") {
            return Path::new(path).into();
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return address.into();
        }
        match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) if !host.contains(':') => (host, port).into(),
            _ => Address(Kind::Unreadable(text.to_owned())),
        }
    }
}

impl From<String> for Address {
    fn from(text: String) -> Address {
        text.as_str().into()
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Address {
        Address(Kind::Path(path.to_owned()))
    }
}

/// The address of the peer as text; empty where it has none (any more).
pub fn peer_name(socket: &Socket) -> String {
    socket.peer_addr().map_or_else(|_| String::new(), |address| name(&address))
}

/// The socket's own address as text; empty where it has none.
pub fn local_name(socket: &Socket) -> String {
    socket.local_addr().map_or_else(|_| String::new(), |address| name(&address))
}

/// A socket address as text: `127.0.0.1:80`, `[::1]:80`, `unix:/tmp/echo`, and `unix:` for a Unix-domain socket without a name.
pub fn name(address: &SockAddr) -> String {
    match address.as_socket() {
        Some(address) => address.to_string(),
        None => format!("unix:{}", address.as_pathname().unwrap_or(Path::new("")).display()),
    }
}
