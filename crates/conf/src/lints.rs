//! Warnings of what a configuration does other than it seems to, each with what to write instead.
//!
//! They are for servers like Liberty, and run on configurations without errors. A clean file gets none.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::build::{Facts, ProxyFacts, UpstreamFacts};
use crate::diagnostic::Diagnostic;
use crate::loader::Options;
use crate::span::Place;
use crate::template::Template;
use crate::tree::{Algorithm, Config, LocationKind, PeerAddress, Upstream};

/// Liberty closes idle connections after 30 s (persistTimeout); at 20 s a balancer closes them safely before.
const SERVER_KEEPALIVE_MS: u64 = 30_000;
/// From so many connections on, a file is meant for load, and 511 waiting ones are too few.
const TUNED_CONNECTIONS: u32 = 16_384;
/// Ports of Liberty's own defaults.
const LIBERTY_PORTS: [u16; 2] = [9080, 9443];

/// Looks for all traps.
pub(crate) fn run(config: &Config, facts: &Facts, options: &Options) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    cookie_hash(config, facts, &mut found);
    idle_connections(config, facts, &mut found);
    balanced_health(config, facts, &mut found);
    invalid_headers(facts, &mut found);
    next_upstream(config, facts, &mut found);
    backlog(config, &mut found);
    open_files(facts, options, &mut found);
    found
}

/// Trap 1: the server itself sets the cookie, so the second request of a session hashes to another server.
fn cookie_hash(config: &Config, facts: &Facts, found: &mut Vec<Diagnostic>) {
    for (upstream, fact) in upstreams(config, facts) {
        let (Algorithm::Hash { key, .. }, Some(place)) = (&upstream.algorithm, &fact.hash_place) else { continue };
        let Some(cookie) = session_cookie(key, config) else { continue };
        let message = format!(
            "hashing the cookie {cookie} does not hold a session: the first request goes by another key than those \
             that carry the cookie which the chosen server has just set"
        );
        let help = "write \"sticky liberty;\" in place of \"hash\", and \"route=\" with its cloneId behind each server";
        found.push(Diagnostic::warning("affinity-by-cookie-hash", place, message).help(help));
    }
}

/// The cookie of a server's session that a key is made of, directly or by way of maps.
fn session_cookie(key: &Template, config: &Config) -> Option<String> {
    let maps: HashMap<&str, _> = config.http.maps.iter().map(|map| (map.name.as_str(), map)).collect();
    let mut waiting: Vec<&str> = key.variables().collect();
    let mut seen = HashSet::new();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name) {
            continue;
        }
        if let Some(cookie) = name.strip_prefix("cookie_").filter(|cookie| is_session(cookie)) {
            return Some(cookie.to_owned());
        }
        if let Some(map) = maps.get(name) {
            waiting.extend(map.templates().flat_map(Template::variables));
        }
    }
    None
}

fn is_session(cookie: &str) -> bool {
    let lower = cookie.to_ascii_lowercase();
    ["sessionid", "sessid", "ltpatoken"].iter().any(|part| lower.contains(part))
}

/// Trap 2: the server closes an idle connection first, and a request that is on its way then fails.
fn idle_connections(config: &Config, facts: &Facts, found: &mut Vec<Diagnostic>) {
    for (upstream, fact) in upstreams(config, facts) {
        let written = fact.keepalive_timeout_place.as_ref().or(fact.keepalive_place.as_ref());
        let is_liberty = upstream.servers.iter().any(
            |server| matches!(&server.address, PeerAddress::Ip(address) if LIBERTY_PORTS.contains(&address.port())),
        );
        let Some(place) = written.or(is_liberty.then_some(&upstream.place)) else { continue };
        if upstream.keepalive > 0 && upstream.keepalive_timeout_ms >= SERVER_KEEPALIVE_MS {
            let message = format!(
                "idle connections to \"{}\" are kept {} s, and Liberty closes them after 30 s (persistTimeout): under \
                 light load requests meet closed connections",
                upstream.name,
                upstream.keepalive_timeout_ms / 1000
            );
            let help = "write \"keepalive_timeout 20s;\" in the upstream";
            found.push(Diagnostic::warning("keepalive-outlives-server", place, message).help(help));
        }
    }
}

/// Trap 3: a health page that any server answers tells of none.
fn balanced_health(config: &Config, facts: &Facts, found: &mut Vec<Diagnostic>) {
    for proxy in &facts.proxies {
        let names_health = proxy.path.contains("health");
        let asks_health = proxy.uri.as_deref().is_some_and(|uri| uri.contains("/health"));
        if config.http.health_checks.iter().any(|check| Some(check.upstream) == proxy.upstream) {
            continue;
        }
        let Some(upstream) = proxy.upstream.and_then(|upstream| config.http.upstreams.get(upstream)) else { continue };
        if proxy.kind == LocationKind::Exact && (names_health || asks_health) && upstream.servers.len() > 1 {
            let message = format!(
                "\"{}\" is balanced itself: whichever of the {} servers answers, it checks none of them",
                proxy.path,
                upstream.servers.len()
            );
            let uri = proxy.uri.as_deref().unwrap_or("/health/ready");
            let help = format!("write \"health_check uri={uri};\" in the location where the servers are used");
            found.push(Diagnostic::warning("balanced-health-location", &proxy.place, message).help(help));
        }
    }
}

/// Trap 4: Liberty believes `$WS*` headers, which are dropped only because `$` is no valid character of a name.
fn invalid_headers(facts: &Facts, found: &mut Vec<Diagnostic>) {
    let servers = &facts.invalid_headers_of_servers;
    let is_stripped = |place: &Place| {
        let mut own = servers.iter().filter(|(of, _)| of == place).peekable();
        own.peek().is_some() && own.all(|(_, is_stripped)| *is_stripped)
    };
    for place in facts.invalid_headers_pass.iter().filter(|place| !is_stripped(place)) {
        let message = "clients may now send headers such as $WSRA and $WSSC, which Liberty trusts";
        let help = "remove this line: by default such headers are dropped; or write \"liberty_headers strip;\"";
        found.push(Diagnostic::warning("invalid-headers-pass", place, message).help(help));
    }
}

/// Trap 5: what `proxy_next_upstream` does not do. Told once where it is written, if it holds for all that inherit it.
fn next_upstream(config: &Config, facts: &Facts, found: &mut Vec<Diagnostic>) {
    let mut uses: BTreeMap<(&std::path::Path, u32, u32), (&Place, Vec<&ProxyFacts>)> = BTreeMap::new();
    for proxy in facts.proxies.iter().filter(|proxy| proxy.retries) {
        if let Some(place) = &proxy.next_upstream_place {
            let key = (place.file.as_path(), place.line, place.column);
            uses.entry(key).or_insert_with(|| (place, Vec::new())).1.push(proxy);
        }
    }
    let upstream = |proxy: &ProxyFacts| config.http.upstreams.get(proxy.upstream?);
    let servers = |proxy: &ProxyFacts| upstream(proxy).map_or(0, |upstream| upstream.servers.len());
    for (place, proxies) in uses.values() {
        if proxies.iter().all(|proxy| servers(proxy) == 1) {
            let message = "there is one server, so there is no next one: this retries nothing";
            let help = "remove it, or add a server to the upstream";
            found.push(Diagnostic::warning("nothing-to-retry", place, message).help(help));
        } else if proxies.iter().any(|proxy| !proxy.non_idempotent && may_post(proxy)) {
            let message =
                "a POST, LOCK or PATCH is not retried once any of it was sent (after a refused connection it is)";
            let help =
                "add \"non_idempotent\" only if the servers bear the same POST twice; else this is the safe choice";
            found.push(Diagnostic::warning("post-not-retried", place, message).help(help));
        }
    }
}

fn may_post(proxy: &ProxyFacts) -> bool {
    !matches!(proxy.method.as_deref(), Some("GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE"))
}

/// Trap 6: the queue of a listening socket is the smaller of `backlog` and `somaxconn`.
fn backlog(config: &Config, found: &mut Vec<Diagnostic>) {
    let connections = config.events.worker_connections;
    if connections < TUNED_CONNECTIONS {
        return;
    }
    let mut seen = HashSet::new();
    for listen in config.http.servers.iter().flat_map(|server| &server.listens) {
        if listen.backlog == crate::build::DEFAULT_BACKLOG && seen.insert(&listen.address) {
            let message = format!(
                "the backlog of {} is 511, nginx's default, whatever somaxconn says, with {connections} \
                 worker_connections",
                listen.address
            );
            let help = "write \"backlog=65535\" behind the address";
            found.push(Diagnostic::warning("listen-backlog", &listen.place, message).help(help));
        }
    }
}

/// Trap 7: only a privileged process may raise its hard limit.
fn open_files(facts: &Facts, options: &Options, found: &mut Vec<Diagnostic>) {
    if let (Some((limit, place)), Some(hard)) = (&facts.nofile, options.hard_nofile_limit)
        && *limit > hard
    {
        let message = format!("worker_rlimit_nofile is {limit}, and this process may not have more than {hard}");
        let help = format!("write {hard} at most, or raise the limit of the service (LimitNOFILE={limit} in systemd)");
        found.push(Diagnostic::warning("nofile-above-limit", place, message).help(help));
    }
}

fn upstreams<'a>(config: &'a Config, facts: &'a Facts) -> impl Iterator<Item = (&'a Upstream, &'a UpstreamFacts)> {
    facts.upstreams.iter().filter_map(|fact| Some((config.http.upstreams.get(fact.upstream)?, fact)))
}
