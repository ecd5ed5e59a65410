//! The balancer as a roll speaks to it: each request within a time, and changes only while the upstream is held.
//!
//! The hold is the balancer's (`hold` of its `api`): a second roll of the upstream through the same balancer is
//! refused, from whichever host it comes. It is renewed for as long as the roll lives, and lapses soon after it has
//! died.

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::{anyhow, bail};
use hyper::StatusCode;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::view::{Marks, Server, View};
use crate::upstream::client::{Client, Refused};

/// How long a request may take, with all its tries: the balancer may be about to read its configuration anew.
const REACH: Duration = Duration::from_secs(8);
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// The same where somebody waits for the end.
pub(super) const SOON: Duration = Duration::from_secs(3);
/// How long a hold lasts, and how often it is renewed.
const HELD_SECONDS: u64 = 20;
const RENEW: Duration = Duration::from_secs(4);

pub(super) struct Balancer<'a> {
    client: &'a Client,
    upstream: &'a str,
    owner: String,
    /// Who has taken the upstream since.
    lost: RefCell<Option<String>>,
}

impl<'a> Balancer<'a> {
    pub(super) fn new(client: &'a Client, upstream: &'a str) -> Self {
        Self { client, upstream, owner: owner(), lost: RefCell::default() }
    }

    /// Takes the upstream for this roll.
    pub(super) async fn hold(&self) -> anyhow::Result<()> {
        let held = self.within(REACH, async || self.client.hold(self.upstream, &self.owner, HELD_SECONDS).await).await;
        let Err(error) = held else { return Ok(()) };
        match error.downcast_ref::<Refused>() {
            Some(refused) if is_held(refused) => {
                bail!("another roll is under way: {} (or for {HELD_SECONDS} s after it has died)", refused.text)
            }
            Some(refused) if ["PathNotFound", "MethodDisabled"].contains(&refused.code.as_str()) => {
                bail!("the balancer has to be of this version, and its api to have \"write=on\": {error}")
            }
            _ => Err(error),
        }
    }

    /// Goes on holding it, for ever.
    pub(super) async fn keep(&self) -> Infallible {
        loop {
            sleep(RENEW).await;
            // One that does not answer is asked again soon enough.
            let _ = timeout(REACH, self.renew()).await;
        }
    }

    /// Gives it back.
    pub(super) async fn release(&self) {
        // Else it lapses.
        let _ = timeout(SOON, self.client.hold(self.upstream, &self.owner, 0)).await;
    }

    /// Whether somebody else has it: then nothing may be changed any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.borrow().is_some()
    }

    /// The servers as they are now.
    pub(super) async fn look(&self) -> anyhow::Result<View> {
        self.still_held()?;
        self.within(REACH, async || View::look(self.client, self.upstream).await).await
    }

    /// Changes what is said of a server, if that is one of what it may be by now. A balancer that starts anew gives
    /// numbers anew: it is looked before whose number it is.
    pub(super) async fn mark(&self, server: &Server, from: &[Marks], to: Marks) -> anyhow::Result<()> {
        self.mark_within(REACH, server, from, to).await
    }

    pub(super) async fn mark_within(
        &self,
        limit: Duration,
        server: &Server,
        from: &[Marks],
        to: Marks,
    ) -> anyhow::Result<()> {
        let body = json!({"down": to.down, "drain": to.drain});
        let changed = self.within(limit, async || {
            self.renew().await?;
            // What was tried before may be done, though nobody was told.
            View::look(self.client, self.upstream).await?.own(server, &[from, &[to]].concat())?;
            self.client.patch(self.upstream, server.id, &body).await
        });
        changed.await.map(drop)
    }

    /// A hold lapses where its owner was stopped for long, or the balancer not to be reached: then another may have it.
    async fn renew(&self) -> anyhow::Result<()> {
        self.still_held()?;
        let renewed = self.client.hold(self.upstream, &self.owner, HELD_SECONDS).await;
        if let Err(Some(refused)) = renewed.as_ref().map_err(|error| error.downcast_ref::<Refused>())
            && is_held(refused)
        {
            *self.lost.borrow_mut() = Some(refused.text.clone());
        }
        self.still_held()?;
        renewed.map(drop)
    }

    fn still_held(&self) -> anyhow::Result<()> {
        match &*self.lost.borrow() {
            None => Ok(()),
            Some(text) => bail!("another roll has taken over, and what is set of the servers is its business: {text}"),
        }
    }

    /// Does something, once more where it fails.
    async fn within<T>(&self, limit: Duration, work: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let all = async {
            let mut tries = 0;
            loop {
                tries += 1;
                match work().await {
                    Err(error) if tries < TRIES && !self.is_lost() && !is_final(&error) => sleep(PAUSE).await,
                    done => return done,
                }
            }
        };
        let silent = || anyhow!("the api at {} does not answer within {} s", self.client.shown(), limit.as_secs());
        timeout(limit, all).await.unwrap_or_else(|_| Err(silent()))
    }
}

/// Whether asking again changes nothing.
fn is_final(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status.is_client_error())
}

fn is_held(refused: &Refused) -> bool {
    refused.status == StatusCode::CONFLICT && refused.code == "UpstreamHeld"
}

/// What this roll is called: nobody else's name.
fn owner() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().chars().take(64).collect::<String>();
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ");
    format!("bedloe roll, process {} on {}, since {now}", std::process::id(), crate::visible::visible(&host))
}
