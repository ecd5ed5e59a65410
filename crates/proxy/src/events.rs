//! Events of the balancer: servers going down and up, by requests' failures or by checks; reloads. They are rare, and
//! may cost a lock.

use serde::Serialize;
use tokio::sync::broadcast;

use crate::limits::EVENTS_KEPT;

/// Something that happened.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What: `down`, `up`, `unhealthy`, `healthy`, `retries`, or `reload` and `reload_refused`, which are no server's.
    pub event: &'static str,
    /// The upstream's name.
    pub upstream: String,
    /// The server's name, as written in the configuration.
    pub server: String,
    /// Why, for people.
    pub why: String,
    /// How many, for `retries`.
    pub count: u64,
}

/// The kind of event that counts.
pub const RETRIES: &str = "retries";

/// Where events are sent to and read from. Cloning it is cheap; a reader that lags loses the oldest.
#[derive(Debug, Clone)]
pub struct Events {
    sender: broadcast::Sender<Event>,
}

impl Events {
    /// A new stream of events.
    pub fn new() -> Self {
        Self { sender: broadcast::channel(EVENTS_KEPT).0 }
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    /// Tells all readers; nobody need be reading.
    pub fn send(&self, event: Event) {
        let _ = self.sender.send(event);
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}
