//! Servers with `resolve`: their names are looked up for as long as the configuration is served, each again when its
//! answer no longer holds, and what changes is published. All of it is on a thread that carries no request.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use conf::tree::{PeerAddress, ResolvedServer};
use net::resolver::{Answer, Failure, Resolver};
use route::Router;

use crate::control::Control;
use crate::snapshot::{Snapshot, resolver_settings};

/// When a name is looked up again that could not be.
const RETRY_MS: u64 = 1_000;
/// How often it is looked whether the configuration is served yet.
const LOOK_MS: u64 = 500;

/// One upstream with such servers.
struct Renewed {
    index: usize,
    router: Arc<Router>,
    control: Control,
}

/// Looks after the snapshot's servers with `resolve`, if it has any.
pub(crate) fn start(snapshot: &Arc<Snapshot>, control: Control) -> std::io::Result<()> {
    let is_renewed = |index: &usize| !snapshot.router.upstreams()[*index].resolved.is_empty();
    let indexes: Vec<usize> = (0..snapshot.upstreams.len()).filter(is_renewed).collect();
    let Some(resolver) = (!indexes.is_empty()).then(|| snapshot.any_resolver().cloned()).flatten() else {
        return Ok(());
    };
    let router = Arc::clone(&snapshot.router);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("names".to_owned()).spawn(move || {
        let tasks = tokio::task::LocalSet::new();
        for index in indexes {
            let renewed = Rc::new(Renewed { index, router: Arc::clone(&router), control: control.clone() });
            for server in 0..renewed.router.upstreams()[index].resolved.len() {
                tasks.spawn_local(keep(Rc::clone(&renewed), server, resolver.clone()));
            }
        }
        drop((router, resolver, control));
        runtime.block_on(tasks);
    })?;
    Ok(())
}

/// Looks one server up, again and again.
async fn keep(renewed: Rc<Renewed>, server: usize, resolver: Resolver) {
    let resolved = &renewed.router.upstreams()[renewed.index].resolved[server];
    let settings = resolver_settings(&resolved.resolver);
    while renewed.is_served() {
        let found = resolver.lookup(&settings, &resolved.host).await;
        let mut rest_ms = found.as_ref().map_or(RETRY_MS, |answer| answer.valid_ms.max(RETRY_MS));
        renewed.take(server, resolved, found);
        while rest_ms > 0 && renewed.is_served() {
            let step_ms = rest_ms.min(LOOK_MS);
            tokio::time::sleep(Duration::from_millis(step_ms)).await;
            rest_ms -= step_ms;
        }
    }
}

impl Renewed {
    /// Takes what was found of a server; where its name is gone it has no addresses, and where nobody knows it keeps
    /// those that it has.
    fn take(&self, server: usize, resolved: &ResolvedServer, found: Result<Answer, Failure>) {
        let mut addresses: Vec<PeerAddress> = match found {
            Ok(answer) => {
                let at = |ip| PeerAddress::Ip(std::net::SocketAddr::new(ip, resolved.port));
                let mut ips = answer.addresses;
                ips.sort_unstable();
                ips.into_iter().map(at).collect()
            }
            Err(Failure::NotFound) => Vec::new(),
            Err(_) => return,
        };
        addresses.dedup();
        self.control.change(&self.router, self.index, |_, upstream| {
            upstream.members.with_addresses(server, resolved.position, &addresses)
        });
    }

    fn is_served(&self) -> bool {
        self.control.serves(&self.router)
    }
}
