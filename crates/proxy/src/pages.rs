//! Pages about the balancer as content of a location: who may have them, and that they reach the client. What they say
//! is the program's business.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use conf::tree::Page;

use crate::answer::{self, Answer};
use crate::api::guard;
use crate::control::Control;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::limits::PAGES_AT_ONCE;
use crate::request::{self, Routed, Served};
use crate::status::Status;
use crate::worker::Shared;

/// Who makes pages of what is counted.
pub trait Pages: Debug + Send + Sync {
    /// Makes one.
    fn make(&self, asked: PageAsked<'_>, status: &dyn Fn() -> Status) -> PageMade;
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct PageAsked<'a> {
    /// The page.
    pub page: Page,
    /// What stands behind the question mark.
    pub query: &'a [u8],
}

/// A page.
#[derive(Debug, Clone)]
pub struct PageMade {
    /// `Content-Type`.
    pub media_type: &'static str,
    /// More fields, as lines that each end with CR LF.
    pub fields: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Answers a request that has passed its location's gates.
pub(crate) async fn serve(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    page: Page,
) -> Served {
    if !matches!(request::method(connection, exchange, routed), b"GET" | b"HEAD") {
        return Served::Status(405);
    }
    // nginx's page is as open as nginx's is: it names nobody.
    if page != Page::StubStatus
        && let Err(why) = guard::check(connection, exchange, routed)
    {
        connection.log_failure(exchange, routed, &format!("\"{}\" is refused: {why}", page.name()), None);
        return Served::Status(403);
    }
    let made = if page == Page::StubStatus {
        let shared = &connection.thread.control.shared;
        shared.pages.make(PageAsked { page, query: b"" }, &|| shared.status())
    } else {
        match made_aside(connection, exchange, routed, page).await {
            Ok(made) => made,
            Err(why) => {
                connection.log_failure(exchange, routed, &format!("\"{}\": {why}", page.name()), None);
                return Served::Status(503);
            }
        }
    };
    let answer = Answer {
        media_type: made.media_type.as_bytes(),
        fields: made.fields.as_bytes(),
        ..Answer::new(200, &made.body)
    };
    Served::Done(answer::send(connection, exchange, routed, &answer).await)
}

/// Has it made on a thread of its own: a large one takes milliseconds, which are other requests'.
async fn made_aside(
    connection: &Downstream,
    exchange: &Exchange,
    routed: &Routed<'_>,
    page: Page,
) -> io::Result<PageMade> {
    let facts = connection.facts(&exchange.request, routed, &exchange.path, &exchange.record, None);
    let (query, shared) = (facts.args().to_vec(), Arc::clone(&connection.thread.control.shared));
    let Some(place) = Place::take(&shared) else {
        return Err(io::Error::other(format!("{PAGES_AT_ONCE} pages are being made already")));
    };
    Control::aside("page", move || {
        let Place(shared) = &place;
        shared.pages.make(PageAsked { page, query: &query }, &|| shared.status())
    })
    .await
}

/// One of the pages that are made at once.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let place = Self(Arc::clone(shared));
        (shared.pages_being_made.fetch_add(1, Relaxed) < PAGES_AT_ONCE).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.pages_being_made.fetch_sub(1, Relaxed);
    }
}

/// For configurations that name no page.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct NoPages;

#[cfg(test)]
impl Pages for NoPages {
    fn make(&self, _: PageAsked<'_>, _: &dyn Fn() -> Status) -> PageMade {
        unreachable!("the configuration has none")
    }
}
