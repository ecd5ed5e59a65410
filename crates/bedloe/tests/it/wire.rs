//! The rules of the RFCs that a proxy must keep, as tables of literal bytes: one row a rule, its section as its name.
//!
//! A row says what goes over the wire on both sides: what the client sends and the upstream sees of it, what the
//! upstream answers and the client gets of it. `script` is what a row is made of, `run` plays it before a running
//! balancer, once in whole pieces and once byte by byte; `http2` is both for frames. What needs time, many connections
//! or other settings is in `balancer`; what a field means to the configuration is there too.

mod answers;
mod bodies;
mod exchanges;
mod http2;
mod http2_frames;
mod http2_messages;
mod requests;
mod run;
mod script;
