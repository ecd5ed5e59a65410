//! The pages of a stand-in: the application's, health, and what it has none of.

use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LANGUAGE, CONTENT_TYPE, COOKIE, HeaderValue, SET_COOKIE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;

use super::answer::Server;
use super::body::Body;
use super::orders::OrderError;
use super::session::{cookie_of, split_path};

/// Where the application is mounted.
pub(super) const CONTEXT_ROOT: &str = "/accounts-external/";
/// What the hello page says: 58 bytes, as the page that the user's own tests fetch.
pub(crate) const HELLO: &str = r#"{"status":"UP","message":"hello from accounts","code":200}"#;
/// The longest body of an order.
const ORDER_BODY_MAX: usize = 64 * 1024;

/// A page of the application.
pub(super) async fn page(server: &Rc<Server>, request: Request<Incoming>) -> Response<Body> {
    let (path, _) = split_path(request.uri().path());
    let page = path.get(CONTEXT_ROOT.len()..).unwrap_or_default();
    let get = matches!(*request.method(), Method::GET | Method::HEAD);
    let put = matches!(*request.method(), Method::POST | Method::PUT);
    match page {
        "api/hello" if get || put => json(StatusCode::OK, HELLO),
        "api/session" if get || put => session(server, &request),
        "api/bytes" if get => bytes(&request),
        "api/echo" => Box::pin(echo(server, request)).await,
        "api/sink" if put => Box::pin(sink(request)).await,
        "api/orders" if get => object(StatusCode::OK, &server.orders.borrow().listing()),
        "api/orders" if put => Box::pin(order(server, request)).await,
        "api/hello" | "api/session" | "api/bytes" | "api/sink" | "api/orders" => error(405),
        _ => error(404),
    }
}

/// A page outside of the application: health, or none.
pub(super) fn outside(server: &Rc<Server>, request: &Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/health/live" => health(true),
        "/health" | "/health/ready" | "/health/started" => health(server.is_ready()),
        _ => text(StatusCode::NOT_FOUND, "Context Root Not Found\n"),
    }
}

/// A plain text.
pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

/// An error with any status.
pub(super) fn error(status: u16) -> Response<Body> {
    // 1xx would not end the exchange.
    let status = Some(status).filter(|status| *status >= 200).and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("no reason known");
    response(status, "text/plain; charset=utf-8", format!("Error {}: {reason}\n", status.as_u16()).into())
}

/// The number given as `name=` in a query.
pub(super) fn number(query: &str, name: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

fn health(up: bool) -> Response<Body> {
    if up {
        json(StatusCode::OK, r#"{"status":"UP","checks":[]}"#)
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"DOWN","checks":[]}"#)
    }
}

fn session(server: &Rc<Server>, request: &Request<Incoming>) -> Response<Body> {
    let cookies = request.headers().get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let shown = cookie_of(cookies).or_else(|| split_path(request.uri().path()).1);
    let visit = server.sessions.borrow_mut().visit(shown, &server.dice);
    let body = format!(r#"{{"n":{},"server":"{}","id":"{}"}}"#, visit.count, server.options.name, visit.id);
    let mut response = json(StatusCode::OK, body);
    if let Some(cookie) = visit.cookie
        && let Ok(value) = HeaderValue::try_from(format!("JSESSIONID={cookie}; Path=/; HttpOnly"))
    {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// `?n=N` bytes; with `chunked=1` their number is not announced.
fn bytes(request: &Request<Incoming>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let Some(length) = number(query, "n") else {
        return text(StatusCode::BAD_REQUEST, "say how many: ?n=1000\n");
    };
    let sized = number(query, "chunked") != Some(1);
    let mut response = Response::new(Body::stream(length, sized));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}

/// The request as it arrived, so that a test can see what a balancer made of it.
async fn echo(server: &Rc<Server>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(length) = swallow(body).await else { return error(400) };
    let said = json!({
        "server": server.options.name,
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "version": format!("{:?}", head.version),
        "headers": pairs(&head.headers),
        "body_bytes": length,
    });
    object(StatusCode::OK, &said)
}

async fn sink(request: Request<Incoming>) -> Response<Body> {
    match swallow(request.into_body()).await {
        Ok(length) => object(StatusCode::OK, &json!({ "bytes": length })),
        Err(_) => error(400),
    }
}

/// An order counts as carried out when all of its request has arrived and before the answer leaves.
async fn order(server: &Rc<Server>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, ORDER_BODY_MAX).collect().await else { return error(400) };
    let body = body.to_bytes();
    let id = match head.headers.get("x-order-id") {
        Some(id) => id.to_str().unwrap_or_default(),
        None => std::str::from_utf8(&body).unwrap_or_default().trim(),
    };
    let outcome = server.orders.borrow_mut().carry_out(id);
    match outcome {
        Ok(count) => object(StatusCode::CREATED, &json!({ "id": id, "count": count, "server": server.options.name })),
        Err(refusal) => {
            let status = match refusal {
                OrderError::BadId => StatusCode::BAD_REQUEST,
                OrderError::Full => StatusCode::INSUFFICIENT_STORAGE,
                OrderError::Log(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            response(status, "text/plain; charset=utf-8", format!("{refusal}\n").into())
        }
    }
}

async fn swallow(mut body: Incoming) -> Result<u64, hyper::Error> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, Bytes::len) as u64;
    }
    Ok(length)
}

fn pairs(headers: &HeaderMap) -> Vec<[String; 2]> {
    headers.iter().map(|(name, value)| [name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()]).collect()
}

fn object(status: StatusCode, value: &impl serde::Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(body) => json(status, body),
        Err(_) => error(500),
    }
}

fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = response(status, "application/json", body.into());
    response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static("en-US"));
    response
}

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
