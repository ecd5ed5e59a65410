//! Changes of the configuration that is served, one after the other: what `api` asks for, names that lead elsewhere.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use route::{Router, UpstreamRule};
use tokio::sync::{oneshot, watch};

use crate::snapshot::{Members, UpstreamSnapshot};
use crate::worker::{Orders, Shared};

/// The way from a thread to what all of them serve.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) shared: Arc<Shared>,
    orders: Weak<watch::Sender<Orders>>,
    /// Held while a change is made that takes more than one step.
    changing: Arc<Mutex<()>>,
}

impl Control {
    pub(crate) fn new(shared: &Arc<Shared>, orders: &Weak<watch::Sender<Orders>>) -> Self {
        Self { shared: Arc::clone(shared), orders: Weak::clone(orders), changing: Arc::default() }
    }

    /// Whether the configuration of this router is served.
    pub(crate) fn serves(&self, router: &Arc<Router>) -> bool {
        self.orders.upgrade().is_some_and(|orders| orders.borrow().serves(router))
    }

    /// Publishes an upstream with other servers, made of those that it has; whether its configuration is served.
    pub(crate) fn change(
        &self,
        router: &Arc<Router>,
        index: usize,
        change: impl FnOnce(&UpstreamRule, &UpstreamSnapshot) -> Option<Members>,
    ) -> bool {
        let Some(orders) = self.orders.upgrade() else { return false };
        let mut is_served = false;
        orders.send_if_modified(|orders| {
            is_served = orders.serves(router);
            if !is_served {
                return false;
            }
            let rule = &router.upstreams()[index];
            let before = orders.upstream(index);
            let Some(members) = change(rule, &before) else { return false };
            let upstream = before.with(rule, members);
            if router.has_api() || self.shared.has_api.load(Relaxed) {
                upstream.count_all();
            }
            self.shared.put(orders.with_upstream(index, upstream));
            true
        });
        is_served
    }

    /// Waits until no other change of several steps is under way.
    pub(crate) fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does on a thread of its own what may wait for a disk.
    pub(crate) async fn aside<T: Send + 'static>(
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let (done, result) = oneshot::channel();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Who asked may be gone.
            let _ = done.send(work());
        })?;
        result.await.map_err(|_| io::Error::other("a change was not finished"))
    }
}
