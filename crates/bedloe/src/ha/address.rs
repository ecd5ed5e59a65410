//! Addresses of hosts, and the one that two of them share: what no host can have is refused.

use std::net::IpAddr;

use anyhow::bail;

/// An address that moves between two hosts of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) address: IpAddr,
    /// The length of the network's prefix.
    pub(super) length: u8,
}

impl Shared {
    /// Reads `ADDRESS/LENGTH`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wanted = || "want an address with its prefix length, such as 10.0.0.10/24".to_owned();
        let (address, length) = text.split_once('/').ok_or_else(wanted)?;
        let address: IpAddr = address.parse().map_err(|_| wanted())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = length.parse().ok().filter(|length| (1..=most).contains(length)).ok_or_else(wanted)?;
        let shared = Self { address: host(&address.to_string())?, length };
        match shared.end(address) {
            Some(end) => Err(format!("{address} is {end} of its network /{length}: no host has it")),
            None => Ok(shared),
        }
    }

    /// Whether a balancer's own address can stand beside it.
    pub(super) fn check(self, own: IpAddr, flag: &str) -> anyhow::Result<()> {
        let Self { address, length } = self;
        if address == own {
            bail!("{address} is a balancer's own: the shared address is one more");
        }
        if address.is_ipv4() != own.is_ipv4() {
            bail!("{address} and {flag} {own} are of two families: VRRP carries one");
        }
        match self.end(own) {
            Some(end) => bail!("{flag} {own} is {end} of the network of {address}/{length}: no host has it"),
            None => Ok(()),
        }
    }

    /// Which end of this network an address is. Where a network has two addresses both are of hosts (RFC 3021, 6164).
    fn end(self, address: IpAddr) -> Option<&'static str> {
        let (own, other, bits) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u128::from(own.to_bits()), u128::from(other.to_bits()), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            _ => return None,
        };
        let free = u32::from(bits - self.length);
        if free < 2 || own >> free != other >> free {
            return None;
        }
        let hosts = (1 << free) - 1;
        match other & hosts {
            0 => Some("the first address"),
            last if last == hosts && bits == 32 => Some("the broadcast address, its last one,"),
            _ => None,
        }
    }
}

/// Reads an address that a host may have.
pub(super) fn host(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| "want an address, such as 10.0.0.2".to_owned())?;
    let is_none = match address {
        // Above multicast there is nothing but what is reserved, and the broadcast address.
        IpAddr::V4(address) => address.octets()[0] == 0 || address.is_loopback() || address.octets()[0] >= 224,
        IpAddr::V6(address) => {
            let is_mapped = address.to_ipv4_mapped().is_some();
            address.is_unspecified() || address.is_loopback() || address.is_multicast() || is_mapped
        }
    };
    if is_none { Err(format!("{address} is no address of a host in a network")) } else { Ok(address) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_host_can_have_is_no_shared_address() {
        let table = [
            ("10.0.0.10/24", ""),
            ("10.0.0.10/32", ""),
            ("10.0.0.0/31", ""),
            ("10.0.1.0/16", ""),
            ("fe80::10/64", ""),
            ("fd00::ffff:ffff:ffff:ffff/64", ""),
            ("10.0.0.10", "want an address with its prefix"),
            ("10.0.0.10/0", "want an address with its prefix"),
            ("10.0.0.10/33", "want an address with its prefix"),
            ("x/24", "want an address with its prefix"),
            ("0.0.0.0/24", "no address of a host"),
            ("0.0.0.1/24", "no address of a host"),
            ("224.0.0.5/24", "no address of a host"),
            ("127.0.0.1/8", "no address of a host"),
            ("255.255.255.255/32", "no address of a host"),
            ("::/64", "no address of a host"),
            ("::1/128", "no address of a host"),
            ("ff02::12/64", "no address of a host"),
            ("::ffff:10.0.0.10/120", "no address of a host"),
            ("10.0.0.0/24", "10.0.0.0 is the first address of its network /24"),
            ("10.0.0.255/24", "the broadcast address"),
            ("fd00::/64", "the first address"),
        ];
        for (text, part) in table {
            match Shared::parse(text) {
                Ok(shared) => {
                    assert!(part.is_empty() && format!("{}/{}", shared.address, shared.length) == text, "{text}");
                }
                Err(said) => assert!(!part.is_empty() && said.contains(part), "{text}: {said}"),
            }
        }
    }
}
