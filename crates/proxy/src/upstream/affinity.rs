//! `sticky`: which servers a request names, so that a session comes back to where it is.

use route::{ProxyRule, Sticky, session_in};
use wire::Known;

use crate::downstream::Downstream;
use crate::exchange::{Exchange, ROUTE_END};
use crate::request::Routed;

/// Notes the routes of servers that the request names, in their order.
pub(super) fn find(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    upstream: usize,
) {
    match &routed.site.snapshot.router.upstreams()[upstream].sticky {
        None => {}
        Some(Sticky::Liberty { cookie }) => clones(connection, exchange, cookie),
        Some(Sticky::Route(texts)) => {
            let Exchange { request, path, routes, maps, record, .. } = exchange;
            let facts = connection.facts(request, routed, path, record, Some(rule));
            for text in texts {
                text.render(&facts, &routed.site.maps, maps, routes);
                if !routes.is_empty() {
                    return routes.push(ROUTE_END);
                }
            }
        }
    }
}

/// As a servlet container has it, cookies come before the address. A browser sends the cookie of the longest path
/// first; others of the name are other applications' and may name the server just as well.
fn clones(connection: &Downstream, exchange: &mut Exchange, cookie: &str) {
    let Exchange { request, routes, .. } = exchange;
    let head = connection.head_bytes();
    if request.seen.contains(Known::Cookie) {
        for field in request.fields.iter().filter(|field| field.known == Known::Cookie) {
            let pairs = field.value.of(head).split(|&byte| byte == b';');
            for session in pairs.filter_map(|pair| route::cookie(pair, cookie.as_bytes())) {
                add(session, routes);
            }
        }
    }
    if let Some(session) = session_in(request.path.of(head)) {
        add(session, routes);
    }
}

fn add(session: &[u8], routes: &mut Vec<u8>) {
    let Some((list, separator)) = route::clones(session) else { return };
    for clone in route::listed(list, separator) {
        routes.extend_from_slice(clone);
        routes.push(ROUTE_END);
    }
}
