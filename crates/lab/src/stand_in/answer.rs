//! What a stand-in answers to a request: delays and errors on order, then the page.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};

use super::Options;
use super::body::Body;
use super::dice::Dice;
use super::fault::{Broken, Fault, Present, SLOW};
use super::orders::Orders;
use super::pages;
use super::session::{Identity, Sessions, split_path};

/// The longest field, Liberty's `limitFieldSize`.
const FIELD_MAX: usize = 32_768;
/// The longest delay that a request may ask for.
const DELAY_MAX: Duration = Duration::from_secs(600);

/// The field that says which server an answer is of.
pub(crate) const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");

/// One server: what it was told to be and what it remembers.
pub(super) struct Server {
    pub(super) options: Options,
    pub(super) dice: Dice,
    pub(super) sessions: RefCell<Sessions>,
    pub(super) orders: RefCell<Orders>,
    pub(super) fault: Present,
    opened: Instant,
    stopping: Cell<bool>,
    /// What its answers say of whose they are.
    signature: Option<HeaderValue>,
}

impl Server {
    pub(super) fn new(options: Options, orders: Orders) -> Self {
        let dice = Dice::new();
        let identity = Identity {
            clone: options.clone.clone().unwrap_or_else(|| uuid(&dice)),
            separator: options.separator,
            no_additional_info: options.no_additional_info,
        };
        let signed = || HeaderValue::from_str(&options.name).ok();
        Self {
            signature: options.faults.is_some().then(signed).flatten(),
            fault: Present::default(),
            options,
            dice,
            sessions: RefCell::new(Sessions::new(identity)),
            orders: RefCell::new(orders),
            opened: Instant::now(),
            stopping: Cell::new(false),
        }
    }

    /// From here on every answer is the last one of its connection.
    pub(super) fn stop(&self) {
        self.stopping.set(true);
    }

    /// Whether it says that it is ready for requests.
    pub(super) fn is_ready(&self) -> bool {
        self.options.ready_after.is_zero() || self.opened.elapsed() >= self.options.ready_after
    }

    /// Whose answer it is, where that is asked for.
    fn sign(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(name) = &self.signature {
            response.headers_mut().insert(SERVED_BY, name.clone());
        }
        response
    }

    /// What an answer given now is late by: the delay, and what is left of the warm-up's.
    fn delay(&self) -> Duration {
        let Options { delay, warm_up, warm_up_delay, .. } = self.options;
        if warm_up.is_zero() {
            return delay;
        }
        let left = 1.0 - (self.opened.elapsed().as_secs_f64() / warm_up.as_secs_f64()).min(1.0);
        delay + warm_up_delay.mul_f64(left)
    }
}

/// Answers one request, or fails it as told. `is_reused` where its connection had one before.
pub(super) async fn answer(
    server: &Rc<Server>,
    request: Request<Incoming>,
    is_reused: bool,
) -> Result<Response<Body>, Broken> {
    match server.fault.get() {
        Fault::Hang => server.fault.change().await,
        // What made a server slow is over for what it is at, too.
        Fault::Slow => tokio::select! {
            () = tokio::time::sleep(SLOW) => {}
            () = server.fault.change() => {}
        },
        Fault::Race if is_reused => return Err(Broken),
        Fault::Unavailable => return Ok(server.sign(pages::error(503))),
        _ => {}
    }
    let mut response = if request.headers().values().any(|value| value.len() > FIELD_MAX) {
        pages::text(StatusCode::BAD_REQUEST, "a header field is longer than limitFieldSize allows\n")
    } else if split_path(request.uri().path()).0.starts_with(pages::CONTEXT_ROOT) {
        application(server, request).await
    } else {
        pages::outside(server, &request)
    };
    if server.stopping.get() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    match server.fault.get() {
        Fault::Reset => Err(Broken),
        Fault::ResetWithin | Fault::Cut => Ok(server.sign(response.map(Body::cut))),
        _ => Ok(server.sign(response)),
    }
}

/// The application's pages, with the delays and errors that the options or the request ask for.
async fn application(server: &Rc<Server>, request: Request<Incoming>) -> Response<Body> {
    let query = request.uri().query().unwrap_or_default();
    let asked = pages::number(query, "delay_ms").map_or(Duration::ZERO, Duration::from_millis).min(DELAY_MAX);
    let status = pages::number(query, "status").and_then(|n| u16::try_from(n).ok());
    let delay = server.delay() + asked;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if server.dice.hit(server.options.error_rate) {
        return pages::error(server.options.error_status);
    }
    match status {
        Some(status) => pages::error(status),
        // On the heap: a page that reads a body has a future of a few hundred bytes that the others need not carry.
        None => pages::page(server, request).await,
    }
}

/// A made-up clone id in the form of a UUID, as a server has that was given none.
fn uuid(dice: &Dice) -> String {
    let (high, low) = (dice.bits(), dice.bits());
    let [a, b, c] = [high >> 32, high >> 16 & 0xffff, high & 0x0fff | 0x4000];
    format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff)
}
