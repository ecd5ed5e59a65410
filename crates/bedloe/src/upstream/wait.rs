//! Waiting for a server to have nothing left to do.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::client::{Client, escaped};

/// How often the interface is asked.
const LOOK: Duration = Duration::from_millis(200);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// Nobody waited.
    No,
    Done,
    /// There is still something under way.
    GivenUp {
        in_flight: u64,
    },
}

impl Waited {
    /// What was under way at the end, where somebody waited.
    pub(super) fn in_flight(self) -> Option<u64> {
        match self {
            Self::No => None,
            Self::Done => Some(0),
            Self::GivenUp { in_flight } => Some(in_flight),
        }
    }
}

/// Waits until a server has no request in flight, and has got none for so long.
pub(super) async fn until_idle(
    client: &Client,
    upstream: &str,
    id: u64,
    idle: Duration,
    patience: Duration,
) -> anyhow::Result<Waited> {
    let path = format!("http/upstreams/{}?fields=peers", escaped(upstream));
    let mut quiet = Quiet { requests: None, since: Instant::now() };
    until(patience, async || {
        let shown = client.get(&path).await?;
        let peer = shown["peers"].as_array().into_iter().flatten().find(|peer| peer["id"] == id);
        // One that somebody else has removed meanwhile has nothing to do here.
        let Some(peer) = peer else { return Ok((0, true)) };
        let in_flight = peer["active"].as_u64().unwrap_or(0);
        Ok((in_flight, in_flight == 0 && quiet.since(peer["requests"].as_u64()) >= idle))
    })
    .await
}

/// Waits until no server that was removed from an upstream has anything under way.
pub(super) async fn until_gone(client: &Client, upstream: &str, patience: Duration) -> anyhow::Result<Waited> {
    let path = format!("http/upstreams/{}?fields=zombies", escaped(upstream));
    until(patience, async || {
        let zombies = client.get(&path).await?["zombies"].as_u64().unwrap_or(0);
        Ok((zombies, zombies == 0))
    })
    .await
}

/// For how long a count has been what it is.
struct Quiet {
    requests: Option<u64>,
    since: Instant,
}

impl Quiet {
    fn since(&mut self, requests: Option<u64>) -> Duration {
        if self.requests != requests {
            *self = Self { requests, since: Instant::now() };
        }
        self.since.elapsed()
    }
}

async fn until(
    patience: Duration,
    mut look: impl AsyncFnMut() -> anyhow::Result<(u64, bool)>,
) -> anyhow::Result<Waited> {
    let end = Instant::now() + patience;
    loop {
        let (in_flight, is_over) = look().await?;
        if is_over {
            return Ok(Waited::Done);
        }
        if Instant::now() >= end {
            return Ok(Waited::GivenUp { in_flight });
        }
        sleep(LOOK).await;
    }
}
