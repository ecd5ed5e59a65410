//! The signals that end a lab in good order.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, the order to end, and the terminal that goes away.
pub(crate) struct Signals([Signal; 3]);

impl Signals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
