//! `geo`: a value by an address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use conf::tree::{self, Network};

use crate::fact::{Fact, Facts};

/// An address that is none is looked up as this one, as in nginx.
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

/// The networks of a `geo`, looked up in time that does not grow with their number.
#[derive(Debug, Clone)]
pub(crate) struct Geo {
    default: Vec<u8>,
    /// By the length of the prefix, the longest first.
    networks: Vec<(u8, HashMap<IpAddr, Vec<u8>>)>,
    /// Sorted, and they take the networks' place.
    ranges: Option<Vec<(Ipv4Addr, Ipv4Addr, Vec<u8>)>>,
    proxies: Vec<Network>,
    is_recursive: bool,
    forwarded: Fact,
}

impl Geo {
    pub(crate) fn compile(addresses: &tree::Addresses) -> Self {
        let mut networks: Vec<(u8, HashMap<IpAddr, Vec<u8>>)> = Vec::new();
        let mut by_length: HashMap<u8, HashMap<IpAddr, Vec<u8>>> = HashMap::new();
        for (network, value) in &addresses.networks {
            by_length.entry(network.prefix).or_default().insert(network.first, value.clone().into_bytes());
        }
        networks.extend(by_length);
        networks.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        let range = |(first, last, value): &(_, _, String)| (*first, *last, value.clone().into_bytes());
        Self {
            default: addresses.default.clone().into_bytes(),
            networks,
            ranges: addresses.ranges.as_ref().map(|ranges| ranges.iter().map(range).collect()),
            proxies: addresses.proxies.clone(),
            is_recursive: addresses.is_recursive,
            forwarded: Fact::HttpField("x-forwarded-for".to_owned()),
        }
    }

    /// The value of an address as text; `room` is for the fields that a proxy adds.
    pub(crate) fn find(&self, text: &[u8], facts: &dyn Facts, room: &mut Vec<u8>) -> &[u8] {
        let mut address = parse(text).unwrap_or(NO_ADDRESS);
        if self.is_proxy(address) {
            room.clear();
            facts.append(&self.forwarded, room);
            for forwarded in room.rsplit(|byte| *byte == b',') {
                let Some(before) = parse(forwarded.trim_ascii()) else { break };
                address = before;
                if !self.is_recursive || !self.is_proxy(address) {
                    break;
                }
            }
        }
        match (&self.ranges, address) {
            (None, address) => self.in_networks(address),
            (Some(ranges), IpAddr::V4(address)) => self.in_ranges(ranges, address),
            (Some(ranges), IpAddr::V6(_)) => self.in_ranges(ranges, Ipv4Addr::BROADCAST),
        }
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(address))
    }

    fn in_networks(&self, address: IpAddr) -> &[u8] {
        let most = if address.is_ipv4() { 32 } else { 128 };
        let lengths = self.networks.iter().filter(|(length, _)| *length <= most);
        let found = lengths.filter_map(|(length, all)| all.get(&Network::of(address, *length).first)).next();
        found.unwrap_or(&self.default)
    }

    fn in_ranges<'a>(&'a self, ranges: &'a [(Ipv4Addr, Ipv4Addr, Vec<u8>)], address: Ipv4Addr) -> &'a [u8] {
        let at = ranges.partition_point(|(_, last, _)| *last < address);
        let found = ranges.get(at).filter(|(first, ..)| *first <= address);
        found.map_or(&self.default, |(.., value)| value)
    }
}

/// An address; of IPv4 also where it is written as one of IPv6.
fn parse(text: &[u8]) -> Option<IpAddr> {
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(match address {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;
    use crate::testing::Table;

    fn network(text: &str) -> Network {
        let (address, bits) = text.split_once('/').unwrap();
        Network::of(address.parse().unwrap(), bits.parse().unwrap())
    }

    fn found(geo: &Geo, address: &str, facts: &'static [(&'static str, &'static str)]) -> String {
        let value = geo.find(address.as_bytes(), &Table(facts), &mut Vec::new());
        String::from_utf8(value.to_vec()).unwrap()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let written = [
            ("0.0.0.0/0", "any"),
            ("10.0.0.0/8", "ten"),
            ("10.1.0.0/16", "one"),
            ("10.1.2.3/32", "host"),
            ("2001:db8::/32", "six"),
            ("10:a00::/8", "none of IPv4"),
        ];
        let networks = written.iter().map(|(text, value)| (network(text), (*value).to_owned())).collect();
        let geo = Geo::compile(&tree::Addresses { networks, ..tree::Addresses::default() });
        let table = [
            ("10.1.2.3", "host"),
            ("::ffff:10.1.2.3", "host"),
            ("10.1.2.4", "one"),
            ("10.2.0.0", "ten"),
            ("192.0.2.1", "any"),
            ("no address", "any"),
            ("", "any"),
            ("2001:db8::1", "six"),
            ("2001:db9::1", ""),
        ];
        for (address, expected) in table {
            assert_eq!(found(&geo, address, &[]), expected, "{address}");
        }
    }

    #[test]
    fn ranges_have_ends() {
        let range =
            |first: &str, last: &str, value: &str| (first.parse().unwrap(), last.parse().unwrap(), value.to_owned());
        let ranges = vec![range("10.0.0.0", "10.0.0.9", "a"), range("10.0.0.20", "10.0.0.20", "b")];
        let default = "none".to_owned();
        let geo = Geo::compile(&tree::Addresses { ranges: Some(ranges), default, ..tree::Addresses::default() });
        let table = [
            ("10.0.0.0", "a"),
            ("10.0.0.9", "a"),
            ("10.0.0.10", "none"),
            ("10.0.0.20", "b"),
            ("10.0.0.21", "none"),
            ("9.255.255.255", "none"),
            ("::1", "none"),
        ];
        for (address, expected) in table {
            assert_eq!(found(&geo, address, &[]), expected, "{address}");
        }
    }

    #[test]
    fn proxies_give_way_to_those_before_them() {
        let proxies = vec![network("127.0.0.0/8"), network("10.0.0.0/8")];
        let networks = ["1.1.1.1/32", "10.0.0.2/32", "127.0.0.1/32"].map(|text| (network(text), text.to_owned()));
        let addresses = tree::Addresses { proxies, networks: networks.into(), ..tree::Addresses::default() };
        let last = Geo::compile(&addresses);
        let all = Geo::compile(&tree::Addresses { is_recursive: true, ..addresses });
        const FORWARDED: &[(&str, &str)] = &[("http_x_forwarded_for", "1.1.1.1, 10.0.0.2")];
        assert_eq!(found(&last, "127.0.0.1", FORWARDED), "10.0.0.2/32");
        assert_eq!(found(&all, "127.0.0.1", FORWARDED), "1.1.1.1/32");
        assert_eq!(found(&all, "127.0.0.1", &[("http_x_forwarded_for", "1.1.1.1, x")]), "127.0.0.1/32");
        assert_eq!(found(&all, "127.0.0.1", &[("http_x_forwarded_for", "x, 10.0.0.2")]), "10.0.0.2/32");
        assert_eq!(found(&all, "127.0.0.1", &[]), "127.0.0.1/32");
        assert_eq!(found(&all, "1.1.1.1", &[("http_x_forwarded_for", "10.0.0.2")]), "1.1.1.1/32");
    }
}
