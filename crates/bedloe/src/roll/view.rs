//! An upstream as the interface shows it at one moment: what a roll needs to know of its servers.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::upstream::client::{Client, escaped};
use crate::visible::visible;

/// All servers of an upstream.
#[derive(Debug)]
pub(super) struct View {
    pub(super) servers: Vec<Server>,
    /// The balancer knows of sessions that belong to servers.
    pub(super) is_sticky: bool,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) id: u64,
    /// As written in the configuration.
    pub(super) name: String,
    pub(super) address: String,
    pub(super) route: String,
    /// It gets requests where no other server can.
    pub(super) is_backup: bool,
    pub(super) slow_start: Duration,
    pub(super) marks: Marks,
    pub(super) state: String,
    /// Requests in flight.
    pub(super) active: u64,
    /// Requests sent to it.
    pub(super) requests: u64,
    pub(super) checks: Checks,
}

/// What somebody has said of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) down: bool,
    pub(super) drain: bool,
}

/// Counts of the balancer's checks of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Checks {
    pub(super) made: u64,
    pub(super) failed: u64,
    /// `None` where there are no checks.
    pub(super) last_passed: Option<bool>,
}

impl View {
    /// Asks the interface.
    pub(super) async fn look(client: &Client, upstream: &str) -> anyhow::Result<Self> {
        let name = escaped(upstream);
        let settings = client.get(&format!("http/upstreams/{name}/servers")).await?;
        let counts = client.get(&format!("http/upstreams/{name}?fields=peers,sticky")).await?;
        Ok(Self::read(&settings, &counts))
    }

    /// Of each server what is set and what is counted. A name that leads to several servers is none itself.
    fn read(settings: &Value, counts: &Value) -> Self {
        let settings = settings.as_array().map(Vec::as_slice).unwrap_or_default();
        let peers = counts["peers"].as_array().into_iter().flatten();
        let servers = peers.filter_map(|peer| {
            let set = settings.iter().find(|set| set["id"] == peer["id"])?;
            Some(Server::read(set, peer))
        });
        Self { servers: servers.collect(), is_sticky: counts["sticky"].is_string() }
    }

    #[cfg(test)]
    pub(super) fn of<const N: usize>(servers: [Server; N]) -> Self {
        Self { servers: servers.into(), is_sticky: false }
    }

    pub(super) fn server(&self, id: u64) -> Option<&Server> {
        self.servers.iter().find(|server| server.id == id)
    }

    /// A server as it is now, if it is still the one that was marked, and by one of these marks.
    pub(super) fn own(&self, server: &Server, marks: &[Marks]) -> anyhow::Result<&Server> {
        let own = self.server(server.id).filter(|own| own.address == server.address);
        let own = own.context("it is not in the upstream any more, or has another number")?;
        if !marks.contains(&own.marks) {
            bail!(
                "somebody else has changed what was set of it (a reload brings back what the configuration says): it \
                 is {}",
                own.state
            );
        }
        Ok(own)
    }

    /// How many servers beside this one get requests. A backup gets them too late: when there is nobody else.
    pub(super) fn others_up(&self, server: &Server) -> usize {
        let is_other = |other: &&Server| other.address != server.address && !other.is_backup && other.state == "up";
        self.servers.iter().filter(is_other).count()
    }
}

impl Server {
    fn read(set: &Value, peer: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let checks = &peer["health_checks"];
        Self {
            id: count(&peer["id"]),
            name: text(&peer["name"]),
            address: text(&peer["server"]),
            route: text(&set["route"]),
            is_backup: set["backup"] == true,
            slow_start: Duration::from_millis(conf::table::time_of(&text(&set["slow_start"])).unwrap_or(0)),
            marks: Marks { down: set["down"] == true, drain: set["drain"] == true },
            state: text(&peer["state"]),
            active: count(&peer["active"]),
            requests: count(&peer["requests"]),
            checks: Checks {
                made: count(&checks["checks"]),
                failed: count(&checks["fails"]),
                last_passed: checks["last_passed"].as_bool(),
            },
        }
    }

    /// Whether the balancer checks it.
    pub(super) fn is_checked(&self) -> bool {
        self.checks.last_passed.is_some() || self.state == "checking"
    }

    /// Whether somebody may mean it by a word.
    pub(super) fn goes_by(&self, word: &str) -> bool {
        word.parse() == Ok(self.id) || [&self.name, &self.address, &self.route].iter().any(|own| *own == word)
    }

    /// Its name for people.
    pub(super) fn shown(&self) -> String {
        let name = visible(&self.name);
        if self.route.is_empty() { name } else { format!("{name} ({})", visible(&self.route)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn servers_are_what_is_set_and_what_is_counted() {
        let settings = json!([
            {"id": 9, "server": "name.test:80"},
            {"id": 1, "server": "10.0.0.1:80", "route": "s1", "slow_start": "1500ms", "down": true, "drain": false},
            {"id": 2, "server": "10.0.0.2:80", "route": "", "slow_start": "0s", "down": false, "drain": true,
             "backup": true},
        ]);
        let counts = json!({"sticky": "cookie", "peers": [
            {"id": 1, "name": "a:80", "server": "10.0.0.1:80", "state": "down", "active": 3, "requests": 7,
             "health_checks": {"checks": 5, "fails": 2, "unhealthy": 1, "last_passed": true}},
            {"id": 2, "name": "b:80", "server": "10.0.0.2:80", "state": "up", "health_checks": {"checks": 0}},
        ]});
        let view = View::read(&settings, &counts);
        let expected = Server {
            id: 1,
            name: "a:80".into(),
            address: "10.0.0.1:80".into(),
            route: "s1".into(),
            is_backup: false,
            slow_start: Duration::from_millis(1_500),
            marks: Marks { down: true, drain: false },
            state: "down".into(),
            active: 3,
            requests: 7,
            checks: Checks { made: 5, failed: 2, last_passed: Some(true) },
        };
        assert_eq!((view.server(1), view.server(9), view.servers.len()), (Some(&expected), None, 2));
        let second = &view.servers[1];
        assert!(expected.is_checked() && !second.is_checked() && view.is_sticky);
        assert_eq!((view.others_up(&expected), second.is_backup), (0, true), "a backup does not stand in");
        assert_eq!((expected.shown(), second.shown()), ("a:80 (s1)".into(), "b:80".into()));
        let odd = Server { name: "a\x1b[2J\n".into(), route: "\r".into(), ..Server::default() };
        assert_eq!(odd.shown(), "a\\u{1b}[2J\\n (\\r)");
        let nothing = View::read(&json!({}), &json!([]));
        assert!(nothing.servers.is_empty() && !nothing.is_sticky);
    }
}
