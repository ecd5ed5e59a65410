//! Where a `proxy_pass` with variables leads: the address that its text comes to, and the servers behind that.
//!
//! What the text says is the configuration's business, and may be the client's: so it is read as strictly as an
//! address in the configuration.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use net::clock;
use net::dial::Endpoint;
use net::resolver::Failure;
use route::host_and_port;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::request::Routed;
use crate::site::Upstream;

/// The longest name that DNS knows.
const NAME_MAX: usize = 253;
/// The longest path of a unix socket that Linux has room for.
const UNIX_PATH_MAX: usize = 107;

/// What the text of a `proxy_pass` came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proxied {
    /// `$proxy_host`.
    pub(crate) host: String,
    /// `$proxy_port`.
    pub(crate) port: String,
    /// The path and arguments, if there are any.
    pub(crate) uri: Option<Vec<u8>>,
    pub(crate) is_tls: bool,
    authority: Authority,
}

#[derive(Debug, PartialEq, Eq)]
enum Authority {
    /// A host, and the port if one is written.
    Host(String, Option<u16>),
    Unix(String),
}

/// The servers that a request goes to.
pub(super) enum Found<'a> {
    /// Those of an upstream of the configuration.
    Upstream(usize, &'a Upstream),
    /// Those that a name stands for.
    Own(Box<Upstream>),
}

impl Found<'_> {
    pub(super) fn upstream(&self) -> (Option<usize>, &Upstream) {
        match self {
            Self::Upstream(index, upstream) => (Some(*index), upstream),
            Self::Own(upstream) => (None, upstream),
        }
    }
}

/// Reads what the text came to; else what is wrong with it.
pub(super) fn read(text: &[u8]) -> Result<Proxied, String> {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let text = std::str::from_utf8(text).map_err(|_| format!("invalid URL \"{}\"", shown()))?;
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let is_tls = scheme.eq_ignore_ascii_case("https");
    if !is_tls && !scheme.eq_ignore_ascii_case("http") {
        return Err(format!("invalid URL prefix in \"{text}\""));
    }
    if let Some(path) = rest.strip_prefix("unix:") {
        let (path, uri) = path.split_once(':').unwrap_or((path, ""));
        if path.is_empty() || path.len() > UNIX_PATH_MAX {
            return Err(format!("no path in the unix domain socket in upstream \"{rest}\""));
        }
        let (host, authority) = ("localhost".to_owned(), Authority::Unix(path.to_owned()));
        return Ok(Proxied { host, port: String::new(), uri: uri_of(uri), is_tls, authority });
    }
    let (written, uri) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (name, port) = split(written).ok_or_else(|| format!("invalid port in upstream \"{written}\""))?;
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(format!("no host in upstream \"{written}\""));
    }
    let is_word = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'@' | b'\\' | b'<' | b'>');
    if !name.bytes().all(is_word) {
        return Err(format!("invalid host in upstream \"{written}\""));
    }
    let authority = Authority::Host(name.to_owned(), port);
    let (host, port) = host_and_port(written, if is_tls { "443" } else { "80" });
    Ok(Proxied { host, port, uri: uri_of(uri), is_tls, authority })
}

/// Host, and port if one is written; nothing where that is none.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = if authority.starts_with('[') { authority.find(']').map_or(0, |end| end + 1) } else { 0 };
    let Some(colon) = authority[host_end..].find(':').map(|at| host_end + at) else { return Some((authority, None)) };
    let digits = &authority[colon + 1..];
    let port = digits.parse().ok().filter(|port| *port > 0 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((&authority[..colon], Some(port)))
}

fn uri_of(uri: &str) -> Option<Vec<u8>> {
    match uri.bytes().next() {
        None => None,
        Some(b'?') => Some(format!("/{uri}").into_bytes()),
        Some(_) => Some(uri.as_bytes().to_vec()),
    }
}

/// Finds the servers; else what is wrong, for the log.
pub(super) async fn find<'a>(
    connection: &Downstream,
    exchange: &Exchange,
    routed: &Routed<'a>,
    resolver: Option<usize>,
) -> Result<Found<'a>, String> {
    let Some(proxied) = &exchange.record.proxied else { return Err("no upstream".to_owned()) };
    let own_port = if proxied.is_tls { 443 } else { 80 };
    let site = routed.site;
    let (name, port) = match &proxied.authority {
        Authority::Unix(path) => return Ok(own(path, vec![Endpoint::Unix(Arc::from(Path::new(path)))])),
        Authority::Host(name, port) => (name, *port),
    };
    if let Some(index) = site.snapshot.router.upstream_named(name, port, own_port) {
        return Ok(Found::Upstream(index, &site.upstreams[index]));
    }
    let port = port.unwrap_or(own_port);
    let ip = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if let Ok(ip) = ip.parse::<IpAddr>() {
        return Ok(own(name, vec![Endpoint::Ip(SocketAddr::new(ip, port))]));
    }
    let Some(resolver) = resolver else { return Err(format!("no resolver defined to resolve {name}")) };
    let addresses = resolve(connection, routed, resolver, name).await;
    let addresses = addresses.map_err(|failure| format!("{name} could not be resolved ({failure})"))?;
    // As in nginx, each request begins with another one.
    let turn = connection.thread.random.borrow_mut().number() as usize % addresses.len().max(1);
    let in_turn = addresses.iter().cycle().skip(turn).take(addresses.len());
    Ok(own(name, in_turn.map(|ip| Endpoint::Ip(SocketAddr::new(*ip, port))).collect()))
}

fn own<'a>(name: &str, endpoints: Vec<Endpoint>) -> Found<'a> {
    Found::Own(Box::new(Upstream::of_addresses(name, endpoints)))
}

/// The addresses of a name: those that are known, else those that the resolver finds.
async fn resolve(
    connection: &Downstream,
    routed: &Routed<'_>,
    resolver: usize,
    name: &str,
) -> Result<Arc<[IpAddr]>, Failure> {
    let site = routed.site;
    let now_ms = clock::coarse_ms();
    if let Some(known) = site.names.borrow().known(resolver, name, now_ms) {
        return Ok(known);
    }
    let Some((way, settings)) = site.snapshot.resolver(resolver) else { return Err(Failure::Busy) };
    // The resolver keeps to `resolver_timeout` by itself.
    connection.deadline.clear();
    let answer = way.lookup(&settings, name).await?;
    let addresses: Arc<[IpAddr]> = answer.addresses.into();
    site.names.borrow_mut().learn(resolver, name, &addresses, clock::coarse_ms().saturating_add(answer.valid_ms));
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn texts_are_addresses() {
        let read = |text: &str| read(text.as_bytes()).unwrap();
        let host = |name: &str, port| Authority::Host(name.to_owned(), port);
        let table: &[(&str, &str, &str, Option<&str>, Authority)] = &[
            ("http://app", "app", "80", None, host("app", None)),
            ("HTTPS://app", "app", "443", None, host("app", None)),
            ("https://app:443/x?y", "app", "443", Some("/x?y"), host("app", Some(443))),
            ("http://app:81?y", "app:81", "81", Some("/?y"), host("app", Some(81))),
            ("http://[::1]:81/", "[::1]:81", "81", Some("/"), host("[::1]", Some(81))),
            ("http://[::1]", "[::1]", "80", None, host("[::1]", None)),
            ("http://unix:/run/a:/x", "localhost", "", Some("/x"), Authority::Unix("/run/a".to_owned())),
            ("http://unix:/run/a", "localhost", "", None, Authority::Unix("/run/a".to_owned())),
        ];
        for (text, host, port, uri, authority) in table {
            let found = read(text);
            assert_eq!((found.host.as_str(), found.port.as_str()), (*host, *port), "{text}");
            assert_eq!(found.uri.as_deref(), uri.map(str::as_bytes), "{text}");
            assert_eq!(&found.authority, authority, "{text}");
            assert_eq!(found.is_tls, text.to_lowercase().starts_with("https"), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "app", "ftp://app", "http://", "http://:80", "http:///x", "http://a:0", "http://a:x"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        for text in ["http://a:65536", "http://a b/", "http://a@b/", "http://unix:", "http://a\r\nb/", "http://[::1/"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"http://\xff/").is_err());
    }
}
