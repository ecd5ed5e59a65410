//! HTTP/2 to clients: messages in order by a client of another make, the wrong ones by literal frames, floods, the end.

mod bodies;
mod ends;
mod floods;
mod messages;
mod spec;

use std::net::SocketAddr;

use crate::support::balancer::{Balancer, proxying};

/// A balancer that speaks HTTP/2 without TLS, and proxies to these servers.
fn before(servers: &[SocketAddr], location: &str) -> Balancer {
    Balancer::start(&proxying(servers, "", location).replace("listen LISTEN;", "listen LISTEN http2;"))
}
