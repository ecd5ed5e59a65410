//! What `api` shows of a running balancer, and the counts that it sets back.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use balance::RetryBudget;
use net::clock;
use route::{Router, Sticky};
use serde_json::{Map, Value, json};

use super::fault::{self, Fault, no_path, not_found};
use super::objects::{self, Times};
use crate::downstream::Downstream;
use crate::gate::Fates;
use crate::snapshot::{Snapshot, UpstreamSnapshot};
use crate::sums::{Baseline, THREAD_COUNTS, TLS_COUNTS, sums};
use crate::worker::Shared;
use crate::zones::StatusZone;

/// The balancer at one moment, as one client asks for it.
pub(super) struct View {
    shared: Arc<Shared>,
    snapshot: Arc<Snapshot>,
    /// The address that the client has asked.
    address: String,
    times: Times,
}

/// Indexes of what is counted in all: [`Shared::bases`].
const CONNECTIONS: usize = 0;
const REQUESTS: usize = 1;
const TLS: usize = 2;

impl View {
    pub(super) fn new(connection: &Downstream) -> Self {
        let mut address = Vec::new();
        connection.client.append_local(&mut address);
        Self::of(&connection.thread.control.shared, String::from_utf8_lossy(&address).into_owned())
    }

    pub(super) fn of(shared: &Arc<Shared>, address: String) -> Self {
        Self {
            snapshot: shared.snapshot(),
            shared: Arc::clone(shared),
            address,
            times: Times { now_ms: clock::coarse_ms(), now_unix_ms: clock::unix_ms() },
        }
    }

    /// What a path leads to, as far as `fields` asks for it.
    pub(super) fn get(&self, path: &[&str], fields: Option<&[String]>) -> Result<Value, Fault> {
        let one = |value: Value| Ok(pick(value, fields));
        match path {
            [] => Ok(json!(["nginx", "processes", "connections", "slabs", "http", "resolvers", "ssl", "workers"])),
            ["nginx"] => one(self.nginx()),
            ["processes"] => one(json!({"respawned": self.shared.respawned.load(Relaxed)})),
            ["connections"] => one(self.connections()),
            ["ssl"] => one(objects::tls(&self.thread_sums(TLS)[THREAD_COUNTS..], &objects::CLIENT_CHECKS)),
            ["workers"] => Ok(json!([pick(self.worker(), fields)])),
            ["workers", "0"] => one(self.worker()),
            ["slabs" | "resolvers"] => Ok(names_or(Map::new(), fields)),
            ["slabs", _] => Err(not_found("slab not found", "SlabNotFound")),
            ["resolvers", _] => Err(not_found("resolver zone not found", "ResolverZoneNotFound")),
            ["http", path @ ..] => self.http(path, fields),
            _ => Err(no_path()),
        }
    }

    fn http(&self, path: &[&str], fields: Option<&[String]>) -> Result<Value, Fault> {
        let zones = &self.snapshot.status_zones;
        match path {
            [] => Ok(json!(HTTP)),
            ["requests"] => Ok(pick(self.requests(), fields)),
            ["server_zones"] => Ok(all(&zones.servers, fields, objects::server_zone)),
            ["server_zones", name] => Ok(pick(objects::server_zone(server_zone(&zones.servers, name)?), fields)),
            ["location_zones"] => Ok(all(&zones.locations, fields, objects::location_zone)),
            ["location_zones", name] => {
                Ok(pick(objects::location_zone(location_zone(&zones.locations, name)?), fields))
            }
            ["limit_conns"] => Ok(names_or(shown(self.limit_conns(), objects::limit_conn), fields)),
            ["limit_conns", name] => Ok(pick(objects::limit_conn(self.limit_conn(name)?), fields)),
            ["limit_reqs"] => Ok(names_or(shown(self.limit_reqs(), objects::limit_req), fields)),
            ["limit_reqs", name] => Ok(pick(objects::limit_req(self.limit_req(name)?), fields)),
            ["caches" | "keyvals"] => Ok(names_or(Map::new(), fields)),
            ["caches", _] => Err(not_found("cache not found", "CacheNotFound")),
            ["keyvals", _] => Err(not_found("keyval not found", "KeyvalNotFound")),
            ["upstreams", path @ ..] => self.upstreams(path, fields),
            _ => Err(no_path()),
        }
    }

    fn upstreams(&self, path: &[&str], fields: Option<&[String]>) -> Result<Value, Fault> {
        match path {
            [] => {
                let shown =
                    self.snapshot.upstreams.iter().enumerate().filter(|(_, upstream)| upstream.zone.name.is_some());
                let objects =
                    shown.map(|(index, upstream)| (upstream.name.clone(), self.upstream_object(index))).collect();
                Ok(names_or(objects, fields))
            }
            [name] => Ok(pick(self.upstream_object(self.upstream(name)?), fields)),
            [name, "hold"] => self.upstream(name).map(|_| self.shared.holds.shown(name, self.times.now_ms)),
            [name, "servers"] => Ok(objects::servers(&self.snapshot.upstreams[self.upstream(name)?])),
            [name, "servers", id] => {
                let upstream = &self.snapshot.upstreams[self.upstream(name)?];
                objects::server(upstream, number(id)?).ok_or_else(|| no_server(id))
            }
            _ => Err(no_path()),
        }
    }

    fn upstream_object(&self, index: usize) -> Value {
        let mut object = objects::upstream(&self.snapshot.upstreams[index], self.times);
        let rule = self.snapshot.router.upstreams().get(index);
        let sticky = rule.and_then(|rule| rule.sticky.as_ref()).map(|sticky| match sticky {
            Sticky::Liberty { .. } => "liberty",
            Sticky::Route(_) => "route",
            Sticky::Cookie(_) => "cookie",
            Sticky::Learn(_) => "learn",
        });
        if let Some(sticky) = sticky {
            object["sticky"] = sticky.into();
        }
        object
    }

    /// Takes, renews or gives back a hold on an upstream.
    pub(super) fn hold(&self, name: &str, body: &[u8]) -> Result<Value, Fault> {
        self.shared.holds.change(name, body, self.times.now_ms)
    }

    /// The zones of `limit_conn` with what became of their requests.
    fn limit_conns(&self) -> impl Iterator<Item = (&str, &Fates)> {
        let zones = self.snapshot.router.connection_zones().iter().zip(&self.snapshot.zones.connections);
        zones.map(|(zone, counts)| (zone.name.as_str(), &counts.fates))
    }

    fn limit_conn(&self, name: &str) -> Result<&Fates, Fault> {
        let found = self.limit_conns().find(|(own, _)| *own == name);
        found.map(|(_, fates)| fates).ok_or_else(|| not_found("limit_conn not found", "LimitConnNotFound"))
    }

    /// The same of `limit_req`.
    fn limit_reqs(&self) -> impl Iterator<Item = (&str, &Fates)> {
        let zones = self.snapshot.router.rate_zones().iter().zip(&self.snapshot.zones.rates);
        zones.map(|(zone, counts)| (zone.name.as_str(), &counts.fates))
    }

    fn limit_req(&self, name: &str) -> Result<&Fates, Fault> {
        let found = self.limit_reqs().find(|(own, _)| *own == name);
        found.map(|(_, fates)| fates).ok_or_else(|| not_found("limit_req not found", "LimitReqNotFound"))
    }

    /// The index of an upstream that can be shown and changed.
    pub(super) fn upstream(&self, name: &str) -> Result<usize, Fault> {
        let is_named = |upstream: &Arc<UpstreamSnapshot>| upstream.name == name;
        let index = self.snapshot.upstreams.iter().position(is_named);
        let index = index.ok_or_else(|| not_found("upstream not found", "UpstreamNotFound"))?;
        match &self.snapshot.upstreams[index].zone.name {
            Some(_) => Ok(index),
            None => Err(fault::bad("UpstreamStatic", "upstream is static")),
        }
    }

    /// The rules of the configuration that is shown.
    pub(super) fn router(&self) -> Arc<Router> {
        Arc::clone(&self.snapshot.router)
    }

    /// Sets counts back; false where the path has none.
    pub(super) fn reset(&self, path: &[&str]) -> Result<bool, Fault> {
        let shared = &self.shared;
        let zones = &self.snapshot.status_zones;
        match path {
            ["processes"] => shared.respawned.store(0, Relaxed),
            ["connections"] => shared.bases[CONNECTIONS].begin(self.raw()),
            ["http", "requests"] => shared.bases[REQUESTS].begin(self.raw()),
            ["ssl"] => shared.bases[TLS].begin(self.raw()),
            ["http", "server_zones", name] => reset(server_zone(&zones.servers, name)?),
            ["http", "location_zones", name] => reset(location_zone(&zones.locations, name)?),
            ["http", "limit_conns", name] => self.limit_conn(name)?.begin_anew(),
            ["http", "limit_reqs", name] => self.limit_req(name)?.begin_anew(),
            ["http", "upstreams", name] => {
                let upstream = &self.snapshot.upstreams[self.upstream(name)?];
                for (index, member) in upstream.members.all.iter().enumerate() {
                    member.base.begin(objects::peer_counts(upstream, index));
                }
                upstream.queue.iter().for_each(|queue| queue.begin_anew());
                upstream.budget.iter().for_each(RetryBudget::begin_anew);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn nginx(&self) -> Value {
        json!({
            "version": "1.29.8",
            "build": concat!("bedloe-", env!("CARGO_PKG_VERSION")),
            "address": self.address,
            "generation": self.shared.reloads.load(Relaxed),
            "load_timestamp": objects::date(self.shared.loaded_unix_ms.load(Relaxed)),
            "timestamp": objects::date(self.times.now_unix_ms),
            "pid": std::process::id(),
            "ppid": rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get()),
        })
    }

    /// The one worker process; its number is 0, as in nginx.
    fn worker(&self) -> Value {
        let requests = self.requests();
        json!({"id": 0, "pid": std::process::id(), "connections": self.connections(), "http": {"requests": requests}})
    }

    fn connections(&self) -> Value {
        let sum = |of: fn(&crate::counters::ThreadCounters) -> u64| {
            self.shared.threads.iter().map(|thread| of(thread)).fold(0, u64::wrapping_add)
        };
        let open = sum(|thread| thread.active.get());
        let busy = (sum(|thread| thread.reading.get()) + sum(|thread| thread.writing.get()))
            .saturating_sub(sum(|thread| thread.shared.get()));
        // The threads count on meanwhile.
        let active = busy.min(open);
        let accepted = self.thread_sums(CONNECTIONS)[0];
        json!({"accepted": accepted, "dropped": 0, "active": active, "idle": open - active})
    }

    fn requests(&self) -> Value {
        let current = self.shared.threads.iter().map(|thread| thread.writing.get()).fold(0, u64::wrapping_add);
        json!({"total": self.thread_sums(REQUESTS)[1], "current": current})
    }

    fn raw(&self) -> Vec<u64> {
        sums(self.shared.threads.iter().map(|thread| &**thread))
    }

    /// Counts of all threads since they were set back.
    fn thread_sums(&self, base: usize) -> Vec<u64> {
        debug_assert_eq!(self.raw().len(), THREAD_COUNTS + TLS_COUNTS, "see `sums`");
        self.shared.bases[base].since(self.raw())
    }
}

/// What is behind `http/`.
const HTTP: [&str; 8] =
    ["requests", "server_zones", "location_zones", "caches", "limit_conns", "limit_reqs", "keyvals", "upstreams"];

fn reset(zone: &StatusZone) {
    let StatusZone { counters, base, .. } = zone;
    Baseline::begin(base, sums(counters.iter().map(|thread| &**thread)));
}

fn server_zone<'z>(zones: &'z [StatusZone], name: &str) -> Result<&'z StatusZone, Fault> {
    let found = zones.iter().find(|zone| zone.name == name);
    found.ok_or_else(|| not_found("server zone not found", "ServerZoneNotFound"))
}

fn location_zone<'z>(zones: &'z [StatusZone], name: &str) -> Result<&'z StatusZone, Fault> {
    let found = zones.iter().find(|zone| zone.name == name);
    found.ok_or_else(|| not_found("location zone not found", "LocationZoneNotFound"))
}

/// The number of a server.
pub(super) fn number(id: &str) -> Result<u64, Fault> {
    let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    id.parse().ok().filter(|_| is_number).ok_or_else(|| fault::bad("UpstreamBadServerId", "invalid server ID"))
}

pub(super) fn no_server(id: &str) -> Fault {
    not_found(format!("server with ID \"{id}\" does not exist"), "UpstreamServerNotFound")
}

/// Zones of limits by their names.
fn shown<'z>(zones: impl Iterator<Item = (&'z str, &'z Fates)>, object: fn(&Fates) -> Value) -> Map<String, Value> {
    zones.map(|(name, fates)| (name.to_owned(), object(fates))).collect()
}

fn all(zones: &[StatusZone], fields: Option<&[String]>, object: fn(&StatusZone) -> Value) -> Value {
    names_or(zones.iter().map(|zone| (zone.name.clone(), object(zone))).collect(), fields)
}

/// Objects by their names; the names alone where no field is asked for.
fn names_or(objects: Map<String, Value>, fields: Option<&[String]>) -> Value {
    match fields {
        Some([]) => objects.into_iter().map(|(name, _)| name).collect::<Vec<_>>().into(),
        _ => Value::Object(objects.into_iter().map(|(name, value)| (name, pick(value, fields))).collect()),
    }
}

/// The fields of an object that are asked for. One that is not there is not missed.
fn pick(value: Value, fields: Option<&[String]>) -> Value {
    match (value, fields) {
        (Value::Object(object), Some(fields)) => {
            Value::Object(object.into_iter().filter(|(name, _)| fields.contains(name)).collect())
        }
        (value, _) => value,
    }
}
