//! The scratch space of one request and its answer, kept by the thread between requests.

use balance::Attempts;
use net::Buffer;
use wire::{RequestHead, ResponseHead};

use crate::facts::Record;
use crate::pace::Pace;
use crate::upstream::course::Course;
use crate::upstream::spool::Spool;
use crate::zones::Processing;

/// What a request needs while it is in flight. Everything in it keeps its memory from one request to the next.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    /// The normalized path where it differs from the one that came.
    pub(crate) path: Vec<u8>,
    /// What `hash` hashes.
    pub(crate) key: Vec<u8>,
    /// The routes of servers that `sticky` has found in the request, each with [`ROUTE_END`] behind it.
    pub(crate) routes: Vec<u8>,
    /// What goes to the upstream: head, and the body's beginning.
    pub(crate) to_upstream: Vec<u8>,
    /// What goes to the client: head, and the body's beginning.
    pub(crate) to_client: Vec<u8>,
    /// What came from the upstream.
    pub(crate) from_upstream: Buffer,
    /// A request's body on its way, beyond what came with its head.
    pub(crate) body: Buffer,
    /// Lines that an answer with `X-Accel-Redirect` adds to the one that the client gets.
    pub(crate) kept_fields: Vec<u8>,
    /// Fields of the upstream's answer that the client gets with another value, by their number.
    pub(crate) rewritten: Vec<(usize, Vec<u8>)>,
    /// The request asks the upstream to change the protocol, as the client asked for.
    pub(crate) asks_upgrade: bool,
    /// The upstream server is asked to close the connection behind its answer.
    pub(crate) asks_close: bool,
    /// A request's body that is kept to be sent whole.
    pub(crate) spool: Spool,
    /// The pace of an answer that is given here.
    pub(crate) pace: Option<Box<Pace>>,
    pub(crate) maps: route::Scratch,
    pub(crate) attempts: Attempts,
    /// When the first of its attempts at an upstream's servers began.
    pub(crate) begun_ms: u64,
    /// Where it stands between them, once one has failed.
    pub(crate) course: Option<Course>,
    /// It is counted as under way, where its server has a `status_zone`.
    pub(crate) processing: Option<Processing>,
    /// What the log says of it.
    pub(crate) record: Record,
}

/// No header field and no variable has it.
pub(crate) const ROUTE_END: u8 = 0;

/// No vector of an exchange that is kept may hold on to more than this: one large request must not cost for ever.
const KEPT_BYTES: usize = 64 * 1024;

impl Exchange {
    /// Forgets a body that was kept: the request goes on without it.
    pub(crate) fn forget_body(&mut self) {
        self.spool.reset();
    }

    /// Makes it ready for another server's answer to the same request.
    pub(crate) fn prepare_again(&mut self) {
        self.asks_upgrade = false;
        self.asks_close = false;
        self.record.proxied = None;
        self.record.is_sent_on = true;
        self.from_upstream.clear();
        self.response.clear();
        self.attempts.reset();
    }

    /// Makes it ready for the next request.
    pub(crate) fn reset(&mut self) {
        let Self { path, key, routes, to_upstream, to_client, kept_fields, .. } = self;
        for bytes in [path, key, routes, to_upstream, to_client, kept_fields] {
            bytes.clear();
            if bytes.capacity() > KEPT_BYTES {
                bytes.shrink_to(KEPT_BYTES);
            }
        }
        self.from_upstream = Buffer::new();
        self.body = Buffer::new();
        self.rewritten.clear();
        self.asks_upgrade = false;
        self.asks_close = false;
        self.spool.reset();
        self.pace = None;
        self.maps.reset();
        self.attempts.reset();
        self.processing = None;
        self.record.reset();
    }
}
