//! One request: from its head to the server and location that serve it, and on to whoever answers.

use std::rc::Rc;

use conf::tree::LocationSettings;
use route::{BadPath, Ended, Files, Finish, Followed, Handler, Location, ProxyRule, Server};
use wire::{Body, Framing, NameKind, RequestHead, Version};

use crate::detour::Entry;
use crate::downstream::{After, Downstream};
use crate::error_page::{self, TO_HTTPS, Way};
use crate::exchange::Exchange;
use crate::limits::REDIRECTS_MAX;
use crate::site::Site;
use crate::zones::{self, Processing};
use crate::{answer, api, client_cert, files, gate, hops, pages, rewriting, upstream};

/// What became of a request in a location.
pub(crate) enum Served {
    Done(After),
    /// It goes on elsewhere; `exchange.path` and the record's detour say what it asks for now.
    Moved(Entry),
    /// An answer of this status is due, with a page that says no more.
    Status(u16),
}

impl Served {
    fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Moved(_))
    }
}

/// Where a request belongs.
pub(crate) struct Routed<'a> {
    pub(crate) site: &'a Rc<Site>,
    pub(crate) server: &'a Server,
    pub(crate) settings: &'a LocationSettings,
    /// What becomes of answers.
    pub(crate) finish: &'a Finish,
    /// Where files are.
    pub(crate) files: &'a Files,
    /// What holds for the server that it was put to last.
    pub(crate) rule: Option<&'a ProxyRule>,
    /// Whether all of the request's body lies behind its head in the connection's buffer (or there is none).
    pub(crate) body_is_here: bool,
}

impl<'a> Routed<'a> {
    /// At a server, before its location is known.
    pub(crate) fn new(site: &'a Rc<Site>, server: &'a Server) -> Self {
        Self {
            site,
            server,
            settings: &server.settings,
            finish: &server.finish,
            files: &server.files,
            rule: None,
            body_is_here: false,
        }
    }

    /// Goes on in a location, or in an `if` of it.
    pub(crate) fn enter(&mut self, location: &'a Location) {
        self.settings = &location.settings;
        self.finish = &location.finish;
        self.files = &location.files;
        self.rule = None;
    }

    /// Whether a field with such a name is looked at; else it is as if it had not come.
    pub(crate) fn takes(&self, kind: NameKind) -> bool {
        match kind {
            NameKind::Plain => true,
            NameKind::Underscore => self.server.underscores_in_headers || !self.server.ignore_invalid_headers,
            NameKind::Unusual => !self.server.ignore_invalid_headers,
            NameKind::Liberty => self.server.takes_liberty_headers,
        }
    }
}

/// Serves the request whose head is at the front of the connection's buffer.
pub(crate) async fn serve(connection: &mut Downstream, exchange: &mut Exchange) -> After {
    connection.client.follow(&connection.thread.site.borrow());
    let site = Rc::clone(&connection.client.site);
    let host = exchange.request.host.map_or(&b""[..], |host| host.of(connection.head_bytes()));
    let router = &site.snapshot.router;
    let server = router.server(connection.client.listener, host, &site.patterns, &mut exchange.maps);
    let mut routed = Routed::new(&site, server);
    exchange.processing = Processing::new(&site, server);
    connection.body_length = 0;
    if let Some(real) = &server.real_ip {
        gate::real_ip::apply(connection, exchange, real);
    }
    // On its own: what is in a match's head stays for as long as its arms take.
    let scanned = connection.scan_body(&mut Body::new(exchange.request.framing));
    let after = match scanned {
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
    exchange.record.is_complete = after != After::Drop;
    connection.log_access(exchange, &routed);
    zones::count(connection, exchange, &routed);
    exchange.processing = None;
    connection.client.move_back();
    after
}

/// Answers a request that is none, and has what it came over closed. Of its head the first line is shown.
pub(crate) async fn refuse(connection: &mut Downstream, exchange: &mut Exchange, why: &str, status: u16) -> After {
    let site = Rc::clone(&connection.client.site);
    let server = site.default_server(connection.client.listener);
    let routed = Routed::new(&site, server);
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
    zones::count(connection, exchange, &routed);
    after
}

async fn route<'a>(connection: &mut Downstream, exchange: &mut Exchange, routed: &mut Routed<'a>) -> After {
    let due = first_refusal(connection, exchange, routed);
    follow(connection, exchange, routed, due).await
}

/// Serves the request wherever it is sent; `due` is the status that is to be answered in any case.
pub(crate) async fn follow<'a>(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'a>,
    mut due: Option<u16>,
) -> After {
    let mut entry = Entry::Server;
    for _ in 0..=REDIRECTS_MAX {
        let served = match due.take() {
            Some(status) => Served::Status(status),
            None => enter(connection, exchange, routed, entry).await,
        };
        match served {
            Served::Done(after) => return after,
            Served::Moved(next) => entry = next,
            Served::Status(status) => match error_page::find(connection, exchange, routed, status) {
                Way::Goes(next) => entry = next,
                Way::Closes => return close(connection, exchange, routed),
                Way::Redirects(status, address) => {
                    return answer::redirect(connection, exchange, routed, status, address).await;
                }
                Way::Ends(status) => return answer::page(connection, exchange, routed, status).await,
            },
        }
    }
    let what = format!(
        "rewrite or internal redirection cycle while processing \"{}\"",
        String::from_utf8_lossy(&exchange.path)
    );
    connection.log_failure(exchange, routed, &what, None);
    answer::page(connection, exchange, routed, 500).await
}

/// Closes the connection in place of an answer.
fn close(connection: &mut Downstream, exchange: &Exchange, routed: &Routed<'_>) -> After {
    if exchange.record.status == error_page::CLOSE { connection.cut_off(routed) } else { After::Drop }
}

/// Why a request is not even looked at, if it is not.
fn first_refusal(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> Option<u16> {
    let path = set_path(connection, exchange);
    if routed.server.verifies_clients
        && path.is_ok()
        && let Some(status) = client_cert::refusal(connection, exchange, routed)
    {
        return Some(status);
    }
    if connection.client.lacks_tls {
        connection.log_failure(exchange, routed, "client sent plain HTTP request to HTTPS port", None);
        exchange.request.keep_alive = false;
    }
    if matches!(exchange.request.method.of(connection.head_bytes()), b"CONNECT" | b"TRACE") {
        // What follows a CONNECT may be meant for the tunnel.
        exchange.request.keep_alive = false;
        return Some(405);
    }
    if connection.client.lacks_tls { Some(TO_HTTPS) } else { path.err().map(|BadPath| 400) }
}

/// Follows the rules of the server, finds the location, and has it serve the request.
async fn enter<'a>(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'a>,
    entry: Entry,
) -> Served {
    // The only way for a test to have something go wrong that nobody thought of.
    #[cfg(test)]
    assert!(exchange.path != b"/panic", "on purpose");
    let server: &'a Server = routed.server;
    if entry == Entry::Server {
        (routed.settings, routed.finish, routed.files) = (&server.settings, &server.finish, &server.files);
        if !server.rules.is_empty() {
            let ended = rewriting::follow(connection, exchange, routed, &server.rules).ended;
            // Where the path has changed, the location is found all the same.
            if let Some(served) = end(connection, exchange, routed, ended).await.filter(|end| !end.is_elsewhere()) {
                return served;
            }
        }
    }
    let location = match locate(connection, exchange, routed, entry) {
        Ok(location) => location,
        Err(status) => return Served::Status(status),
    };
    let location = match &location.limit_except {
        // By the method that the request has here: behind an error page that is GET.
        Some(limit) if limit.is_for(method(connection, exchange, routed)) => {
            routed.enter(&limit.location);
            &limit.location
        }
        _ => location,
    };
    let (mut handler, mut tries) = (&location.handler, location.try_files.as_deref());
    let mut gates = &location.gates;
    if !location.rules.is_empty() {
        let Followed { ended, entered } = rewriting::follow(connection, exchange, routed, &location.rules);
        if let Some(served) = end(connection, exchange, routed, ended).await {
            return served;
        }
        if let Some(entered) = entered {
            (handler, tries, gates) = (&entered.handler, None, &entered.gates);
        }
    }
    // What it may do hangs on its gates: to know them any longer would make each idle connection larger.
    if let Handler::Api(asked) = handler {
        return Box::pin(api::enter(connection, exchange, routed, asked, gates.as_deref())).await;
    }
    if let Some(gates) = gates
        && !exchange.record.detour.is_subrequest
        && let Err(served) = Box::pin(gate::enter(connection, exchange, routed, gates)).await
    {
        return served;
    }
    if let Some(tries) = tries
        && let Some(served) = files::look(connection, exchange, routed, tries)
    {
        return served;
    }
    match handler {
        Handler::Files => Box::pin(files::serve(connection, exchange, routed)).await,
        Handler::Return(returns) => answer::returned(connection, exchange, routed, returns).await,
        Handler::Page(page) => Box::pin(pages::serve(connection, exchange, routed, *page)).await,
        // Above, behind its gates.
        Handler::Api(_) => Served::Status(500),
        Handler::Proxy(_) if is_at_end(connection, exchange) => Served::Status(204),
        Handler::Proxy(rule) => upstream::proxy(connection, exchange, routed, rule).await,
    }
}

/// Whether the client wants its request to go no further than here.
fn is_at_end(connection: &Downstream, exchange: &Exchange) -> bool {
    hops::are_used_up(&exchange.request, connection.head_bytes()) && !exchange.record.detour.is_subrequest
}

/// The method that the request has by now.
pub(crate) fn method<'a>(connection: &'a Downstream, exchange: &'a Exchange, routed: &'a Routed<'a>) -> &'a [u8] {
    connection.facts(&exchange.request, routed, &exchange.path, &exchange.record, None).method()
}

/// The location of the request, if it may enter there; else the status to answer with.
fn locate<'a>(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'a>,
    entry: Entry,
) -> Result<&'a Location, u16> {
    exchange.record.detour.is_below_alias = false;
    let server: &'a Server = routed.server;
    let (router, patterns) = (&routed.site.snapshot.router, &routed.site.patterns);
    if let Entry::Named(index) = entry {
        let location = server.location_at(index);
        routed.enter(location);
        return Ok(location);
    }
    let location: &'a Location = router.location(server, &exchange.path, patterns, &mut exchange.maps);
    routed.enter(location);
    if routed.settings.is_internal && !exchange.record.detour.is_internal {
        return Err(404);
    }
    let limit = routed.settings.client_max_body_size;
    let announced = match exchange.request.framing {
        Framing::Length(length) => length,
        _ => exchange.record.detour.announced,
    };
    if limit > 0 && announced > limit {
        let bytes = format!("{announced} bytes (raise client_max_body_size to allow it)");
        let what = format!("client intended to send too large body: {bytes}");
        connection.log_failure(exchange, routed, &what, None);
        return Err(413);
    }
    Ok(location)
}

/// What rules answer, or where they send the request; none when it is served where it is.
async fn end(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    ended: Ended<'_>,
) -> Option<Served> {
    match ended {
        Ended::Here => None,
        Ended::Elsewhere => Some(Served::Moved(Entry::Path)),
        Ended::Returned(returns) => Some(answer::returned(connection, exchange, routed, returns).await),
        Ended::Redirected(status, address) => {
            Some(Served::Done(answer::redirect(connection, exchange, routed, status, address).await))
        }
        Ended::NoPath => {
            connection.log_failure(exchange, routed, "the rewritten URI has a zero length", None);
            Some(Served::Status(500))
        }
    }
}

/// Puts the normalized path into `exchange.path`, also where it is the one that came.
fn set_path(connection: &Downstream, exchange: &mut Exchange) -> Result<(), BadPath> {
    let raw = match exchange.request.path_and_query(connection.head_bytes()).0 {
        b"*" => b"/",
        raw => raw,
    };
    // As in nginx, that of the address's default server: the path is read before the name.
    let merges = connection.client.site.default_server(connection.client.listener).merge_slashes;
    let is_normal = std::ptr::eq(route::normalize(raw, merges, &mut exchange.path)?.as_ptr(), raw.as_ptr());
    if is_normal {
        exchange.path.clear();
        exchange.path.extend_from_slice(raw);
    }
    Ok(())
}
