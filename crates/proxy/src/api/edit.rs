//! Servers added, changed and removed by `api`. A change is kept first, where the upstream has a `state` file, and then
//! published: all of it or nothing.

use std::fmt;
use std::sync::Arc;

use conf::span::Place;
use conf::table::{ServerAddress, seconds_of, server_address, time_of};
use conf::tree::{PeerAddress, UpstreamServer};
use route::{Algorithm, Router, UpstreamRule};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::fault::{Fault, bad, method_disabled, no_path, told};
use super::show::{no_server, number};
use super::{Reply, objects, state};
use crate::control::Control;
use crate::limits::{API_ROUTE_MAX, API_SERVERS_MAX};
use crate::snapshot::Members;

/// A change.
#[derive(Debug)]
enum Edit {
    Add(Settings),
    Modify(u64, Settings),
    Remove(u64),
}

/// What a request says of a server.
#[derive(Debug, Default)]
struct Settings {
    /// As written, and where that is.
    address: Option<(String, PeerAddress)>,
    weight: Option<u32>,
    max_conns: Option<u32>,
    max_fails: Option<u32>,
    fail_timeout_ms: Option<u64>,
    slow_start_ms: Option<u64>,
    route: Option<String>,
    backup: Option<bool>,
    down: Option<bool>,
    drain: Option<bool>,
}

/// Makes the change that a request asks for.
pub(super) async fn change(
    control: &Control,
    (router, upstream): (Arc<Router>, usize),
    method: &[u8],
    id: &[&str],
    body: &[u8],
) -> Result<Reply, Fault> {
    let edit = match (method, id) {
        (b"POST", []) => Edit::Add(Settings::read(body, true)?),
        (b"PATCH", [id]) => Edit::Modify(number(id)?, Settings::read(body, false)?),
        (b"DELETE", [id]) => Edit::Remove(number(id)?),
        (_, [] | [_]) => return Err(method_disabled()),
        _ => return Err(no_path()),
    };
    let own = control.clone();
    let done = Control::aside("api", move || carry_out(&own, &router, upstream, &edit)).await;
    done.unwrap_or_else(|error| Err(told(500, "InternalError", format!("the change was not made: {error}"))))
}

fn carry_out(control: &Control, router: &Arc<Router>, index: usize, edit: &Edit) -> Result<Reply, Fault> {
    let _changing = control.lock();
    let rule = &router.upstreams()[index];
    // A process that only ends what it has begun has nothing to say of the file any more.
    if !control.serves(router) {
        return Err(reloaded());
    }
    let snapshot = control.shared.snapshot();
    let (members, _) = apply(rule, &snapshot.upstreams[index].members, edit)?;
    if let Some(path) = &rule.zone.state {
        state::write(path, &members).map_err(|error| {
            told(500, "StateWriteError", format!("cannot write the state file {}: {error}", path.display()))
        })?;
    }
    // Names may lead elsewhere meanwhile: it is made of what is there by then.
    let mut made = None;
    let is_served = control.change(router, index, |rule, upstream| match apply(rule, &upstream.members, edit) {
        Ok((members, id)) => {
            made = Some(Ok(id));
            Some(members)
        }
        Err(fault) => {
            made = Some(Err(fault));
            None
        }
    });
    let id = made.filter(|_| is_served).unwrap_or_else(|| Err(reloaded()))?;
    let snapshot = control.shared.snapshot();
    let upstream = &snapshot.upstreams[index];
    match edit {
        Edit::Remove(_) => Ok(Reply::Shown(objects::servers(upstream))),
        Edit::Add(_) => objects::server(upstream, id).map(Reply::Created).ok_or_else(reloaded),
        Edit::Modify(..) => objects::server(upstream, id).map(Reply::Shown).ok_or_else(reloaded),
    }
}

/// A configuration that came between brings its own servers.
fn reloaded() -> Fault {
    told(503, "Reloaded", "the configuration was reloaded meanwhile: look again, and repeat the change")
}

/// The servers after a change, and the number of the one that it was about.
fn apply(rule: &UpstreamRule, members: &Members, edit: &Edit) -> Result<(Members, u64), Fault> {
    let mut members = members.clone();
    let id = match edit {
        Edit::Add(settings) => {
            let Some((name, address)) = settings.address.clone() else {
                return Err(bad("UpstreamConfFormatError", "missing \"server\" argument"));
            };
            if members.all.len() >= API_SERVERS_MAX {
                return Err(bad("UpstreamOutOfMemory", format!("upstream \"{}\" memory exhausted", rule.name)));
            }
            is_new(&members, &address, None)?;
            let server = settings.put(rule, UpstreamServer::new(name, address, Place::default()))?;
            members.add(server)
        }
        Edit::Modify(id, settings) => {
            modify(rule, &mut members, *id, settings)?;
            *id
        }
        Edit::Remove(id) => {
            match members.index_of(*id) {
                Some(index) if members.all[index].origin.is_none() => drop(members.all.remove(index)),
                None if members.parents.iter().all(|parent| parent.id != *id) => {
                    return Err(no_server(&id.to_string()));
                }
                // They come and go with what their name leads to.
                _ => return Err(bad("UpstreamServerImmutable", format!("server \"{id}\" not removable"))),
            }
            *id
        }
    };
    Ok((members, id))
}

fn modify(rule: &UpstreamRule, members: &mut Members, id: u64, settings: &Settings) -> Result<(), Fault> {
    let immutable = || bad("UpstreamServerImmutable", format!("server \"{id}\" address is immutable"));
    if let Some(index) = members.index_of(id) {
        if let Some((name, address)) = &settings.address {
            if members.all[index].origin.is_some() {
                return Err(immutable());
            }
            is_new(members, address, Some(id))?;
            let server = &mut members.all[index].server;
            (server.name, server.address) = (name.clone(), address.clone());
        }
        let server = &mut members.all[index].server;
        *server = settings.put(rule, server.clone())?;
        return Ok(());
    }
    // What is said of a name holds for all that it leads to.
    let Some(origin) = members.parents.iter().position(|parent| parent.id == id) else {
        return Err(no_server(&id.to_string()));
    };
    if settings.address.is_some() {
        return Err(immutable());
    }
    let own = members.all.iter_mut().filter(|member| member.origin == Some(origin)).map(|member| &mut member.server);
    for server in own.chain([&mut members.parents[origin].server]) {
        *server = settings.put(rule, server.clone())?;
    }
    Ok(())
}

/// One address is one server: two could not be told apart by anybody.
fn is_new(members: &Members, address: &PeerAddress, own: Option<u64>) -> Result<(), Fault> {
    let is_taken = members.all.iter().any(|member| member.server.address == *address && Some(member.id) != own);
    if is_taken { Err(told(409, "EntryExists", "a server of this address is there already")) } else { Ok(()) }
}

/// The fields of an object, each of which is there once: of two that differ nobody knows which is meant.
pub(super) struct Fields(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a field is there twice"));
            }
        }
        Ok(Fields(fields))
    }
}

impl Settings {
    /// Reads what a request says; `is_new` where it may say of a server what cannot be changed later.
    fn read(body: &[u8], is_new: bool) -> Result<Self, Fault> {
        let Fields(fields) =
            serde_json::from_slice(body).map_err(|error| told(415, "JsonError", format!("JSON error: {error}")))?;
        let mut settings = Self::default();
        for (name, value) in &fields {
            settings.take(name, value, is_new)?;
        }
        Ok(settings)
    }

    fn take(&mut self, name: &str, value: &Value, is_new: bool) -> Result<(), Fault> {
        if value.is_object() || value.is_array() {
            return Err(bad("UpstreamConfFormatError", "nested object or list"));
        }
        match name {
            "server" => self.address = Some(address(text(name, value)?)?),
            "weight" => self.weight = Some(count(name, value, 1, "UpstreamBadWeight")?),
            "max_conns" => self.max_conns = Some(count(name, value, 0, "UpstreamBadMaxConns")?),
            "max_fails" => self.max_fails = Some(count(name, value, 0, "UpstreamBadMaxFails")?),
            "fail_timeout" => {
                let ms = seconds_of(text(name, value)?);
                self.fail_timeout_ms = Some(ms.ok_or_else(|| invalid(name, "UpstreamBadFailTimeout"))?);
            }
            "slow_start" => {
                let ms = time_of(text(name, value)?);
                self.slow_start_ms = Some(ms.ok_or_else(|| invalid(name, "UpstreamBadSlowStart"))?);
            }
            "route" => {
                let route = text(name, value)?;
                if route.len() > API_ROUTE_MAX || route.contains(['\0', '\r', '\n']) {
                    return Err(bad("UpstreamBadRoute", "route is too long"));
                }
                self.route = Some(route.to_owned());
            }
            "backup" if is_new => self.backup = Some(switch(name, value)?),
            "down" => self.down = Some(switch(name, value)?),
            "drain" => self.drain = Some(switch(name, value)?),
            _ => {
                let shown: String = name.chars().take(64).collect();
                return Err(bad("UpstreamConfFormatError", format!("unknown parameter \"{shown}\"")));
            }
        }
        Ok(())
    }

    /// A server with these settings; those that are not given stay.
    fn put(&self, rule: &UpstreamRule, mut server: UpstreamServer) -> Result<UpstreamServer, Fault> {
        let by_weight =
            matches!(rule.algorithm, Algorithm::RoundRobin | Algorithm::LeastConn | Algorithm::LeastTime { .. });
        if self.backup == Some(true) && !by_weight {
            return Err(bad("UpstreamNoBackup", format!("upstream \"{}\" has no backup", rule.name)));
        }
        if self.slow_start_ms.is_some_and(|ms| ms > 0) && !by_weight {
            return Err(invalid("slow_start", "UpstreamBadSlowStart"));
        }
        let UpstreamServer { weight, max_conns, max_fails, fail_timeout_ms, slow_start_ms, .. } = server;
        server.weight = self.weight.unwrap_or(weight);
        server.max_conns = self.max_conns.unwrap_or(max_conns);
        server.max_fails = self.max_fails.unwrap_or(max_fails);
        server.fail_timeout_ms = self.fail_timeout_ms.unwrap_or(fail_timeout_ms);
        server.slow_start_ms = self.slow_start_ms.unwrap_or(slow_start_ms);
        server.backup = self.backup.unwrap_or(server.backup);
        server.down = self.down.unwrap_or(server.down);
        server.drain = self.drain.unwrap_or(server.drain);
        if let Some(route) = &self.route {
            server.route.clone_from(route);
        }
        Ok(server)
    }
}

fn address(text: &str) -> Result<(String, PeerAddress), Fault> {
    match server_address(text) {
        ServerAddress::At(address) => Ok((text.to_owned(), address)),
        ServerAddress::Name => Err(bad("UpstreamConfNoResolver", "no resolver defined to resolve: write an address")),
        ServerAddress::Wrong => Err(bad("UpstreamBadAddress", "invalid \"server\" argument")),
    }
}

fn invalid(name: &str, code: &'static str) -> Fault {
    bad(code, format!("invalid \"{name}\""))
}

fn of_wrong_type(name: &str) -> Fault {
    bad("UpstreamConfFormatError", format!("invalid \"{name}\" value"))
}

fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| of_wrong_type(name))
}

fn switch(name: &str, value: &Value) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| of_wrong_type(name))
}

fn count(name: &str, value: &Value, least: u32, code: &'static str) -> Result<u32, Fault> {
    if !value.is_number() {
        return Err(of_wrong_type(name));
    }
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number >= least);
    number.ok_or_else(|| invalid(name, code))
}
