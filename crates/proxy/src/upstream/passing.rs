//! An answer on its way to the client, and what becomes of its server and connection afterwards.

use balance::Outcome;
use net::clock;
use route::ProxyRule;

use crate::downstream::{After, Downstream};
use crate::exchange::Exchange;
use crate::lines;
use crate::pace::Pace;
use crate::request::{Routed, Served};
use crate::site::{Held, Upstream};
use crate::upstream::attempt::Answered;
use crate::upstream::pool::Link;
use crate::upstream::relay::{Relay, RelayError};
use crate::upstream::upload::Upload;
use crate::upstream::{affinity, attempt, fields, redirect, report, rewrite, tunnel};

/// Passes the answer on.
pub(super) async fn pass_on(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'_>,
    rule: &ProxyRule,
    held: Held<'_>,
    answered: Answered,
    upload: &mut Upload,
) -> Served {
    let Answered { mut link, head_length, .. } = answered;
    if exchange.record.detour.is_subrequest && exchange.response.status == 401 {
        redirect::keep_challenges(exchange);
    }
    if exchange.response.upgrade {
        let tunnel = tunnel::run(connection, exchange, routed, rule, &mut link, head_length);
        // In a box, as all that is rare: an idle connection's task must not be larger for it.
        let end = Box::pin(tunnel).await;
        return Served::Done(finish_tunnel(connection, exchange, routed, held, &end));
    }
    routed.body_is_here = upload.is_taken();
    rewrite::prepare(connection, exchange, routed, rule);
    let pace = pace(connection, exchange, routed, rule);
    let (early, uploaded) = (exchange.from_upstream.len() - head_length, upload.sent);
    let (mut relay, mut keep_alive) = match Relay::start(connection, exchange, routed, &rule.answer, head_length, pace)
    {
        Ok(started) => started,
        Err(error) => return unusable(connection, exchange, routed, held, &error),
    };
    let relayed = if exchange.record.detour.is_subrequest {
        // Its head is all that was asked for: the body may be long in coming, or never end.
        relay.put_away(exchange);
        Ok(())
    } else {
        attempt::relay(connection, exchange, routed, rule, &mut link, &mut relay, upload).await
    };
    let is_read = relay.is_read();
    exchange.record.sent = relay.sent;
    exchange.record.gzip = relay.compressed();
    keep_alive &= upload.is_taken();
    let now_ms = clock::coarse_ms();
    if let Some(attempt) = exchange.record.attempts.last_mut() {
        attempt.ended_ms = now_ms;
        attempt.received += relay.received;
        attempt.body = early as u64 + relay.received;
        attempt.sent += upload.sent - uploaded;
        if let Some(detail) = held.detail() {
            detail.sent.add(upload.sent - uploaded);
            detail.received.add(relay.received);
            if relayed.is_ok() && is_read {
                detail.response_ms.add(now_ms.saturating_sub(attempt.started_ms));
                detail.whole.add(1);
            }
        }
        match &relayed {
            Ok(()) if is_read => held.ended(attempt),
            Err(RelayError::Upstream(_) | RelayError::Malformed(_)) => held.cut(attempt.started_ms),
            _ => {}
        }
    }
    if routed.site.keeps.sent || routed.site.keeps.upstream {
        lines::keep(&mut exchange.record.lines.get_or_insert_default().trailers, relay.trailers());
    }
    if relayed.is_ok() {
        affinity::ended(connection, exchange, routed, rule, &held);
    }
    if relayed.is_ok() && is_read && upload.is_done {
        keep(held.upstream, held.peer, link, exchange, now_ms);
    }
    Served::Done(finish(connection, exchange, routed, held, relayed, keep_alive))
}

/// An answer that turns out to be broken before any of it went to the client.
fn unusable(
    connection: &Downstream,
    exchange: &Exchange,
    routed: &Routed<'_>,
    held: Held<'_>,
    error: &RelayError,
) -> Served {
    let upstream = held.upstream;
    let name = upstream.shared.group.peers()[held.peer].settings().name.as_str();
    let what = match error {
        RelayError::Malformed(error) => format!("upstream sent a broken body: {error}"),
        RelayError::Upstream(error) => format!("{error} while reading upstream"),
        RelayError::Client | RelayError::ClientTimedOut => String::new(),
    };
    connection.log_failure(exchange, routed, &what, Some(name));
    held.cut(exchange.record.attempts.last().map_or(0, |attempt| attempt.started_ms));
    let transition = held.release(Outcome::Failure, clock::coarse_ms());
    report(connection, upstream, transition, &what);
    Served::Status(502)
}

/// The pace that the configuration or the answer itself asks for.
fn pace(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, rule: &ProxyRule) -> Option<Box<Pace>> {
    let Exchange { request, response, from_upstream, path, key, maps, record, .. } = exchange;
    let mut size = |text: &Option<route::Text>| {
        let Some(text) = text else { return 0 };
        key.clear();
        let facts = connection.facts(request, routed, path, record, Some(rule));
        text.render(&facts, &routed.site.maps, maps, key);
        conf::table::rate_of(key)
    };
    if record.detour.is_subrequest {
        return None;
    }
    let asked = fields::rate(response, from_upstream.data(), &rule.answer);
    let rate = match asked.or(record.limit_rate) {
        Some(rate) => rate,
        None if rule.answer.limit_rate.is_none() => return None,
        None => size(&rule.answer.limit_rate),
    };
    (rate > 0).then(|| Box::new(Pace::new(rate, size(&rule.answer.limit_rate_after))))
}

/// Notes how an upgraded connection ended.
fn finish_tunnel(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    held: Held<'_>,
    end: &tunnel::End,
) -> After {
    let (upstream, now_ms) = (held.upstream, clock::coarse_ms());
    if let Some(attempt) = exchange.record.attempts.last_mut() {
        attempt.ended_ms = now_ms;
    }
    if let Some(what) = end.what() {
        let name = upstream.shared.group.peers()[held.peer].settings().name.as_str();
        connection.log_failure(exchange, routed, &what, Some(name));
    }
    let transition = held.release(Outcome::Success, now_ms);
    report(connection, upstream, transition, "");
    After::Drop
}

/// Keeps the upstream connection, if it can serve another request.
pub(super) fn keep(upstream: &Upstream, peer: usize, mut link: Box<Link>, exchange: &Exchange, now_ms: u64) {
    link.requests += 1;
    // Bytes behind the answer belong to nobody: such a connection is never used again.
    // Not every server that was asked to close says that it will (RFC 9112 9.6).
    if exchange.response.keep_alive && !exchange.asks_close && exchange.from_upstream.is_empty() {
        upstream.pool.borrow_mut().give(peer, link, now_ms);
    }
}

fn finish(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    held: Held<'_>,
    relayed: Result<(), RelayError>,
    keep_alive: bool,
) -> After {
    let upstream = held.upstream;
    let name = upstream.shared.group.peers()[held.peer].settings().name.as_str();
    let (outcome, after) = match relayed {
        Ok(()) => (Outcome::Success, if keep_alive { After::KeepAlive } else { After::Linger }),
        Err(RelayError::Client) => (Outcome::Neutral, After::Drop),
        Err(RelayError::ClientTimedOut) => {
            let what = "client timed out (110: Connection timed out) while sending to client";
            connection.log_info(exchange, routed, what);
            (Outcome::Neutral, connection.cut_off(routed))
        }
        Err(RelayError::Upstream(error)) => {
            let what = format!("{error} while reading upstream: the answer is cut off");
            connection.log_failure(exchange, routed, &what, Some(name));
            (Outcome::Success, After::Drop)
        }
        Err(RelayError::Malformed(error)) => {
            let what = format!("upstream sent a broken body: {error}: the answer is cut off");
            connection.log_failure(exchange, routed, &what, Some(name));
            (Outcome::Success, After::Drop)
        }
    };
    let transition = held.release(outcome, clock::coarse_ms());
    report(connection, upstream, transition, "");
    after
}
