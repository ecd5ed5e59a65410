//! `error_page`: where a request goes on when an answer of some status is due.

use route::ErrorPage;
use wire::Framing;

use crate::answer;
use crate::detour::Entry;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::request::Routed;
use crate::upstream::{CLIENT_CLOSED, CLIENT_TIMED_OUT};

/// nginx's own status for a request without TLS on a port for TLS; clients get 400.
pub(crate) const TO_HTTPS: u16 = 497;

/// nginx's own status for a connection that is closed in place of an answer.
pub(crate) const CLOSE: u16 = 444;

/// What becomes of a request.
pub(crate) enum Way {
    /// It goes on there.
    Goes(Entry),
    /// The client is sent to this address, with this status.
    Redirects(u16, Vec<u8>),
    /// It gets a small page of this status.
    Ends(u16),
    /// It gets no answer at all.
    Closes,
}

/// Finds the page for a status and turns the request into one for it.
pub(crate) fn find(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, status: u16) -> Way {
    exchange.record.status = status;
    // As in nginx, no client sees these, where no text goes with them.
    if matches!(status, CLIENT_TIMED_OUT | CLOSE | CLIENT_CLOSED) {
        return Way::Closes;
    }
    exchange.request.keep_alive &= !answer::closes(status);
    let detour = &mut exchange.record.detour;
    detour.status = 0;
    if detour.has_failed || routed.finish.pages.is_empty() {
        return Way::Ends(status);
    }
    detour.has_failed = !routed.finish.pages_recur;
    match routed.finish.page(status) {
        Some(page) => follow(connection, exchange, routed, page, status),
        None => Way::Ends(status),
    }
}

fn follow(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, page: &ErrorPage, status: u16) -> Way {
    let mut target = Vec::new();
    answer::render(connection, exchange, routed, &page.target, &mut target);
    let detour = &mut exchange.record.detour;
    detour.status = page.status.unwrap_or(status);
    match target.first() {
        Some(b'/') => {
            go_to_path(exchange, &target);
            Way::Goes(Entry::Server)
        }
        Some(b'@') => match routed.server.named_location(&target[1..]) {
            Some(index) => {
                detour.is_internal = true;
                exchange.prepare_again();
                Way::Goes(Entry::Named(index))
            }
            None => {
                let shown = String::from_utf8_lossy(&target);
                let what = format!("could not find named location \"{shown}\"");
                connection.log_failure(exchange, routed, &what, None);
                exchange.record.detour.status = 0;
                Way::Ends(500)
            }
        },
        _ => {
            let status = page.status.filter(|status| matches!(status, 301 | 302 | 303 | 307 | 308)).unwrap_or(302);
            Way::Redirects(status, target)
        }
    }
}

/// Turns the request into one for a path: by GET (or HEAD), and so without a body.
fn go_to_path(exchange: &mut Exchange, target: &[u8]) {
    let (path, args) = route::split_target(target);
    exchange.path.clear();
    exchange.path.extend_from_slice(path);
    let detour = &mut exchange.record.detour;
    detour.args.clear();
    detour.args.extend_from_slice(args);
    detour.is_changed = true;
    detour.is_internal = true;
    detour.is_get = true;
    detour.has_left = false;
    exchange.request.framing = Framing::None;
    exchange.request.upgrade = false;
    exchange.forget_body();
    exchange.prepare_again();
}
