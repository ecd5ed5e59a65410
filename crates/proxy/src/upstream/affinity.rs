//! `sticky`: which servers a request names, so that a session comes back to where it is, and what the answer says of
//! the session for the next one.

use conf::tree::CookieAge;
use net::clock;
use route::{ProxyRule, Sticky, StickyCookie, StickyLearn, Text, To, session_in};
use wire::{Known, RequestHead, encode};

use crate::affinity::{Clones, Noted, Server};
use crate::downstream::Downstream;
use crate::exchange::{Exchange, ROUTE_END};
use crate::request::Routed;
use crate::site::Held;

/// nginx's words for a cookie that is kept for as long as can be said.
const MAX_AGE: &[u8] = b"; Expires=Thu, 31 Dec 2037 23:55:55 GMT; Max-Age=315360000";

/// Notes the routes of servers that the request names, in their order.
pub(super) fn find(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    upstream: usize,
) {
    let Some(sticky) = &routed.site.snapshot.router.upstreams()[upstream].sticky else { return };
    let shared = &routed.site.upstreams[upstream].shared;
    match sticky {
        Sticky::Liberty { cookie, .. } => clones(connection, exchange, cookie, shared.clones().map(|known| &**known)),
        Sticky::Route(texts) => {
            let mut routes = std::mem::take(&mut exchange.routes);
            if first(connection, exchange, routed, rule, texts, &mut routes) {
                routes.push(ROUTE_END);
            }
            exchange.routes = routes;
        }
        Sticky::Cookie(cookie) => {
            let Exchange { request, routes, .. } = exchange;
            if let Some(route) = cookies(request, connection.head_bytes(), &cookie.name).next() {
                add_route(route, routes);
            }
        }
        Sticky::Learn(learn) => {
            let Some(sessions) = shared.sessions() else { return };
            // What the method hashes is written there afterwards.
            let mut name = std::mem::take(&mut exchange.key);
            name.clear();
            if first(connection, exchange, routed, rule, &learn.lookup, &mut name)
                && let Some(route) = sessions.find(&name, learn.timeout_ms, clock::coarse_ms())
            {
                add_route(route.as_bytes(), &mut exchange.routes);
            }
            exchange.key = name;
        }
    }
}

/// Appends the first of these texts that is not empty; false where all are.
fn first(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    texts: &[Text],
    out: &mut Vec<u8>,
) -> bool {
    let Exchange { request, path, maps, record, .. } = exchange;
    let facts = connection.facts(request, routed, path, record, Some(rule));
    texts.iter().any(|text| {
        text.render(&facts, &routed.site.maps, maps, out);
        !out.is_empty()
    })
}

/// As a servlet container has it, cookies come before the address. A browser sends the cookie of the longest path
/// first; others of the name are other applications' and may name the server just as well.
fn clones(connection: &Downstream, exchange: &mut Exchange, cookie: &str, known: Option<&Clones>) {
    let Exchange { request, routes, .. } = exchange;
    let head = connection.head_bytes();
    for session in cookies(request, head, cookie).chain(session_in(request.path.of(head))) {
        let Some((list, separator)) = route::clones(session) else { continue };
        for clone in route::listed(list, separator) {
            add_route(clone, routes);
            if let Some(route) = known.and_then(|known| known.find(clone)) {
                add_route(route.as_bytes(), routes);
            }
        }
    }
}

/// The values of a request's cookies of that name.
fn cookies<'h>(request: &'h RequestHead, head: &'h [u8], name: &'h str) -> impl Iterator<Item = &'h [u8]> {
    let fields = request.fields.iter().filter(|field| field.known == Known::Cookie);
    // Most requests have none: then their fields are not looked at.
    let fields = request.seen.contains(Known::Cookie).then_some(fields).into_iter().flatten();
    let pairs = fields.flat_map(move |field| field.value.of(head).split(|&byte| byte == b';'));
    pairs.filter_map(move |pair| route::cookie(pair, name.as_bytes()))
}

fn add_route(route: &[u8], routes: &mut Vec<u8>) {
    routes.extend_from_slice(route);
    routes.push(ROUTE_END);
}

/// Takes from the head of a server's answer what it says of the session, or adds to it what is to be said.
pub(super) fn answered(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    held: &Held<'_>,
) {
    match sticky_of(routed, rule) {
        None | Some(Sticky::Route(_)) => {}
        Some(Sticky::Liberty { cookie, .. }) => {
            if held.upstream.shared.learns(held.peer) && exchange.response.seen.contains(Known::SetCookie) {
                learn_clone(connection, exchange, routed, cookie, held);
            }
        }
        Some(Sticky::Cookie(cookie)) => set_cookie(connection, exchange, routed, rule, cookie, held),
        Some(Sticky::Learn(learn)) if learn.by_head => note_session(connection, exchange, routed, rule, learn, held),
        Some(Sticky::Learn(_)) => {}
    }
}

/// The same where an answer has ended well.
pub(super) fn ended(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    held: &Held<'_>,
) {
    if let Some(Sticky::Learn(learn)) = sticky_of(routed, rule)
        && !learn.by_head
    {
        note_session(connection, exchange, routed, rule, learn, held);
    }
}

fn sticky_of<'a>(routed: &Routed<'a>, rule: &ProxyRule) -> Option<&'a Sticky> {
    match &rule.to {
        To::Upstream(number) => routed.site.snapshot.router.upstreams()[*number].sticky.as_ref(),
        To::Variable { .. } => None,
    }
}

/// The server's own clone id is the only one in a session that begins there; of several nobody knows whose is which.
fn learn_clone(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>, cookie: &str, held: &Held<'_>) {
    let shared = &held.upstream.shared;
    let Some(known) = shared.clones() else { return };
    let head = exchange.from_upstream.data();
    let set = exchange.response.fields.iter().filter(|field| field.known == Known::SetCookie);
    let pairs = set.filter_map(|field| field.value.of(head).split(|&byte| byte == b';').next());
    for session in pairs.filter_map(|pair| route::cookie(pair, cookie.as_bytes())) {
        let Some((list, separator)) = route::clones(session) else { continue };
        let mut listed = route::listed(list, separator);
        let (Some(clone), None) = (listed.next(), listed.next()) else { continue };
        let route = shared.group.peers()[held.peer].settings().route.as_str();
        if known.find(clone).as_deref() == Some(route) {
            continue;
        }
        let server = Server { route: route.into(), address: held.endpoint().to_string().into() };
        if let Noted::Taken(other) = known.note(clone, &server, |route| shared.group.has_route(route.as_bytes())) {
            let address = &server.address;
            let what = format!(
                "the servers {other} and {address} have one clone id: sessions of {address} are lost; give each a \
                 cloneId of its own in server.xml"
            );
            connection.log_failure(exchange, routed, &what, None);
        }
    }
    if let Some(what) = known.failure() {
        connection.log_failure(exchange, routed, &what, None);
    }
}

/// Tells the client which server it belongs to, where it does not say so itself.
fn set_cookie(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    cookie: &StickyCookie,
    held: &Held<'_>,
) {
    let route = held.upstream.shared.group.peers()[held.peer].settings().route.as_bytes();
    if exchange.routes.strip_suffix(&[ROUTE_END]) == Some(route) || !route.iter().all(is_cookie_octet) {
        return;
    }
    let mut line = Vec::new();
    line.extend_from_slice(cookie.name.as_bytes());
    line.push(b'=');
    line.extend_from_slice(route);
    match cookie.age {
        None => {}
        Some(CookieAge::Max) => line.extend_from_slice(MAX_AGE),
        Some(CookieAge::Seconds(seconds)) => {
            let now = connection.thread.dates.borrow_mut().unix_ms() / 1000;
            line.extend_from_slice(b"; Expires=");
            encode::date(&mut line, now.saturating_add(seconds));
            line.extend_from_slice(b"; Max-Age=");
            encode::decimal(&mut line, seconds);
        }
    }
    let Exchange { request, path, maps, record, kept_fields, .. } = exchange;
    let facts = connection.facts(request, routed, path, record, Some(rule));
    for (name, text) in &cookie.attributes {
        let mut value = Vec::new();
        text.render(&facts, &routed.site.maps, maps, &mut value);
        // What a client has put into a value must not begin another attribute, or end the line.
        if !value.is_empty() && !value.contains(&b';') {
            line.extend_from_slice(name.as_bytes());
            line.extend_from_slice(&value);
        }
    }
    line.extend_from_slice(cookie.flags.as_bytes());
    if !encode::breaks_line(&line) {
        encode::field(kept_fields, b"Set-Cookie", &line);
    }
}

/// Whether a cookie's value may have it (RFC 6265 4.1.1): whoever changes a server's route must not add attributes.
fn is_cookie_octet(byte: &u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(byte)
}

fn note_session(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    learn: &StickyLearn,
    held: &Held<'_>,
) {
    let Some(sessions) = held.upstream.shared.sessions() else { return };
    let mut name = Vec::new();
    if first(connection, exchange, routed, rule, &learn.create, &mut name) {
        let route = &held.upstream.shared.group.peers()[held.peer].settings().route;
        sessions.note(&name, route, (learn.bytes, learn.timeout_ms), clock::coarse_ms());
    }
}
