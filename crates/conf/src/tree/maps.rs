//! Variables whose value is looked up by another's: `map`, `geo`, `split_clients`.

use std::net::{IpAddr, Ipv4Addr};

use super::Pattern;
use crate::template::Template;

/// A variable whose value is looked up.
#[derive(Debug, Clone)]
pub struct Map {
    /// The variable it defines, without `$`.
    pub name: String,
    /// What is looked up.
    pub source: Template,
    /// Whether it is looked up anew each time (`volatile`), and not once a request.
    pub is_volatile: bool,
    /// Where.
    pub lookup: Lookup,
}

/// Where a value is looked up.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// `map`: among texts.
    Texts(Texts),
    /// `geo`: among networks.
    Addresses(Addresses),
    /// `split_clients`: by its hash.
    Shares(Vec<Share>),
}

/// The entries of a `map`.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// `hostnames`: a final dot of what is looked up is no part of it.
    pub are_hosts: bool,
    /// Exact keys, compared without regard to case, with their results.
    pub exact: Vec<(String, Template)>,
    /// `*.example.com`, as `.example.com`; the longest wins.
    pub leading: Vec<(String, Template)>,
    /// `example.*`, as `example.`; the longest wins.
    pub trailing: Vec<(String, Template)>,
    /// Regular expressions in the order written, tried after the others.
    pub patterns: Vec<(Pattern, Template)>,
    /// The result where nothing matches; an empty template by default.
    pub default: Template,
}

/// The entries of a `geo`.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// The result where nothing matches.
    pub default: String,
    /// Each network once.
    pub networks: Vec<(Network, String)>,
    /// `ranges`: the first and last address of each, in order; none overlaps another. They take the networks' place.
    pub ranges: Option<Vec<(Ipv4Addr, Ipv4Addr, String)>>,
    /// `proxy`: networks whose addresses give way to those in `X-Forwarded-For`.
    pub proxies: Vec<Network>,
    /// `proxy_recursive`: the last address that is no proxy's, instead of the last one.
    pub is_recursive: bool,
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// Their first; the bits behind the prefix are zero.
    pub first: IpAddr,
    /// How many bits are the same.
    pub prefix: u8,
}

/// A share of `split_clients`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Hashes below this are its own; `None` for all that are left.
    pub below: Option<u32>,
    /// The result.
    pub value: String,
}

impl Network {
    /// The network of an address; what stands behind the prefix is left out.
    pub fn of(address: IpAddr, prefix: u8) -> Self {
        let first = match address {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
                IpAddr::from((ip.to_bits() & mask).to_be_bytes())
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
                IpAddr::from((ip.to_bits() & mask).to_be_bytes())
            }
        };
        Self { first, prefix }
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && Self::of(address, self.prefix).first == self.first
    }
}

impl Texts {
    /// All its results.
    pub fn results(&self) -> impl Iterator<Item = &Template> {
        let keys = [&self.exact, &self.leading, &self.trailing].into_iter().flatten().map(|(_, result)| result);
        keys.chain(self.patterns.iter().map(|(_, result)| result)).chain([&self.default])
    }
}

impl Map {
    /// All texts with variables in it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let results = match &self.lookup {
            Lookup::Texts(texts) => Some(texts.results()),
            Lookup::Addresses(_) | Lookup::Shares(_) => None,
        };
        results.into_iter().flatten().chain([&self.source])
    }
}

#[test]
fn networks_have_addresses() {
    let table = [
        ("10.1.2.3", 8, "10.0.0.0", "10.255.0.1", true),
        ("10.1.2.3", 32, "10.1.2.3", "10.1.2.4", false),
        ("10.1.2.3", 0, "0.0.0.0", "192.0.2.1", true),
        ("10.0.0.0", 0, "0.0.0.0", "::1", false),
        ("2001:db8:1::", 33, "2001:db8::", "2001:db8:7fff::1", true),
        ("2001:db8:8000::", 33, "2001:db8:8000::", "2001:db8:7fff::1", false),
        ("::1", 128, "::1", "::1", true),
        ("::1", 0, "::", "2001:db8::", true),
    ];
    for (address, prefix, first, other, expected) in table {
        let parsed = [address, first, other].map(|text| text.parse::<IpAddr>().unwrap_or(IpAddr::from([0; 4])));
        let network = Network::of(parsed[0], prefix);
        assert_eq!((network.first, network.contains(parsed[2])), (parsed[1], expected), "{address}/{prefix} {other}");
    }
}

/// `charset_map`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharsetMap {
    /// The first charset, in lower case.
    pub from: String,
    /// The second one.
    pub to: String,
    /// Whether that is UTF-8.
    pub is_utf8: bool,
    /// Bytes of the first, and what they are in the second.
    pub pairs: Vec<(u8, Vec<u8>)>,
}
