//! `X-Accel-Redirect`: a server answers with the address of a location in place of content, often an internal one, and
//! the request goes on there.

use balance::Outcome;
use net::clock;
use route::ProxyRule;
use wire::Framing;

use crate::answer;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::log::escape;
use crate::request::{Routed, Served};
use crate::site::Held;
use crate::upstream::attempt::Answered;
use crate::upstream::upload::Upload;
use crate::upstream::{fields, keep, report, rewrite};

/// Whether the answer at hand asks for it.
pub(super) fn is_asked(exchange: &Exchange, rule: &ProxyRule) -> bool {
    fields::redirect(&exchange.response, exchange.from_upstream.data(), &rule.answer).is_some()
}

/// Turns the request into one for that address, without a body and by GET (or HEAD), as nginx does.
pub(super) async fn follow(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'_>,
    rule: &ProxyRule,
    held: Held<'_>,
    answered: Answered,
    upload: &Upload,
) -> Served {
    exchange.request.keep_alive &= upload.is_taken();
    routed.body_is_here = upload.is_taken();
    let found = read_target(exchange, rule);
    if let Err((status, what)) = &found {
        let name = held.upstream.shared.group.peers()[held.peer].settings().name.as_str();
        connection.log_failure(exchange, routed, what, Some(name));
        let status = *status;
        let _ = held.release(Outcome::Success, clock::coarse_ms());
        return Served::Done(answer::page(connection, exchange, routed, status).await);
    }
    rewrite::prepare(connection, exchange, routed, rule);
    fields::keep(exchange, &rule.answer);
    let (upstream, peer, now_ms) = (held.upstream, held.peer, clock::coarse_ms());
    // An answer without content is read to its end; the rest of any other is nobody's business.
    let is_empty = matches!(exchange.response.framing, Framing::None | Framing::Length(0));
    exchange.from_upstream.consume(answered.head_length);
    if is_empty && upload.is_done {
        keep(upstream, peer, answered.link, exchange, now_ms);
    }
    let transition = held.release(Outcome::Success, now_ms);
    report(connection, upstream, transition, "");
    exchange.request.framing = Framing::None;
    exchange.request.upgrade = false;
    exchange.prepare_again();
    Served::Redirected
}

/// Puts the address into the exchange; else the status to answer with, and why.
fn read_target(exchange: &mut Exchange, rule: &ProxyRule) -> Result<(), (u16, String)> {
    let Exchange { response, from_upstream, path, record, .. } = exchange;
    let value = fields::redirect(response, from_upstream.data(), &rule.answer).unwrap_or_default();
    // In the log it stands within quotes.
    let mut shown = Vec::new();
    escape(value, &mut shown);
    let shown = String::from_utf8_lossy(&shown);
    if value.first() == Some(&b'@') {
        let doing = "while reading response header from upstream (named locations are not served yet)";
        return Err((500, format!("could not find named location \"{shown}\" {doing}")));
    }
    route::internal_target(value, path, &mut record.internal_target)
        .map_err(|_| (404, format!("unsafe URI \"{shown}\" was detected while reading response header from upstream")))
}
