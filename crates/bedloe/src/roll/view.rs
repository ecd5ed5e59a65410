//! An upstream as the interface shows it at one moment: what a roll needs to know of its servers.

use std::time::Duration;

use serde_json::Value;

use crate::upstream::client::{Client, escaped};

/// All servers of an upstream.
#[derive(Debug)]
pub(super) struct View(pub(super) Vec<Server>);

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) id: u64,
    /// As written in the configuration.
    pub(super) name: String,
    pub(super) address: String,
    pub(super) route: String,
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
        let counts = client.get(&format!("http/upstreams/{name}?fields=peers")).await?;
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
        Self(servers.collect())
    }

    pub(super) fn server(&self, id: u64) -> Option<&Server> {
        self.0.iter().find(|server| server.id == id)
    }

    /// How many servers beside this one get requests.
    pub(super) fn others_up(&self, id: u64) -> usize {
        self.0.iter().filter(|server| server.id != id && server.state == "up").count()
    }

    /// Whether sessions belong to servers, as far as the interface tells.
    pub(super) fn has_routes(&self) -> bool {
        self.0.iter().any(|server| !server.route.is_empty())
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

    /// Its name for people.
    pub(super) fn shown(&self) -> String {
        if self.route.is_empty() { self.name.clone() } else { format!("{} ({})", self.name, self.route) }
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
            {"id": 2, "server": "10.0.0.2:80", "route": "", "slow_start": "0s", "down": false, "drain": true},
        ]);
        let counts = json!({"peers": [
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
            slow_start: Duration::from_millis(1_500),
            marks: Marks { down: true, drain: false },
            state: "down".into(),
            active: 3,
            requests: 7,
            checks: Checks { made: 5, failed: 2, last_passed: Some(true) },
        };
        assert_eq!((view.server(1), view.server(9), view.0.len()), (Some(&expected), None, 2));
        assert!(expected.is_checked() && !view.0[1].is_checked() && view.has_routes());
        assert_eq!((view.others_up(1), view.others_up(2)), (1, 0));
        assert_eq!((view.0[0].shown(), view.0[1].shown()), ("a:80 (s1)".into(), "b:80".into()));
        assert!(View::read(&json!({}), &json!([])).0.is_empty());
    }
}
