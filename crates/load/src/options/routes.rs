//! Options that say where hosts are reached: `hosts`, `blockHostnames`, `blacklistIPs`, `dns`.

use serde_json::Value as Json;

use super::value::{duration, named, text, texts};
use super::{Layer, Wrong, noted, wrong};
use crate::routes::{Dns, HostAddress, HostPattern, Network, Policy, Routes, Select};

pub(super) fn routes(json: &Layer) -> Result<Routes, Wrong> {
    let mut problems = Vec::new();
    let hosts = noted(hosts(json), &mut problems).unwrap_or_default();
    let blocked = noted(blocked(json), &mut problems).unwrap_or_default();
    let blacklist = noted(blacklist(json), &mut problems).unwrap_or_default();
    let dns = noted(dns(json), &mut problems).unwrap_or_default();
    if problems.is_empty() { Ok(Routes { hosts, blocked, blacklist, dns }) } else { Err(Wrong(problems)) }
}

fn hosts(json: &Layer) -> Result<Vec<(HostPattern, HostAddress)>, Wrong> {
    let mut all = Vec::new();
    for (name, address) in named(json, "hosts")? {
        let Some(pattern) = HostPattern::parse(&name, true) else {
            return wrong(format!("hosts: `{name}` is no name, nor `*` and the end of one, perhaps with :port"));
        };
        let Some(address) = HostAddress::parse(&address) else {
            return wrong(format!(
                "hosts: `{name}` is to lead to an address such as 10.0.0.1:8080, not to `{address}`"
            ));
        };
        all.push((pattern, address));
    }
    Ok(all)
}

fn blocked(json: &Layer) -> Result<Vec<HostPattern>, Wrong> {
    let names = texts(json, "blockHostnames")?.unwrap_or_default();
    let pattern = |name: &String| match HostPattern::parse(name, false) {
        Some(pattern) => Ok(pattern),
        None => wrong(format!("blockHostnames: `{name}` is no name, nor `*` and the end of one")),
    };
    names.iter().map(pattern).collect()
}

fn blacklist(json: &Layer) -> Result<Vec<Network>, Wrong> {
    let networks = texts(json, "blacklistIPs")?.unwrap_or_default();
    let network = |given: &String| match Network::parse(given) {
        Some(network) => Ok(network),
        None => wrong(format!("blacklistIPs: `{given}` is no network such as 10.0.0.0/8")),
    };
    networks.iter().map(network).collect()
}

/// An object, or `ttl=5m,select=random,policy=preferIPv4` as flags and the environment have it.
fn dns(json: &Layer) -> Result<Dns, Wrong> {
    let mut dns = Dns::default();
    let fields = match json.get("dns") {
        None | Some(Json::Null) => return Ok(dns),
        Some(Json::Object(fields)) => fields.clone(),
        Some(Json::String(line)) => {
            let mut fields = Layer::new();
            for part in line.split(',').filter(|part| !part.is_empty()) {
                let Some((name, value)) = part.split_once('=') else {
                    return wrong(format!("dns: want ttl=5m,select=random,policy=preferIPv4, not `{line}`"));
                };
                if !["ttl", "select", "policy"].contains(&name.trim()) {
                    return wrong(format!("dns: there is no `{}`, only ttl, select and policy", name.trim()));
                }
                fields.insert(name.trim().to_owned(), Json::from(value.trim()));
            }
            fields
        }
        Some(other) => return wrong(format!("dns: want an object, not {other}")),
    };
    match text(&fields, "ttl") {
        Ok(Some(ttl)) if ttl == "inf" => dns.ttl_ns = None,
        _ => dns.ttl_ns = duration(&fields, "ttl")?.or(dns.ttl_ns),
    }
    if let Some(select) = text(&fields, "select")? {
        dns.select = match select.to_ascii_lowercase().as_str() {
            "first" => Select::First,
            "random" => Select::Random,
            "roundrobin" => Select::RoundRobin,
            _ => return wrong(format!("dns: `select` is one of first, random and roundRobin, not {select}")),
        };
    }
    if let Some(policy) = text(&fields, "policy")? {
        dns.policy = match policy.to_ascii_lowercase().as_str() {
            "preferipv4" => Policy::PreferIpv4,
            "preferipv6" => Policy::PreferIpv6,
            "onlyipv4" => Policy::OnlyIpv4,
            "onlyipv6" => Policy::OnlyIpv6,
            "any" => Policy::Any,
            _ => {
                let all = "preferIPv4, preferIPv6, onlyIPv4, onlyIPv6 and any";
                return wrong(format!("dns: `policy` is one of {all}, not {policy}"));
            }
        };
    }
    Ok(dns)
}
