//! Fields of an answer that are rewritten on their way to the client: `Location`, `Refresh`, `Set-Cookie`.

use route::{ProxyRule, Rendering};
use wire::{Known, KnownSet, encode};

use crate::answer;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::request::Routed;

const REWRITTEN: KnownSet = KnownSet::of(&[Known::Location, Known::Refresh, Known::SetCookie]);

/// Puts what becomes of the answer's fields into `exchange.rewritten`, by their number.
pub(super) fn prepare(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, rule: &ProxyRule) {
    exchange.rewritten.clear();
    if !exchange.response.seen.meets(REWRITTEN) {
        return;
    }
    let Some(rewriting) = &rule.answer.rewriting else { return };
    for index in 0..exchange.response.fields.len() {
        let Exchange { request, response, from_upstream, path, maps, record, .. } = &mut *exchange;
        let field = &response.fields[index];
        if !REWRITTEN.contains(field.known) {
            continue;
        }
        let value = field.value.of(from_upstream.data());
        let facts = connection.facts(request, routed, path, record, Some(rule));
        let mut with = Rendering { facts: &facts, maps: &routed.site.maps, scratch: maps };
        let mut new = Vec::new();
        let is_rewritten = match field.known {
            Known::Location => rewriting.location(value, &mut with, &mut new),
            Known::Refresh => rewriting.refresh(value, &mut with, &mut new),
            _ => rewriting.set_cookie(value, &mut with, &mut new),
        };
        // What a request has put into a value must not end it.
        if !is_rewritten || encode::breaks_line(&new) {
            continue;
        }
        if exchange.response.fields[index].known == Known::Location {
            new = answer::absolute(connection, exchange, routed, new);
        }
        exchange.rewritten.push((index, new));
    }
}
