//! `bedloe run` from the outside, by literal bytes on both of its sides.

mod abuse;
mod accel;
mod answers;
mod auth_request;
mod bodies;
mod ending;
mod failures;
mod fields;
mod http2;
mod keep_alive;
mod messages;
mod methods;
mod names;
mod pace;
mod pressure;
mod proxied;
mod requests;
mod retries;
mod rewriting;
mod start;
mod timeouts;
mod tls;
mod tls_upstream;
mod unix;
mod upgrades;
mod uploads;
