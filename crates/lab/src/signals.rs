//! The signals that end a lab, or what else is to be ended in good order by the first and at once by the second.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How many of Ctrl-C, the order to end and the terminal's going away have come. Counted by a task of its own, so that
/// none waits for whatever is done at that moment.
#[derive(Clone)]
pub struct Signals(watch::Receiver<u32>);

impl Signals {
    /// Catches the signals from now on. Must run inside a `LocalSet`.
    pub fn new() -> io::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let (count, counted) = watch::channel(0);
        for kind in kinds {
            tokio::task::spawn_local(counting(signal(kind)?, count.clone()));
        }
        Ok(Self(counted))
    }

    /// Waits until a signal has come: the load ends, the rest is taken down in order.
    pub async fn first(&mut self) {
        self.at_least(1).await;
    }

    /// Does something that ends in good order by the first signal; at the second it is dropped, and there is nothing.
    pub async fn until_second<T>(&self, task: impl Future<Output = T>) -> Option<T> {
        let mut signals = self.clone();
        tokio::select! {
            biased;
            () = signals.at_least(2) => None,
            done = task => Some(done),
        }
    }

    /// Whether one has come.
    pub fn have_come(&self) -> bool {
        *self.0.borrow() > 0
    }

    async fn at_least(&mut self, count: u32) {
        if self.0.wait_for(|come| *come >= count).await.is_err() {
            // Nobody counts any more: no signal will come.
            std::future::pending::<()>().await;
        }
    }
}

async fn counting(mut signal: Signal, count: watch::Sender<u32>) {
    while signal.recv().await.is_some() {
        count.send_modify(|count| *count = count.saturating_add(1));
    }
}
