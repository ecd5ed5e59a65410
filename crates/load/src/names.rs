//! Addresses of names that scripts ask for, looked up as the system does it (`/etc/hosts` included), on a thread of its
//! own for each, and kept for as long as the options say.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use net::clock::now_ns;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::routes::{Dns, Policy, Select};

/// Names that are remembered; a script that asks for more makes them up.
const MOST_NAMES: usize = 10_000;

/// What a name was found to be.
#[derive(Debug)]
struct Found {
    addresses: Arc<[IpAddr]>,
    found_ns: u64,
    /// How often it was asked for.
    asked: usize,
}

/// Locked once a connection to a host by name, which costs far more than that.
static FOUND: LazyLock<Mutex<HashMap<String, Found>>> = LazyLock::new(Mutex::default);

/// An address of a name.
pub(crate) async fn lookup(host: &str, dns: Dns) -> Result<IpAddr, Failure> {
    let failed = || Failure::name(host);
    if let Some((addresses, asked)) = known(host, dns) {
        return choose(&addresses, asked, dns).ok_or_else(failed);
    }
    let (reply, answer) = oneshot::channel();
    let name = host.to_owned();
    let asked = std::thread::Builder::new().name("names".into()).spawn(move || {
        let _ = reply.send(ask(&name));
    });
    let addresses = match asked {
        Ok(_) => answer.await.ok().flatten(),
        Err(_) => None,
    };
    let addresses: Arc<[IpAddr]> = addresses.ok_or_else(failed)?.into();
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if found.len() >= MOST_NAMES {
        found.clear();
    }
    let asked = found.get(host).map_or(0, |known| known.asked);
    found.insert(host.to_owned(), Found { addresses: Arc::clone(&addresses), found_ns: now_ns(), asked: asked + 1 });
    choose(&addresses, asked, dns).ok_or_else(failed)
}

fn known(host: &str, dns: Dns) -> Option<(Arc<[IpAddr]>, usize)> {
    let mut all = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found = all.get_mut(host)?;
    let is_valid = dns.ttl_ns.is_none_or(|ttl_ns| now_ns().saturating_sub(found.found_ns) < ttl_ns);
    let asked = found.asked;
    found.asked += usize::from(is_valid);
    is_valid.then(|| (Arc::clone(&found.addresses), asked))
}

#[allow(clippy::disallowed_methods, reason = "on a thread that does nothing else")]
fn ask(host: &str) -> Option<Vec<IpAddr>> {
    let mut all: Vec<IpAddr> = Vec::new();
    for address in (host, 0).to_socket_addrs().ok()? {
        if !all.contains(&address.ip()) {
            all.push(address.ip());
        }
    }
    Some(all)
}

/// One of a name's addresses; `asked` is how often the name was asked for before.
fn choose(all: &[IpAddr], asked: usize, dns: Dns) -> Option<IpAddr> {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = all.iter().partition(|ip| ip.is_ipv4());
    let kind = match dns.policy {
        Policy::Any => all.to_vec(),
        Policy::OnlyIpv4 => v4,
        Policy::OnlyIpv6 => v6,
        Policy::PreferIpv4 => [v4, v6].into_iter().find(|kind| !kind.is_empty())?,
        Policy::PreferIpv6 => [v6, v4].into_iter().find(|kind| !kind.is_empty())?,
    };
    let count = kind.len().max(1);
    let at = match dns.select {
        Select::First => 0,
        Select::RoundRobin => asked % count,
        Select::Random => random() % count,
    };
    kind.get(at).copied()
}

fn random() -> usize {
    let mut bytes = [0; 4];
    // Without random bytes it is the first one.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u32::from_ne_bytes(bytes) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_policy_says_which_kind_and_the_selection_which_one() {
        let all: Vec<IpAddr> = ["::1", "1.1.1.1", "::2", "1.1.1.2"].iter().map(|text| text.parse().unwrap()).collect();
        let chosen = |select, policy, asked| {
            let dns = Dns { select, policy, ..Dns::default() };
            choose(&all, asked, dns).map(|ip| ip.to_string()).unwrap_or_default()
        };
        for (select, policy, expected) in [
            (Select::First, Policy::PreferIpv4, ["1.1.1.1", "1.1.1.1"]),
            (Select::RoundRobin, Policy::OnlyIpv4, ["1.1.1.1", "1.1.1.2"]),
            (Select::RoundRobin, Policy::PreferIpv6, ["::1", "::2"]),
            (Select::RoundRobin, Policy::Any, ["::1", "1.1.1.1"]),
            (Select::First, Policy::OnlyIpv6, ["::1", "::1"]),
        ] {
            assert_eq!([chosen(select, policy, 0), chosen(select, policy, 1)], expected);
        }
        assert!(chosen(Select::Random, Policy::OnlyIpv4, 0).starts_with("1.1.1."));
        let dns = Dns { policy: Policy::OnlyIpv6, ..Dns::default() };
        assert_eq!(choose(&["1.1.1.1".parse().unwrap()], 0, dns), None);
    }
}
