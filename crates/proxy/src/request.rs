//! One request: from its head to the server and location that serve it, and on to whoever answers.

use std::rc::Rc;

use conf::tree::LocationSettings;
use route::{BadPath, Handler, Location, Server};
use wire::{Body, NameKind, RequestHead, Version};

use crate::downstream::{After, Downstream};
use crate::exchange::Exchange;
use crate::limits::REDIRECTS_MAX;
use crate::site::Site;
use crate::{answer, hops, upstream};

/// What became of a request in a location.
pub(crate) enum Served {
    Done(After),
    /// It goes on elsewhere: `exchange.path` and the record's target say where.
    Redirected,
}

/// Where a request belongs.
pub(crate) struct Routed<'a> {
    pub(crate) site: &'a Rc<Site>,
    pub(crate) server: &'a Server,
    pub(crate) settings: &'a LocationSettings,
    /// Whether all of the request's body lies behind its head in the connection's buffer (or there is none).
    pub(crate) body_is_here: bool,
}

impl Routed<'_> {
    /// Whether a field with such a name is looked at; else it is as if it had not come.
    pub(crate) fn takes(&self, kind: NameKind) -> bool {
        match kind {
            NameKind::Plain => true,
            NameKind::Underscore => self.server.underscores_in_headers || !self.server.ignore_invalid_headers,
            NameKind::Unusual => !self.server.ignore_invalid_headers,
        }
    }
}

/// Serves the request whose head is at the front of the connection's buffer.
pub(crate) async fn serve(connection: &mut Downstream, exchange: &mut Exchange) -> After {
    connection.client.follow(&connection.thread.site.borrow());
    let site = Rc::clone(&connection.client.site);
    let host = exchange.request.host.map_or(&b""[..], |host| host.of(connection.head_bytes()));
    let server = site.snapshot.router.server(connection.client.listener, host);
    let mut routed = Routed { site: &site, server, settings: &server.settings, body_is_here: false };
    connection.body_length = 0;
    if connection.client.lacks_tls {
        return answer::plain_http(connection, exchange, &routed).await;
    }
    let after = match connection.scan_body(&mut Body::new(exchange.request.framing)) {
        Ok(is_here) => {
            routed.body_is_here = is_here;
            route(connection, exchange, &mut routed).await
        }
        Err(error) => {
            connection.log_failure(exchange, &routed, &format!("client sent invalid body: {error}"), None);
            answer::page(connection, exchange, &routed, 400).await
        }
    };
    connection.keep_alive_ms = routed.settings.keepalive_timeout_ms;
    connection.lingering = routed.settings.lingering;
    connection.log_access(exchange, &routed);
    after
}

/// Answers a request that is none, and has what it came over closed. Of its head the first line is shown.
pub(crate) async fn refuse(connection: &mut Downstream, exchange: &mut Exchange, why: &str, status: u16) -> After {
    let site = Rc::clone(&connection.client.site);
    let server = site.default_server(connection.client.listener);
    let routed = Routed { site: &site, server, settings: &server.settings, body_is_here: false };
    // The spans of an unfinished head point nowhere.
    exchange.request = RequestHead::new();
    if connection.channel.is_http2() {
        exchange.request.version = Version::Http2;
    }
    connection.head_length = connection.input.data().iter().position(|byte| *byte == b'\n').unwrap_or(0);
    connection.log_failure(exchange, &routed, &format!("client sent invalid request: {why}"), None);
    exchange.request.keep_alive = false;
    let after = answer::page(connection, exchange, &routed, status).await;
    connection.log_access(exchange, &routed);
    after
}

async fn route<'a>(connection: &mut Downstream, exchange: &mut Exchange, routed: &mut Routed<'a>) -> After {
    if matches!(exchange.request.method.of(connection.head_bytes()), b"CONNECT" | b"TRACE") {
        // What follows a CONNECT may be meant for the tunnel.
        exchange.request.keep_alive = false;
        return answer::page(connection, exchange, routed, 405).await;
    }
    if set_path(connection, exchange).is_err() {
        return answer::page(connection, exchange, routed, 400).await;
    }
    for _ in 0..=REDIRECTS_MAX {
        if let Served::Done(after) = locate(connection, exchange, routed).await {
            return after;
        }
    }
    let what = format!("internal redirection cycle: an X-Accel-Redirect led to the next one {REDIRECTS_MAX} times");
    connection.log_failure(exchange, routed, &what, None);
    answer::page(connection, exchange, routed, 500).await
}

/// Finds the location for the path and has it serve the request.
async fn locate<'a>(connection: &mut Downstream, exchange: &mut Exchange, routed: &mut Routed<'a>) -> Served {
    // The only way for a test to have something go wrong that nobody thought of.
    #[cfg(test)]
    assert!(exchange.path != b"/panic", "on purpose");
    let server: &'a Server = routed.server;
    let location: &'a Location = routed.site.snapshot.router.location(server, &exchange.path);
    if let Some(returns) = &server.returns {
        return Served::Done(answer::returned(connection, exchange, routed, returns).await);
    }
    routed.settings = &location.settings;
    if routed.settings.is_internal && exchange.record.internal_target.is_empty() {
        return Served::Done(answer::page(connection, exchange, routed, 404).await);
    }
    let limit = routed.settings.client_max_body_size;
    if limit > 0 && matches!(exchange.request.framing, wire::Framing::Length(length) if length > limit) {
        let message = "client intended to send too large body (raise client_max_body_size to allow it)";
        connection.log_failure(exchange, routed, message, None);
        return Served::Done(answer::page(connection, exchange, routed, 413).await);
    }
    Served::Done(match &location.handler {
        Handler::NotFound => answer::page(connection, exchange, routed, 404).await,
        Handler::Return(returns) => answer::returned(connection, exchange, routed, returns).await,
        Handler::Proxy(_) if hops::are_used_up(&exchange.request, connection.head_bytes()) => {
            answer::page(connection, exchange, routed, 204).await
        }
        Handler::Proxy(rule) => return upstream::proxy(connection, exchange, routed, rule).await,
    })
}

/// Puts the normalized path into `exchange.path`, also where it is the one that came.
fn set_path(connection: &Downstream, exchange: &mut Exchange) -> Result<(), BadPath> {
    let raw = match exchange.request.path_and_query(connection.head_bytes()).0 {
        b"*" => b"/",
        raw => raw,
    };
    let is_normal = std::ptr::eq(route::normalize(raw, &mut exchange.path)?.as_ptr(), raw.as_ptr());
    if is_normal {
        exchange.path.clear();
        exchange.path.extend_from_slice(raw);
    }
    Ok(())
}
