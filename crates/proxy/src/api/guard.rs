//! Who may use `api`, and see pages about the balancer. A web page in a browser on this host must not: neither by a
//! name of its own that leads here (DNS rebinding), nor by requests to this address (cross-site request forgery).
//! Changes ask for more than to be reachable.

use std::net::IpAddr;

use route::{Gates, Server};
use wire::RequestHead;

use super::fault::{Fault, told};
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::facts::without_port;
use crate::request::Routed;

/// Refuses requests that a web page may have made.
pub(crate) fn check(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>) -> Result<(), &'static str> {
    let head = connection.head_bytes();
    let host = exchange.request.host.map_or(&b""[..], |host| host.of(head));
    if origins(&exchange.request, head).any(|origin| !is_own(origin, host)) {
        return Err("a request of another origin is refused");
    }
    // No page reaches a unix socket.
    if connection.client.is_unix() || is_known(host, routed.server) {
        return Ok(());
    }
    Err("the host is neither an address, nor localhost, nor a name of this server (server_name)")
}

/// Refuses changes by whoever has not shown who they are: they need a unix socket, whose file says who may, or a
/// password and an address that may enter.
pub(super) fn check_change(connection: &Downstream, gates: Option<&Gates>) -> Result<(), Fault> {
    if connection.client.is_unix() || gates.is_some_and(Gates::are_safe_for_changes) {
        return Ok(());
    }
    Err(forbidden("changes need a unix socket, or auth_basic together with allow and deny, in this location"))
}

pub(super) fn forbidden(text: &str) -> Fault {
    told(403, "Forbidden", text)
}

fn origins<'h>(request: &'h RequestHead, head: &'h [u8]) -> impl Iterator<Item = &'h [u8]> {
    let fields = request.fields.iter().filter(|field| field.name.of(head).eq_ignore_ascii_case(b"origin"));
    fields.map(|field| field.value.of(head))
}

/// Whether an origin is the host that the request was sent to.
fn is_own(origin: &[u8], host: &[u8]) -> bool {
    let behind = |scheme: &[u8], port: &[u8]| {
        let authority = origin.strip_prefix(scheme)?;
        // A browser leaves out the scheme's own port in both.
        let bare = |authority: &[u8]| authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
        Some(!authority.is_empty() && bare(authority) == bare(host))
    };
    behind(b"http://", b":80").or_else(|| behind(b"https://", b":443")).unwrap_or(false)
}

/// Whether a host is one that nobody else can make lead here.
fn is_known(host: &[u8], server: &Server) -> bool {
    let Ok(name) = std::str::from_utf8(without_port(host)) else { return false };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    is_address || name == "localhost" || (!name.is_empty() && server.names.iter().any(|own| is_name(own, &name)))
}

/// Whether a server's name means a host. One with a regular expression is not looked at: it may mean any.
fn is_name(own: &str, host: &str) -> bool {
    match (own.strip_prefix("*."), own.strip_prefix('.')) {
        (Some(rest), _) => host.strip_suffix(rest).is_some_and(|front| front.len() > 1 && front.ends_with('.')),
        (_, Some(rest)) => host == rest || host.strip_suffix(rest).is_some_and(|front| front.ends_with('.')),
        _ => own == host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_with_the_host() {
        let table = [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
            ("http://a.test", "a.test:80", true),
            ("https://A.test:443", "a.test", true),
            ("http://a.test:8080", "a.test", false),
            ("http://evil.test", "a.test", false),
            ("https://a.test.evil.test", "a.test", false),
            ("http://", "", false),
            ("null", "null", false),
            ("", "", false),
            ("file://a.test", "a.test", false),
        ];
        for (origin, host, expected) in table {
            assert_eq!(is_own(origin.as_bytes(), host.as_bytes()), expected, "{origin} at {host}");
        }
    }

    #[test]
    fn names_mean_hosts() {
        let table = [
            ("a.test", "a.test", true),
            ("a.test", "b.a.test", false),
            ("*.a.test", "b.a.test", true),
            ("*.a.test", "a.test", false),
            ("*.a.test", ".a.test", false),
            (".a.test", "a.test", true),
            (".a.test", "b.a.test", true),
            (".a.test", "ba.test", false),
            ("~^(.+)$", "evil.test", false),
            ("www.a.*", "www.a.evil.test", false),
            ("", "evil.test", false),
        ];
        for (own, host, expected) in table {
            assert_eq!(is_name(own, host), expected, "{own} for {host}");
        }
    }
}
