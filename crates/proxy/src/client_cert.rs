//! Whether a client may ask a server that wants certificates: nginx's statuses 421, 495 and 496.
//!
//! A certificate counts for the server that asked for it in the handshake. One that another server has asked for, by
//! other rules, counts for nothing here, whoever stands for it.

use conf::tree::VerifyClient;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::facts::without_port;
use crate::request::Routed;

/// The certificate is no good.
pub(crate) const BAD: u16 = 495;
/// There is none.
pub(crate) const MISSING: u16 = 496;
/// The handshake was made for another server (RFC 9110 15.5.20).
const MISDIRECTED: u16 = 421;

/// Why a request to a server that asks for certificates is not served, if it is not.
pub(crate) fn refusal(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> Option<u16> {
    let client = &connection.client;
    // As in nginx, where a listener speaks no TLS nobody can show a certificate, and nobody is asked for one.
    if !client.is_tls || client.lacks_tls {
        return None;
    }
    let check = routed.site.snapshot.client_check(routed.server.index)?;
    let tls = client.tls.as_ref();
    let name = tls.and_then(|tls| tls.server_name());
    let host = exchange.request.host.map_or(&b""[..], |host| without_port(host.of(connection.head_bytes())));
    let host = host.strip_suffix(b".").unwrap_or(host);
    let is_other = name.is_some_and(|name| !host.is_empty() && !name.as_bytes().eq_ignore_ascii_case(host));
    let checked = tls.and_then(|tls| tls.checked.as_ref());
    let is_asked_here = checked.filter(|checked| check.is_same(checked));
    let is_shown = checked.is_some_and(|checked| checked.shown.is_some());
    let (status, what) = if is_other {
        let what = "client attempted to request the server name different from the one that was negotiated";
        (MISDIRECTED, what.to_owned())
    } else if !is_shown && check.verify == VerifyClient::On {
        (MISSING, "client sent no required SSL certificate".to_owned())
    } else if !is_shown {
        return None;
    } else if let Some(checked) = is_asked_here {
        (BAD, format!("client SSL certificate verify error: ({})", checked.fault()?))
    } else {
        (MISDIRECTED, "the client's certificate was asked for by another server's rules".to_owned())
    };
    connection.log_info(exchange, routed, &what);
    exchange.request.keep_alive = false;
    Some(status)
}
