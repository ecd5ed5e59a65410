//! Where a host is reached: k6's `hosts`, `blockHostnames`, `blacklistIPs` and `dns`.

use std::net::{IpAddr, SocketAddr};

use crate::failure::Failure;
use crate::names;

/// How names become addresses, and which hosts are not to be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// Addresses of names, by pattern.
    pub hosts: Vec<(HostPattern, HostAddress)>,
    /// Names that are not to be reached.
    pub blocked: Vec<HostPattern>,
    /// Addresses that are not to be reached.
    pub blacklist: Vec<Network>,
    /// How names are looked up.
    pub dns: Dns,
}

/// A name, or `*` with the end of one, and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    text: String,
    port: Option<u16>,
}

/// Where a name leads in place of what its look-up would say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostAddress {
    ip: IpAddr,
    port: Option<u16>,
}

/// Addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    bits: u8,
}

/// How names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dns {
    /// How long an answer holds; `None` is for ever.
    pub ttl_ns: Option<u64>,
    /// Which of several addresses is taken.
    pub select: Select,
    /// Which kind of addresses.
    pub policy: Policy,
}

/// Which of several addresses is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The first one.
    First,
    /// Any.
    Random,
    /// One after the other.
    RoundRobin,
}

/// Which kind of addresses is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// IPv4, or else IPv6.
    PreferIpv4,
    /// IPv6, or else IPv4.
    PreferIpv6,
    /// IPv4.
    OnlyIpv4,
    /// IPv6.
    OnlyIpv6,
    /// Both.
    Any,
}

impl Default for Dns {
    fn default() -> Self {
        Self { ttl_ns: Some(300_000_000_000), select: Select::Random, policy: Policy::PreferIpv4 }
    }
}

impl HostPattern {
    /// `name`, `*.name` or `*`; where `with_port` says so, perhaps with `:port`.
    #[must_use]
    pub fn parse(text: &str, with_port: bool) -> Option<Self> {
        let (name, port) = match text.rsplit_once(':').filter(|_| with_port) {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let rest = name.strip_prefix('*').unwrap_or(name);
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty() || !rest.bytes().all(is_letter) {
            return None;
        }
        Some(Self { text: name.to_ascii_lowercase(), port })
    }

    fn matches(&self, host: &str, port: u16) -> bool {
        let is_host = match self.text.strip_prefix('*') {
            Some(end) => host.ends_with(end),
            None => host == self.text,
        };
        is_host && self.port.is_none_or(|own| own == port)
    }

    /// A name with a port says more than one without, and a longer pattern more than a shorter one.
    fn rank(&self) -> (bool, bool, usize) {
        (self.port.is_some(), !self.text.starts_with('*'), self.text.len())
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl HostAddress {
    /// `ip` or `ip:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let whole =
            text.parse::<SocketAddr>().ok().map(|address| Self { ip: address.ip(), port: Some(address.port()) });
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        whole.or_else(|| Some(Self { ip: bare.parse().ok()?, port: None }))
    }
}

impl Network {
    /// `10.0.0.0/8`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (ip, bits) = text.split_once('/')?;
        let ip: IpAddr = ip.parse().ok()?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        Some(Self { ip, bits: bits.parse().ok().filter(|bits| *bits <= most)? })
    }

    fn has(&self, ip: IpAddr) -> bool {
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let shift = 32 - u32::from(self.bits);
                (u64::from(own.to_bits()) >> shift) == (u64::from(ip.to_bits()) >> shift)
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let differing = own.to_bits() ^ ip.to_bits();
                differing.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl Routes {
    /// The address of a host, where nothing has to be looked up for it.
    pub(crate) fn known(&self, host: &str, port: u16) -> Option<Result<SocketAddr, Failure>> {
        let name = host.to_ascii_lowercase();
        let ip = host.parse::<IpAddr>().ok();
        if ip.is_none()
            && let Some(pattern) = self.blocked.iter().find(|pattern| pattern.matches(&name, port))
        {
            return Some(Err(Failure::blocked(host, pattern.text())));
        }
        let matching = self.hosts.iter().filter(|(pattern, _)| pattern.matches(&name, port));
        if let Some((_, address)) = matching.max_by_key(|(pattern, _)| pattern.rank()) {
            return Some(self.allowed(SocketAddr::new(address.ip, address.port.unwrap_or(port))));
        }
        ip.map(|ip| self.allowed(SocketAddr::new(ip, port)))
    }

    /// Looks a host up.
    pub(crate) async fn look_up(&self, host: &str, port: u16) -> Result<SocketAddr, Failure> {
        let ip = names::lookup(host, self.dns).await?;
        self.allowed(SocketAddr::new(ip, port))
    }

    fn allowed(&self, address: SocketAddr) -> Result<SocketAddr, Failure> {
        match self.blacklist.iter().find(|network| network.has(address.ip())) {
            Some(Network { ip, bits }) => Err(Failure::blacklisted(address.ip(), &format!("{ip}/{bits}"))),
            None => Ok(address),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn known(routes: &Routes, host: &str, port: u16) -> String {
        match routes.known(host, port) {
            None => "looked up".to_owned(),
            Some(Ok(address)) => address.to_string(),
            Some(Err(failure)) => failure.code.to_string(),
        }
    }

    #[test]
    fn hosts_lead_where_the_options_say() {
        let hosts = [("a.test", "1.1.1.1"), ("a.test:81", "1.1.1.2:82"), ("*.a.test", "[::1]:83"), ("*", "1.1.1.3")];
        let pair = |(name, address): &(&str, &str)| {
            (HostPattern::parse(name, true).unwrap(), HostAddress::parse(address).unwrap())
        };
        let mut routes = Routes { hosts: hosts.iter().map(pair).collect(), ..Routes::default() };
        for (host, port, expected) in [
            ("a.test", 80, "1.1.1.1:80"),
            ("A.test", 81, "1.1.1.2:82"),
            ("x.a.test", 80, "[::1]:83"),
            ("b", 80, "1.1.1.3:80"),
        ] {
            assert_eq!(known(&routes, host, port), expected, "{host}");
        }
        routes.hosts.pop();
        assert_eq!((known(&routes, "b", 80).as_str(), known(&routes, "::1", 80).as_str()), ("looked up", "[::1]:80"));
    }

    #[test]
    fn some_are_not_reached() {
        let blocked = ["*.bad.test", "no.test"].map(|text| HostPattern::parse(text, false).unwrap()).to_vec();
        let blacklist = ["10.0.0.0/8", "127.0.0.2/32", "fe80::/10"].map(|text| Network::parse(text).unwrap()).to_vec();
        let routes = Routes { blocked, blacklist, ..Routes::default() };
        for (host, expected) in [
            ("x.bad.test", "1111"),
            ("bad.test", "looked up"),
            ("no.test", "1111"),
            ("10.255.0.1", "1110"),
            ("127.0.0.2", "1110"),
            ("127.0.0.3", "127.0.0.3:80"),
            ("fe80::1", "1110"),
        ] {
            assert_eq!(known(&routes, host, 80), expected, "{host}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "a*b", "a b", "a:x"] {
            assert!(HostPattern::parse(text, true).is_none(), "{text}");
        }
        assert!(HostAddress::parse("x").is_none() && HostAddress::parse("1.2.3.4:x").is_none());
        assert!(Network::parse("1.2.3.4/33").is_none() && Network::parse("1.2.3.4").is_none());
    }
}
