//! Answers that are not passed on: one with `X-Accel-Redirect` has the address of a location in place of content, often
//! an internal one, and the request goes on there; in place of another an error page answers.

use balance::Outcome;
use net::clock;
use route::ProxyRule;
use wire::Framing;

use crate::detour::Entry;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::log::escape;
use crate::request::{Routed, Served};
use crate::site::Held;
use crate::upstream::attempt::Answered;
use crate::upstream::passing::keep;
use crate::upstream::upload::Upload;
use crate::upstream::{fields, report, rewrite};

/// Whether the answer at hand asks for it.
pub(super) fn is_asked(exchange: &Exchange, rule: &ProxyRule) -> bool {
    fields::redirect(&exchange.response, exchange.from_upstream.data(), &rule.answer).is_some()
}

/// Whether an error page takes the place of the answer at hand (`proxy_intercept_errors`).
pub(super) fn is_intercepted(exchange: &Exchange, routed: &Routed<'_>, rule: &ProxyRule) -> bool {
    rule.intercept_errors && exchange.response.status >= 300 && routed.finish.page(exchange.response.status).is_some()
}

/// Has an error page answer in place of the server.
pub(super) fn intercept(
    connection: &Downstream,
    exchange: &mut Exchange,
    held: Held<'_>,
    answered: Answered,
    upload: &Upload,
) -> Served {
    let status = exchange.response.status;
    exchange.request.keep_alive &= upload.is_taken();
    if upload.has_begun {
        exchange.request.framing = Framing::None;
    }
    if status == 401 {
        keep_challenges(exchange);
    }
    leave(connection, exchange, held, answered, upload);
    Served::Status(status)
}

/// The client must learn how it can authenticate itself, whoever answers in the server's place.
pub(super) fn keep_challenges(exchange: &mut Exchange) {
    let head = exchange.from_upstream.data();
    for field in &exchange.response.fields {
        if field.name.of(head).eq_ignore_ascii_case(b"www-authenticate") {
            wire::encode::copied_field(&mut exchange.kept_fields, head, field);
        }
    }
}

/// Turns the request into one for that address, without a body and by GET (or HEAD), as nginx does.
pub(super) fn follow(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'_>,
    rule: &ProxyRule,
    held: Held<'_>,
    answered: Answered,
    upload: &Upload,
) -> Served {
    exchange.request.keep_alive &= upload.is_taken();
    routed.body_is_here = upload.is_taken();
    let entry = match read_target(exchange, routed, rule) {
        Ok(entry) => entry,
        Err((status, what)) => {
            let name = held.upstream.shared.group.peers()[held.peer].settings().name.as_str();
            connection.log_failure(exchange, routed, &what, Some(name));
            let _ = held.release(Outcome::Success, clock::coarse_ms());
            return Served::Status(status);
        }
    };
    rewrite::prepare(connection, exchange, routed, rule);
    fields::keep(exchange, &rule.answer);
    leave(connection, exchange, held, answered, upload);
    exchange.request.framing = Framing::None;
    exchange.request.upgrade = false;
    exchange.record.detour.is_internal = true;
    exchange.record.detour.is_get = true;
    exchange.record.detour.has_left = false;
    exchange.forget_body();
    exchange.prepare_again();
    Served::Moved(entry)
}

/// Gives the server back without passing its answer on.
fn leave(connection: &Downstream, exchange: &mut Exchange, held: Held<'_>, answered: Answered, upload: &Upload) {
    let (upstream, peer, now_ms) = (held.upstream, held.peer, clock::coarse_ms());
    // An answer without content is read to its end; the rest of any other is nobody's business.
    let is_empty = matches!(exchange.response.framing, Framing::None | Framing::Length(0));
    exchange.from_upstream.consume(answered.head_length);
    if is_empty && upload.is_done {
        keep(upstream, peer, answered.link, exchange, now_ms);
    }
    let transition = held.release(Outcome::Success, now_ms);
    report(connection, upstream, transition, "");
}

/// Puts the address into the exchange, and says where the request goes on; else the status to answer with, and why.
fn read_target(exchange: &mut Exchange, routed: &Routed<'_>, rule: &ProxyRule) -> Result<Entry, (u16, String)> {
    let Exchange { response, from_upstream, path, record, .. } = exchange;
    let value = fields::redirect(response, from_upstream.data(), &rule.answer).unwrap_or_default();
    // In the log it stands within quotes.
    let mut shown = Vec::new();
    escape(value, &mut shown);
    let shown = String::from_utf8_lossy(&shown);
    let doing = "while reading response header from upstream";
    if let Some(name) = value.strip_prefix(b"@") {
        let entry = routed.server.named_location(name).map(Entry::Named);
        return entry.ok_or_else(|| (500, format!("could not find named location \"{shown}\" {doing}")));
    }
    route::internal_target(value, path, &mut record.detour.args)
        .map_err(|_| (404, format!("unsafe URI \"{shown}\" was detected {doing}")))?;
    record.detour.is_changed = true;
    Ok(Entry::Server)
}
