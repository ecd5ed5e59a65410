//! Where a host's figures come from: the kernel of this machine, or an agent.

use std::path::Path;

use anyhow::{Context, bail};
use host::facts::Host;
use hyper::StatusCode;

use super::totals::Totals;
use crate::fetch::{Client, Credentials, Origin};

/// Bytes of an agent's page: a host with some hundred devices and a Liberty server says a few hundred KiB.
const PAGE_MAX: usize = 4 << 20;

/// A host that can be looked at.
pub(crate) struct Source {
    name: String,
    from: From,
}

enum From {
    Here(Box<Host>),
    Agent(Box<Client>),
}

impl Source {
    /// This machine, with the processes of these names watched.
    pub(crate) fn here(name: String, processes: &[String]) -> anyhow::Result<Self> {
        let host = Host::open(Path::new("/"), processes).context("cannot open this machine's root folder")?;
        Ok(Self { name, from: From::Here(Box::new(host)) })
    }

    /// The host that an agent is of.
    pub(crate) fn agent(name: String, origin: Origin, credentials: Credentials) -> anyhow::Result<Self> {
        Ok(Self { name, from: From::Agent(Box::new(Client::new(origin, credentials)?)) })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shown(&self) -> String {
        match &self.from {
            From::Here(_) => "this machine".to_owned(),
            From::Agent(client) => client.origin().to_string(),
        }
    }

    /// What it has counted up to now.
    pub(super) async fn look(&mut self) -> anyhow::Result<Totals> {
        match &mut self.from {
            From::Here(host) => Ok(Totals::of_snapshot(&host.look(), net::clock::unix_ns() as f64 / 1e9)),
            From::Agent(client) => {
                let (status, page) = client.get("/metrics", PAGE_MAX).await?;
                match status {
                    StatusCode::OK => {}
                    StatusCode::UNAUTHORIZED => bail!("the agent wants a token: --agent-token FILE"),
                    status => bail!("/metrics is answered with {status}"),
                }
                let totals = Totals::of_text(std::str::from_utf8(&page).context("/metrics is no text")?);
                totals.context("/metrics is not that of an agent or of node_exporter")
            }
        }
    }
}
