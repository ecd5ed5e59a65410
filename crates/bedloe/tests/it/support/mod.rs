//! What several of the program's tests need: peers to compare with, servers to stand behind, a client to ask.

pub(crate) mod admin;
pub(crate) mod balancer;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod frames;
pub(crate) mod http2;
pub(crate) mod name_server;
pub(crate) mod nginx;
pub(crate) mod raw;
pub(crate) mod scripted;
pub(crate) mod stand_in;
pub(crate) mod tls_server;
pub(crate) mod upstream;

/// Says that a test needs what is not installed here.
#[allow(clippy::print_stderr, reason = "a test that is skipped must be seen")]
pub(crate) fn skipped(test: &str, missing: &str) {
    eprintln!("skipped: {test}: {missing} is not installed");
}
