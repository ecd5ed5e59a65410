//! A range of addresses, as `allow`, `deny` and their like have it: `10.0.0.0/8`, `2001:db8::/32`, one address.

use std::net::IpAddr;

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    bits: u8,
}

impl Net {
    /// Reads an address with or without `/BITS`.
    ///
    /// # Errors
    /// Why the text is none.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| "it must be an address, or a range such as 10.0.0.0/8")?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => all,
            Some(bits) => {
                let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
                let bits = bits.parse().ok().filter(|bits| is_number && *bits <= all);
                bits.ok_or("behind the slash stands a number of bits: up to 32, or 128 of IPv6")?
            }
        };
        Ok(Self { address, bits })
    }

    /// One address alone.
    pub(crate) fn one(address: IpAddr) -> Self {
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether an address is within it. An IPv4 address within an IPv6 one counts as the IPv4 one that it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(one)) => same(net.to_bits().into(), one.to_bits().into(), 32 - self.bits),
            (IpAddr::V6(net), IpAddr::V6(one)) => same(net.to_bits(), one.to_bits(), 128 - self.bits),
            (IpAddr::V6(net), IpAddr::V4(one)) => same(net.to_bits(), one.to_ipv6_mapped().to_bits(), 128 - self.bits),
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        }
    }
}

/// Whether two numbers are the same but for so many bits at their end.
fn same(a: u128, b: u128, free: u8) -> bool {
    (a ^ b).checked_shr(free.into()).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::Net;

    #[test]
    fn addresses_are_in_ranges() {
        let table = [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "255.0.0.1", true),
            ("0.0.0.0/0", "::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("::ffff:127.0.0.0/104", "127.9.9.9", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "2001::", true),
            ("::1", "::1", true),
        ];
        for (net, address, expected) in table {
            let contains = Net::parse(net).unwrap().contains(address.parse().unwrap());
            assert_eq!(contains, expected, "{net} {address}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "/", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/-1", "a"] {
            assert!(Net::parse(text).is_err(), "{text}");
        }
    }
}
