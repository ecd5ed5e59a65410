//! HTTP/1.1 on the wire, both roles, without sockets: bytes in, checked heads and body pieces out.
//!
//! What is here follows RFC 9112 (message syntax) and RFC 9110 (semantics) strictly, because a balancer that reads a
//! message differently from the server behind it lets one client's bytes become another's request:
//!
//! - [`RequestHead`] and [`ResponseHead`] (RFC 9112 2 to 5): spans into the caller's bytes, nothing copied;
//! - [`Framing`] and [`Body`] (RFC 9112 6 and 7): where a message ends, and its content piece by piece;
//! - [`encode`]: the few bytes that a proxy, a server or a client writes itself.
//!
//! Left out on purpose: reading and writing, time-outs, decisions about what is forwarded, HTTP/2. Nothing here
//! touches a socket, a clock or randomness, and nothing allocates once a head has seen as many fields as its peers
//! send (only trailers, which are rare, are copied).

mod body;
pub mod date;
pub mod encode;
mod fault;
mod field;
mod head;
mod host;
mod known;
mod reader;
mod request;
mod response;
mod scan;
mod summary;
mod vector;

pub use body::{Body, BodyError, CHUNK_EXTENSION_MAX, Piece, TRAILER_BYTES_MAX, TRAILER_FIELDS_MAX};
pub use fault::{Malformed, Refusal};
pub use field::{Field, NameKind, find};
pub use head::{FIELDS_MAX, Framing, HEAD_BYTES_MAX, LINE_BYTES_MAX, Limits, Span, Version};
pub use known::{Known, KnownSet};
pub use request::RequestHead;
pub use response::ResponseHead;
