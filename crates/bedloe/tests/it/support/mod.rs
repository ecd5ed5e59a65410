//! What several of the program's tests need: peers to compare with, servers to stand behind, a client to ask.

pub(crate) mod admin;
pub(crate) mod balancer;
pub(crate) mod client;
pub(crate) mod nginx;
pub(crate) mod raw;
pub(crate) mod scripted;
pub(crate) mod upstream;
