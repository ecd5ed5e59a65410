//! The header of version 1 that a server is sent, as nginx sends it for streams.

use std::net::{IpAddr, SocketAddr};

use crate::client::Client;

/// What is said of a connection of the balancer's own, or of one that has no addresses.
pub(crate) fn of_nobody() -> &'static [u8] {
    b"PROXY UNKNOWN\r\n"
}

/// What is said of a client's connection: where it comes from, a trusted proxy's word for that included.
pub(crate) fn of_client(client: &Client) -> Vec<u8> {
    if client.is_unix() { of_nobody().to_vec() } else { line(client.remote, client.local) }
}

fn line(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (from, to) = (source.ip().to_canonical(), destination.ip().to_canonical());
    let wide = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => IpAddr::V6(ip.to_ipv6_mapped()),
        IpAddr::V6(_) => ip,
    };
    // Both are of one family.
    let (family, from, to) = match (from, to) {
        (IpAddr::V4(_), IpAddr::V4(_)) => ("TCP4", from, to),
        _ => ("TCP6", wide(from), wide(to)),
    };
    format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::header::{Parsed, parse};
    use super::*;

    #[test]
    fn a_header_names_both_ends_in_one_family() {
        let table = [
            ("192.0.2.1:1234", "192.0.2.2:443", "TCP4 192.0.2.1 192.0.2.2 1234 443"),
            ("[2001:db8::1]:1", "[::1]:65535", "TCP6 2001:db8::1 ::1 1 65535"),
            ("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:2", "TCP4 192.0.2.1 192.0.2.2 1 2"),
            ("[2001:db8::1]:0", "192.0.2.2:443", "TCP6 2001:db8::1 ::ffff:192.0.2.2 0 443"),
        ];
        for (source, destination, expected) in table {
            let (source, destination) = (source.parse().expect("an address"), destination.parse().expect("an address"));
            let header = line(source, destination);
            assert_eq!(String::from_utf8_lossy(&header), format!("PROXY {expected}\r\n"));
            assert!(matches!(parse(&header), Parsed::Whole(length, Some(_)) if length == header.len()));
        }
        assert!(matches!(parse(of_nobody()), Parsed::Whole(_, None)));
    }
}
