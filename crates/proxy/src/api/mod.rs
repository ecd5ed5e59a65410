//! `api`: nginx's interface to a running balancer, as the documentation of ngx_http_api_module has it for version 9.
//!
//! It shows what is counted, sets counts back, and changes the servers of upstreams. What is not served of it (caches,
//! keyvals, the stream module) is empty or not there; docs/api.md says what differs.

mod edit;
mod fault;
pub(crate) mod guard;
mod hold;
mod objects;
mod show;
mod state;

use std::sync::Arc;

use route::{Api, Gates};
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::downstream::{After, Downstream};
use crate::exchange::Exchange;
use crate::request::{self, Routed, Served};
use crate::worker::Shared;
use crate::{gate, upstream};
use fault::Fault;
pub(crate) use hold::Holds;
use show::View;

/// The versions that are answered, all of them as the last one: the fields of the older ones are all in it.
const VERSIONS: std::ops::RangeInclusive<u64> = 1..=9;

/// What an answer says.
enum Reply {
    Shown(Value),
    Created(Value),
    Done,
    /// The methods that there are.
    Options,
}

/// What is asked for.
struct Asked {
    method: Vec<u8>,
    /// What stands between the slashes behind the location's path.
    path: Vec<String>,
    /// `fields`, where it is given.
    fields: Option<Vec<String>>,
}

/// Answers a request that may enter.
pub(crate) async fn enter(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'_>,
    api: &Api,
    gates: Option<&Gates>,
) -> Served {
    if let Some(gates) = gates.filter(|_| !exchange.record.detour.is_subrequest)
        && let Err(served) = gate::enter(connection, exchange, routed, gates).await
    {
        return served;
    }
    serve(connection, exchange, routed, api, gates).await
}

/// What is shown to somebody who asks elsewhere than in a location: status and JSON. `path` stands behind `/api/`.
pub(crate) fn shown(shared: &Arc<Shared>, path: &str, fields: Option<&str>) -> (u16, Value) {
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let fields = fields.map(list);
    let shown = match path.as_slice() {
        [] => Ok(VERSIONS.collect::<Vec<_>>().into()),
        [version, path @ ..] if is_version(version) => View::of(shared, String::new()).get(path, fields.as_deref()),
        _ => Err(unknown_version()),
    };
    match shown {
        Ok(value) => (200, value),
        Err(Fault::Told(told)) => (told.status, told.object("")),
        Err(Fault::Gone(_)) => (500, Value::Null),
    }
}

fn is_version(text: &str) -> bool {
    text.parse().is_ok_and(|version| VERSIONS.contains(&version))
}

fn unknown_version() -> Fault {
    fault::not_found("unknown version", "UnknownVersion")
}

/// Words between commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

async fn serve(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'_>,
    api: &Api,
    gates: Option<&Gates>,
) -> Served {
    let replied = match guard::check(connection, exchange, routed) {
        Ok(()) => reply(connection, exchange, routed, api, gates).await,
        Err(why) => Err(guard::forbidden(why)),
    };
    match replied {
        Ok(Reply::Shown(value)) => send(connection, exchange, routed, 200, &value, b"").await,
        Ok(Reply::Created(value)) => send(connection, exchange, routed, 201, &value, b"").await,
        Ok(Reply::Done) => Served::Done(answer::send(connection, exchange, routed, &Answer::new(204, b"")).await),
        Ok(Reply::Options) => {
            let fields = b"Allow: GET, HEAD, POST, PATCH, DELETE, OPTIONS\r\n";
            let answer = Answer { fields, ..Answer::new(204, b"") };
            Served::Done(answer::send(connection, exchange, routed, &answer).await)
        }
        Err(Fault::Gone(after)) => Served::Done(after),
        Err(Fault::Told(told)) => {
            if told.status >= 500 {
                connection.log_failure(exchange, routed, &told.text, None);
            }
            let value = told.object(&request_id(connection, exchange, routed));
            let fields: &[u8] = if told.status == 405 { b"Allow: GET, HEAD, OPTIONS\r\n" } else { b"" };
            send(connection, exchange, routed, told.status, &value, fields).await
        }
    }
}

async fn reply(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'_>,
    api: &Api,
    gates: Option<&Gates>,
) -> Result<Reply, Fault> {
    let asked = asked(connection, exchange, routed, api);
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let path = match path.as_slice() {
        [] if is_get(&asked.method) => return Ok(Reply::Shown(VERSIONS.collect::<Vec<_>>().into())),
        [] => return Err(fault::method_disabled()),
        [version, path @ ..] => {
            if !is_version(version) {
                return Err(unknown_version());
            }
            path
        }
    };
    let view = View::new(connection);
    match asked.method.as_slice() {
        b"GET" | b"HEAD" => view.get(path, asked.fields.as_deref()).map(Reply::Shown),
        b"OPTIONS" => Ok(Reply::Options),
        b"POST" | b"PATCH" | b"DELETE" => {
            // A request of another request has not passed the gates, and changes nothing.
            if !api.writes || exchange.record.detour.is_subrequest {
                return Err(fault::method_disabled());
            }
            guard::check_change(connection, gates)?;
            if asked.method == b"DELETE" && view.reset(path)? {
                return Ok(Reply::Done);
            }
            if let (b"POST", ["http", "upstreams", name, "hold"]) = (asked.method.as_slice(), path) {
                let (_, body) = (view.upstream(name)?, body(connection, exchange, routed).await?);
                return view.hold(name, &body).map(Reply::Shown);
            }
            let ["http", "upstreams", name, "servers", id @ ..] = path else {
                // It is there, or that is what is wrong.
                view.get(path, None)?;
                return Err(fault::method_disabled());
            };
            let upstream = (view.router(), view.upstream(name)?);
            let body = match asked.method.as_slice() {
                b"DELETE" => Vec::new(),
                _ => body(connection, exchange, routed).await?,
            };
            edit::change(&connection.thread.control, upstream, &asked.method, id, &body).await
        }
        _ => Err(fault::method_disabled()),
    }
}

fn is_get(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD")
}

fn asked(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>, api: &Api) -> Asked {
    let path = String::from_utf8_lossy(&exchange.path);
    let path = path.strip_prefix(&api.path).unwrap_or_default();
    let path = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let facts = connection.facts(&exchange.request, routed, &exchange.path, &exchange.record, None);
    let fields = route::argument(facts.args(), b"fields").map(|value| list(&String::from_utf8_lossy(value)));
    Asked { method: request::method(connection, exchange, routed).to_vec(), path, fields }
}

/// Reads the body, which has to fit behind the request's head: servers' settings are short.
async fn body(connection: &mut Downstream, exchange: &Exchange, routed: &mut Routed<'_>) -> Result<Vec<u8>, Fault> {
    use upstream::body::Unready;
    let read = upstream::body::whole(connection, exchange, routed).await;
    let bytes = read.map_err(|unready| match unready {
        Unready::Closed(_) => Fault::Gone(After::Drop),
        Unready::Status(413) => fault::told(413, "RequestEntityTooLarge", "request body is too large"),
        Unready::Status(_) | Unready::Here(_) => fault::bad("BodyReadError", "reading request body failed"),
    })?;
    let limit = routed.settings.client_max_body_size;
    if limit > 0 && bytes.len() as u64 > limit {
        return Err(fault::told(413, "RequestEntityTooLarge", "request body is too large"));
    }
    Ok(bytes)
}

fn request_id(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>) -> String {
    let mut id = Vec::new();
    let facts = connection.facts(&exchange.request, routed, &exchange.path, &exchange.record, None);
    route::Facts::append(&facts, &route::Fact::RequestId, &mut id);
    String::from_utf8_lossy(&id).into_owned()
}

async fn send(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    status: u16,
    value: &Value,
    fields: &[u8],
) -> Served {
    let text = value.to_string().into_bytes();
    let answer = Answer { media_type: b"application/json", fields, ..Answer::new(status, &text) };
    Served::Done(answer::send(connection, exchange, routed, &answer).await)
}
