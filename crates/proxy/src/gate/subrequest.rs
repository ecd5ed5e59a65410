//! `auth_request`: whether a request may enter is what another path of its server answers, to a GET with the request's
//! fields and without its body. The answer itself goes nowhere; of a 401 the challenges are kept.

use std::cell::Cell;
use std::mem;

use route::{AuthRequest, Variable};
use wire::Framing;

use super::Said;
use crate::answer;
use crate::downstream::{After, Downstream};
use crate::exchange::Exchange;
use crate::request::{self, Routed, Served};

/// Asks; an error where the client is not to be answered at all.
pub(super) async fn ask(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    auth: &AuthRequest,
) -> Result<Said, Served> {
    let mut sub = connection.thread.take_exchange();
    lend(exchange, &mut sub, auth);
    let captures = sub.maps.take_captures();
    // Over a connection of its own what is read behind the head would be the request's body.
    let watches = routed.body_is_here || connection.channel.is_http2();
    connection.channel.put_aside(watches);
    let body_length = mem::take(&mut connection.body_length);
    let mut place = Routed { body_is_here: true, ..Routed::new(routed.site, routed.server) };
    let after = Box::pin(request::follow(connection, &mut sub, &mut place, None)).await;
    connection.channel.put_back();
    connection.body_length = body_length;
    if after != After::Drop {
        set(connection, exchange, &mut sub, &place, auth);
    }
    sub.maps.put_captures(captures);
    let status = sub.record.status;
    if status == 401 {
        exchange.kept_fields.extend_from_slice(&sub.kept_fields);
    }
    give_back(exchange, &mut sub);
    connection.thread.give_exchange(sub);
    if after == After::Drop {
        exchange.record.status = status;
        return Err(Served::Done(After::Drop));
    }
    Ok(match status {
        200..300 => Said::Enter,
        401 | 403 => Said::Refused(status),
        _ => {
            let what = format!("auth request unexpected status: {status}");
            connection.log_failure(exchange, routed, &what, None);
            Said::Refused(500)
        }
    })
}

/// What the two requests share is the subrequest's as long as it lasts: the head, and, as in nginx, all variables.
fn lend(exchange: &mut Exchange, sub: &mut Exchange, auth: &AuthRequest) {
    mem::swap(&mut exchange.request, &mut sub.request);
    mem::swap(&mut exchange.maps, &mut sub.maps);
    // What is needed of the head again when it comes back.
    let Exchange { request, .. } = &mut *exchange;
    request.framing = mem::replace(&mut sub.request.framing, Framing::None);
    request.keep_alive = sub.request.keep_alive;
    request.upgrade = mem::take(&mut sub.request.upgrade);
    request.expect_continue = mem::take(&mut sub.request.expect_continue);
    sub.path.clear();
    sub.path.extend_from_slice(auth.path.as_bytes());
    let record = &exchange.record;
    (sub.record.started_ms, sub.record.started_us) = (record.started_ms, record.started_us);
    sub.record.request_id = Cell::new(record.request_id.get());
    let detour = &mut sub.record.detour;
    detour.is_subrequest = true;
    detour.is_internal = true;
    detour.is_changed = true;
    detour.is_get = record.detour.is_get;
    // As in nginx, what is asked may be too small for it.
    if let Framing::Length(length) = exchange.request.framing {
        detour.announced = length;
    }
}

fn give_back(exchange: &mut Exchange, sub: &mut Exchange) {
    let Exchange { request, .. } = &mut *exchange;
    sub.request.framing = request.framing;
    sub.request.keep_alive = request.keep_alive;
    sub.request.upgrade = request.upgrade;
    sub.request.expect_continue = request.expect_continue;
    mem::swap(&mut exchange.request, &mut sub.request);
    mem::swap(&mut exchange.maps, &mut sub.maps);
    exchange.record.request_id = Cell::new(sub.record.request_id.get());
}

/// `auth_request_set`.
fn set(connection: &Downstream, exchange: &mut Exchange, sub: &mut Exchange, place: &Routed<'_>, auth: &AuthRequest) {
    for (variable, text) in &auth.sets {
        let mut value = Vec::new();
        answer::render(connection, sub, place, text, &mut value);
        match variable {
            Variable::Args => {
                let detour = &mut exchange.record.detour;
                detour.is_changed = true;
                detour.args = value;
            }
            Variable::LimitRate => exchange.record.limit_rate = Some(conf::table::rate_of(&value)),
            Variable::Own(_) | Variable::Map(_) => sub.maps.set(*variable, &value),
        }
    }
}
