//! The interface that shows and changes a running balancer, pages about it, and what it counts by.

use std::path::PathBuf;

/// `api`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// `write=on`: servers may be changed and counts reset.
    pub writes: bool,
}

/// A page about the balancer itself, as content of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// `stub_status`.
    StubStatus,
    /// `prometheus`.
    Prometheus,
    /// `dashboard`.
    Dashboard,
}

impl Page {
    /// The directive's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::StubStatus => "stub_status",
            Self::Prometheus => "prometheus",
            Self::Dashboard => "dashboard",
        }
    }
}

/// What of an upstream is shared, shown and kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone {
    /// `zone`: its name; only upstreams with one are shown and changed by `api`.
    pub name: Option<String>,
    /// `state`: the file that the servers are kept in.
    pub state: Option<PathBuf>,
}
