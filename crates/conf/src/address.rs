//! Addresses as configurations write them: `80`, `10.0.0.1:9080`, `[::1]:80`, `app.internal`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use thiserror::Error;

/// An address that may still have to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Socket(SocketAddr),
    Name {
        host: String,
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum AddressError {
    #[error("the host is missing")]
    NoHost,
    #[error("the port must be a number from {0} to 65535")]
    Port(u16),
    #[error("this is no IPv6 address in brackets")]
    Bracket,
    #[error("this is no host name")]
    Host,
    #[error("the path of a unix socket has 1 to {UNIX_PATH_MAX} bytes")]
    UnixPath,
}

/// What `listen` takes: a port alone is for all IPv4 addresses, and 0 lets the system choose one.
pub(crate) fn parse_listen(text: &str) -> Result<Address, AddressError> {
    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    if text.starts_with("unix:") {
        return parse_peer(text, 80);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Address::Socket(SocketAddr::new(ANY, port(text, 0)?)));
    }
    match text.strip_prefix('*') {
        Some("") => Ok(Address::Socket(SocketAddr::new(ANY, 80))),
        Some(rest) => {
            let digits = rest.strip_prefix(':').ok_or(AddressError::Host)?;
            Ok(Address::Socket(SocketAddr::new(ANY, port(digits, 0)?)))
        }
        None => parse_with(text, 80, 0),
    }
}

/// The longest path of a unix socket that Linux has room for.
const UNIX_PATH_MAX: usize = 107;

/// What a `server` of an upstream and `proxy_pass` take.
pub(crate) fn parse_peer(text: &str, default_port: u16) -> Result<Address, AddressError> {
    if let Some(path) = text.strip_prefix("unix:") {
        let fits = (1..=UNIX_PATH_MAX).contains(&path.len());
        return if fits { Ok(Address::Unix(PathBuf::from(path))) } else { Err(AddressError::UnixPath) };
    }
    parse_with(text, default_port, 1)
}

/// The host without the port, and whether a port was written.
pub(crate) fn split_host(text: &str) -> (&str, bool) {
    if text.starts_with('[') {
        let end = text.find(']').map_or(text.len(), |bracket| bracket + 1);
        return (&text[..end], text[end..].starts_with(':'));
    }
    text.split_once(':').map_or((text, false), |(host, _)| (host, true))
}

fn parse_with(text: &str, default_port: u16, least_port: u16) -> Result<Address, AddressError> {
    if let Some(inner) = text.strip_prefix('[') {
        let (ip, rest) = inner.split_once(']').ok_or(AddressError::Bracket)?;
        let ip: Ipv6Addr = ip.parse().map_err(|_| AddressError::Bracket)?;
        let port = match rest.strip_prefix(':') {
            Some(digits) => port(digits, least_port)?,
            None if rest.is_empty() => default_port,
            None => return Err(AddressError::Bracket),
        };
        return Ok(Address::Socket(SocketAddr::new(ip.into(), port)));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, digits)) => (host, port(digits, least_port)?),
        None => (text, default_port),
    };
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(Address::Socket(SocketAddr::new(ip.into(), port)));
    }
    if !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Err(AddressError::Host);
    }
    Ok(Address::Name { host: host.to_owned(), port })
}

fn port(digits: &str, least: u16) -> Result<u16, AddressError> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressError::Port(least));
    }
    digits.parse().ok().filter(|port| *port >= least).ok_or(AddressError::Port(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(text: &str) -> Result<Address, AddressError> {
        Ok(Address::Socket(text.parse().expect("an address of this table")))
    }

    #[test]
    fn listens() {
        let name = Address::Name { host: "localhost".into(), port: 80 };
        let table = [
            ("80", socket("0.0.0.0:80")),
            ("0", socket("0.0.0.0:0")),
            ("*:8080", socket("0.0.0.0:8080")),
            ("*", socket("0.0.0.0:80")),
            ("127.0.0.1", socket("127.0.0.1:80")),
            ("127.0.0.1:8443", socket("127.0.0.1:8443")),
            ("[::]:80", socket("[::]:80")),
            ("[::1]", socket("[::1]:80")),
            ("localhost", Ok(name)),
            ("65536", Err(AddressError::Port(0))),
            ("127.0.0.1:", Err(AddressError::Port(0))),
            ("127.0.0.1:+80", Err(AddressError::Port(0))),
            ("[::1:80", Err(AddressError::Bracket)),
            ("[::1]80", Err(AddressError::Bracket)),
            ("[1.2.3.4]:80", Err(AddressError::Bracket)),
            (":80", Err(AddressError::NoHost)),
            ("", Err(AddressError::NoHost)),
            ("a/b", Err(AddressError::Host)),
        ];
        for (text, expected) in table {
            assert_eq!(parse_listen(text), expected, "{text:?}");
        }
    }

    #[test]
    fn peers() {
        assert_eq!(parse_peer("10.0.0.1:9080", 80), socket("10.0.0.1:9080"));
        assert_eq!(parse_peer("10.0.0.1", 80), socket("10.0.0.1:80"));
        assert_eq!(parse_peer("10.0.0.1:0", 80), Err(AddressError::Port(1)));
        assert_eq!(parse_peer("app:81", 80), Ok(Address::Name { host: "app".into(), port: 81 }));
        assert_eq!(parse_peer("unix:/run/a.sock", 80), Ok(Address::Unix("/run/a.sock".into())));
        assert_eq!(parse_peer("unix:", 80), Err(AddressError::UnixPath));
        assert_eq!(split_host("[::1]:80"), ("[::1]", true));
        assert_eq!(split_host("app"), ("app", false));
    }
}
