//! The balancer's data plane: client connections, requests through `route` and `balance`, upstream pools, logs.
//!
//! The way of a request is that of the files: [`worker`] accepts, `connection` reads a head, `request` routes it,
//! `answer` or `upstream` sees to it. The client's side of a request is a `downstream`, which reaches the client
//! through its `channel`. What is not here: reading configuration files, signals and processes, pages (all in
//! `bedloe`).

mod accept;
mod affinity;
mod answer;
mod api;
mod basic;
mod channel;
mod client;
mod client_cert;
mod connection;
mod control;
mod counters;
mod dates;
mod detour;
mod downstream;
mod dress;
mod error_page;
mod events;
mod exchange;
mod facts;
mod files;
mod gate;
mod gunzip;
mod gzip;
mod health;
mod held;
mod hops;
mod http2;
mod limits;
mod lines;
mod log;
mod lru;
mod names;
mod pace;
mod pages;
mod paths;
mod proxy_protocol;
mod random;
mod renew;
mod request;
mod rewriting;
mod site;
mod snapshot;
mod status;
mod sums;
mod thread;
mod tls_count;
mod upstream;
pub mod worker;
mod written;
mod zones;

pub use events::{Event, Events, RETRIES};
pub use gate::is_known_password;
pub use log::{LogWriter, Logs, SYSLOG_END, level_name, line as process_line};
pub use pages::{PageAsked, PageMade, Pages};
pub use snapshot::{Snapshot, SnapshotError};
pub use status::{
    Classes, LastCheck, ReloadStatus, STATES, ServerStatus, Status, Times, TlsStatus, UpstreamStatus, ZoneStatus,
};
pub use worker::{Listening, Running};
