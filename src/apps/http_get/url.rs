//! `http://HOST[:PORT]/PATH`, read strictly: nothing is guessed and nothing repaired.

use std::net::Ipv6Addr;
use std::str::FromStr;
use std::{fmt, io};

use crate::socket::Address;

const DEFAULT_PORT: u16 = 80;

/// What to ask, and whom.
///
/// A host is a name or an address, IPv6 in brackets; the port is 80 where none is given; a fragment is not sent, so it is dropped. There is no user
/// name, no other scheme, and nothing but printable ASCII: what else a path has is written as `%XX`.
///
/// ```
/// use selkey::apps::http_get::Url;
///
/// let url: Url = "http://[::1]:8000/docs/index.html?all#top".parse().unwrap();
/// assert_eq!(url.to_string(), "http://[::1]:8000/docs/index.html?all");
/// assert_eq!(url.name(), Some("index.html"));
/// assert!("http://127.0.0.1/\r\nHost: other".parse::<Url>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// IPv6 in brackets.
    host: String,
    port: u16,
    /// Path and query as they are sent.
    target: String,
}

impl Url {
    /// Where the server listens.
    pub fn address(&self) -> Address {
        (self.host.as_str(), self.port).into()
    }

    /// The last part of the path, a name for what is fetched; `None` where that is empty, `.` or `..`.
    pub fn name(&self) -> Option<&str> {
        let path = self.target.split('?').next()?;
        path.rsplit('/').next().filter(|name| !["", ".", ".."].contains(name))
    }

    /// HTTP/1.1 with what it demands, and that the body comes as it is and the server closes behind it.
    pub(super) fn request(&self) -> String {
        let (target, host) = (&self.target, self.authority());
        let agent = concat!("selkey/", env!("CARGO_PKG_VERSION"));
        format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
        )
    }

    fn authority(&self) -> String {
        if self.port == DEFAULT_PORT { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.target)
    }
}

impl FromStr for Url {
    /// `InvalidInput`, which says what is wrong.
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Url> {
        read(text).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))
    }
}

fn read(text: &str) -> Result<Url, String> {
    // A line end would end the request's line, and the rest would be a header of the URL's choice.
    if let Some(strange) = text.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("{strange:?} cannot stand in a URL, where it is written as %XX"));
    }
    let (scheme, rest) = text.split_once("://").ok_or("expected http://HOST[:PORT]/PATH")?;
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(format!("{} is not spoken, only plain http", scheme.to_ascii_lowercase()));
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (host, port) = split(authority)?;
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok(Url { host: host.to_owned(), port, target: format!("{slash}{target}") })
}

fn split(authority: &str) -> Result<(&str, u16), String> {
    if authority.contains('@') {
        return Err("a user name in a URL is not understood".to_owned());
    }
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']').map(|at| at + 2).ok_or("']' is missing after the IPv6 address")?,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(bare) if bare.parse::<Ipv6Addr>().is_err() => return Err(format!("'{bare}' is not an IPv6 address")),
        None if host.is_empty() => return Err("the host is missing: http://HOST[:PORT]/PATH".to_owned()),
        None if !host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) => {
            return Err(format!("'{host}' is not a host"));
        }
        _ => {}
    }
    // RFC 3986, 3.2.3: the port may be left empty.
    if ["", ":"].contains(&port) {
        return Ok((host, DEFAULT_PORT));
    }
    let digits = port.strip_prefix(':').ok_or_else(|| format!("'{port}' stands behind the host, where :PORT may"))?;
    match digits.parse() {
        Ok(port) if port > 0 && digits.bytes().all(|digit| digit.is_ascii_digit()) => Ok((host, port)),
        _ => Err(format!("the port '{digits}' is not a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_whom() {
        for (text, target, host, address, name) in [
            ("http://127.0.0.1", "/", "127.0.0.1", "127.0.0.1:80", None),
            ("http://127.0.0.1:80/a", "/a", "127.0.0.1", "127.0.0.1:80", Some("a")),
            ("HTTP://example.org:/", "/", "example.org", "example.org:80", None),
            ("http://a_b-c.d:8000?q=/x#y", "/?q=/x", "a_b-c.d:8000", "a_b-c.d:8000", None),
            ("http://[::1]/a/b%20c?q", "/a/b%20c?q", "[::1]", "[::1]:80", Some("b%20c")),
            ("http://[::ffff:127.0.0.1]:8/..", "/..", "[::ffff:127.0.0.1]:8", "[::ffff:127.0.0.1]:8", None),
            ("http://h/a:b@c//d", "/a:b@c//d", "h", "h:80", Some("d")),
            ("http://h/#/x", "/", "h", "h:80", None),
        ] {
            let url: Url = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((url.address().to_string(), url.name()), (address.to_owned(), name), "{text}");
            let start = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n");
            assert!(url.request().starts_with(&start), "{text}: {}", url.request());
            assert!(url.request().ends_with("\r\nConnection: close\r\n\r\n"));
        }
    }

    #[test]
    fn what_is_no_url_is_refused_and_nothing_gets_into_the_request() {
        for text in [
            "",
            "h",
            "http:",
            "http:/h",
            "//h/",
            "http://",
            "http:///a",
            "http://:80/",
            "http://#h",
            "https://h/",
            "ftp://h/",
            "http://u@h/",
            "http://u:p@h/",
            "http://h:0/",
            "http://h:65536/",
            "http://h:-1/",
            "http://h:+1/",
            "http://h:1:2/",
            "http://::1/",
            "http://[::1/",
            "http://[]/",
            "http://[h]/",
            "http://[::1]80/",
            "http://[::1%25lo]/",
            "http://h%41/",
            "http://h\\a/",
            "http://h,i/",
            " http://h/",
            "http://h/ ",
            "http://h/a b",
            "http://h/\t",
            "http://h/\r\nA: b",
            "http://h/\n",
            "http://h/\0",
            "http://h/\x7f",
            "http://h/\u{e9}",
            "http://h\r\n/",
            "http://h/#\r\n",
        ] {
            let error = text.parse::<Url>().expect_err(text);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(!error.to_string().contains(|c: char| c.is_control()), "{error:?}");
        }
    }
}
