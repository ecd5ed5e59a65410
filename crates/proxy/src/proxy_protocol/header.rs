//! A header of the PROXY protocol, versions 1 and 2, as the protocol's specification has it; nothing here touches a
//! connection.
//!
//! Left out: what version 2 says of transports other than TCP and of unix sockets, which is passed over as in nginx.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest header of version 1, its line's end included.
const V1_MAX: usize = 107;
/// The longest header of version 2, as in nginx.
const V2_MAX: usize = 4096;
/// What a header of version 2 begins with.
const V2_MARK: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The mark, version and command, family and transport, and the length of the rest.
const V2_FIXED: usize = 16;
const V1_MARK: &[u8] = b"PROXY ";

/// What a proxy says of a connection that it passes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Where it comes from.
    pub(crate) source: End,
    /// Where it went to.
    pub(crate) destination: End,
    /// What version 2 has behind the addresses: type, length and value, one behind the other.
    values: Vec<u8>,
}

/// One end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) ip: IpAddr,
    /// The address as it was written.
    pub(crate) text: String,
    pub(crate) port: u16,
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The beginning of a header.
    Partial,
    /// A header of this length; it may say nothing, for a connection of the proxy's own.
    Whole(usize, Option<Told>),
    /// No header: why.
    Broken(String),
}

/// Looks at the first bytes of a connection.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let begins = |mark: &[u8]| bytes.iter().zip(mark).all(|(byte, mark)| byte == mark);
    if begins(V2_MARK) {
        parse_v2(bytes)
    } else if begins(V1_MARK) {
        parse_v1(bytes)
    } else {
        broken(bytes)
    }
}

/// In nginx's words.
fn broken(bytes: &[u8]) -> Parsed {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let shown = String::from_utf8_lossy(&line[..line.len().min(V1_MAX)]).into_owned();
    Parsed::Broken(format!("broken header: \"{shown}\""))
}

/// `PROXY TCP4 192.0.2.1 192.0.2.2 1234 443` and a line's end; `PROXY UNKNOWN` and anything.
fn parse_v1(bytes: &[u8]) -> Parsed {
    let within = &bytes[..bytes.len().min(V1_MAX)];
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < V1_MAX { Parsed::Partial } else { broken(bytes) };
    };
    let Some(line) = within[..end].strip_suffix(b"\r").and_then(|line| std::str::from_utf8(line).ok()) else {
        return broken(bytes);
    };
    let words: Vec<&str> = line.split(' ').collect();
    let told = match words[..] {
        ["PROXY", "UNKNOWN", ..] => Some(None),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, source_port, destination_port] => {
            let one = |text: &str, port: &str| end_v1(text, port, family == "TCP6");
            one(source, source_port)
                .zip(one(destination, destination_port))
                .map(|(source, destination)| Some(Told { source, destination, values: Vec::new() }))
        }
        _ => None,
    };
    told.map_or_else(|| broken(bytes), |told| Parsed::Whole(end + 1, told))
}

fn end_v1(text: &str, port: &str, is_ipv6: bool) -> Option<End> {
    let ip: IpAddr = text.parse().ok()?;
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| is_number)?;
    (ip.is_ipv6() == is_ipv6).then(|| End { ip, text: text.to_owned(), port })
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    let Some(fixed) = bytes.first_chunk::<V2_FIXED>() else { return Parsed::Partial };
    let (version, command) = (fixed[12] >> 4, fixed[12] & 15);
    let (family, transport) = (fixed[13] >> 4, fixed[13] & 15);
    let length = V2_FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if version != 2 {
        return Parsed::Broken(format!("unknown PROXY protocol version: {version}"));
    }
    if length > V2_MAX {
        return Parsed::Broken("header is too large".to_owned());
    }
    let Some(rest) = bytes.get(V2_FIXED..length) else { return Parsed::Partial };
    // A connection of the proxy's own, or one of a kind that has no addresses here.
    if command != 1 || transport != 1 {
        return Parsed::Whole(length, None);
    }
    let told = match family {
        1 => addresses(rest, |bytes: [u8; 4]| Ipv4Addr::from(bytes).into()),
        2 => addresses(rest, |bytes: [u8; 16]| Ipv6Addr::from(bytes).into()),
        _ => return Parsed::Whole(length, None),
    };
    match told {
        Some(told) => Parsed::Whole(length, Some(told)),
        None => Parsed::Broken("header has no room for its addresses".to_owned()),
    }
}

fn addresses<const N: usize>(bytes: &[u8], ip: impl Fn([u8; N]) -> IpAddr) -> Option<Told> {
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, rest) = rest.split_first_chunk::<2>()?;
    let end = |address: &[u8; N], port: &[u8; 2]| {
        let ip = ip(*address);
        End { ip, text: ip.to_string(), port: u16::from_be_bytes(*port) }
    };
    let (source, destination) = (end(source, source_port), end(destination, destination_port));
    Some(Told { source, destination, values: rest.to_vec() })
}

impl Told {
    /// `$proxy_protocol_tlv_NAME`: a value of version 2 by the name that nginx gives its type, or by `0x` and the type.
    pub(crate) fn value(&self, name: &str) -> Option<Value<'_>> {
        /// Names of types, and those within what is said of TLS (type 0x20).
        const NAMES: [(&str, u8); 5] =
            [("alpn", 0x01), ("authority", 0x02), ("unique_id", 0x05), ("ssl", 0x20), ("netns", 0x30)];
        const TLS_NAMES: [(&str, u8); 5] =
            [("version", 0x21), ("cn", 0x22), ("cipher", 0x23), ("sig_alg", 0x24), ("key_alg", 0x25)];
        let of = |names: &[(&str, u8)], name: &str| {
            let named = names.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
            named.or_else(|| u8::from_str_radix(name.strip_prefix("0x")?, 16).ok())
        };
        if let Some(name) = name.strip_prefix("ssl_") {
            // Client flags, and the outcome of verification; then values of their own.
            let (fixed, within) = find(&self.values, 0x20)?.split_first_chunk::<5>()?;
            if name == "verify" {
                return Some(Value::Number(u32::from_be_bytes([fixed[1], fixed[2], fixed[3], fixed[4]])));
            }
            return find(within, of(&TLS_NAMES, name)?).map(Value::Bytes);
        }
        find(&self.values, of(&NAMES, name)?).map(Value::Bytes)
    }
}

/// A value that a proxy adds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Bytes(&'a [u8]),
    Number(u32),
}

/// The value of a type; what is cut off has none.
fn find(mut values: &[u8], kind: u8) -> Option<&[u8]> {
    while let Some((fixed, rest)) = values.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([fixed[1], fixed[2]]));
        let value = rest.get(..length)?;
        if fixed[0] == kind {
            return Some(value);
        }
        values = &rest[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2_MARK, &[0x20 | command, family], &length, rest].concat()
    }

    const IPV4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 4, 210, 1, 187];

    /// What came of it, in short.
    fn shown(bytes: &[u8]) -> String {
        match parse(bytes) {
            Parsed::Partial => "partial".to_owned(),
            Parsed::Broken(why) => why,
            Parsed::Whole(length, None) => format!("{length}"),
            Parsed::Whole(length, Some(Told { source, destination, .. })) => {
                let end = |end: &End| format!("{} {}", end.text, end.port);
                format!("{length} {} {}", end(&source), end(&destination))
            }
        }
    }

    #[test]
    fn headers_of_version_1_are_lines() {
        let long = format!("PROXY UNKNOWN {}", "f".repeat(90));
        let broken = |line: &str| format!("broken header: \"{line}\"");
        let table = [
            ("", "partial".to_owned()),
            ("PRO", "partial".to_owned()),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r", "partial".to_owned()),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\nGET", "41 192.0.2.1 1234 192.0.2.2 443".to_owned()),
            ("PROXY TCP6 2001:DB8::1 ::2 1 65535\r\n", "36 2001:DB8::1 1 ::2 65535".to_owned()),
            ("PROXY UNKNOWN\r\n", "15".to_owned()),
            ("PROXY UNKNOWN anything at all\r\n", "31".to_owned()),
            ("GET / HTTP/1.1\r\n", broken("GET / HTTP/1.1")),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\n", broken("PROXY TCP4 192.0.2.1 192.0.2.2 1234 443")),
            ("PROXY TCP4 ::1 ::2 1234 443\r\n", broken("PROXY TCP4 ::1 ::2 1234 443")),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n", broken("PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536")),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 443\r\n", broken("PROXY TCP4 192.0.2.1 192.0.2.2 +1 443")),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n", broken("PROXY TCP4 192.0.2.1 192.0.2.2 1234")),
            ("PROXY UDP4 192.0.2.1 192.0.2.2 1234 443\r\n", broken("PROXY UDP4 192.0.2.1 192.0.2.2 1234 443")),
            (&long, "partial".to_owned()),
            (&format!("{long}fff"), broken(&format!("{long}fff"))),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn headers_of_version_2_are_binary() {
        let ipv6 = [[0_u8; 15].as_slice(), &[1], &[0; 15], &[2], &[0, 80, 1, 187]].concat();
        let whole = v2(1, 0x11, &IPV4);
        let table = [
            (whole[..1].to_vec(), "partial"),
            (whole[..15].to_vec(), "partial"),
            (whole[..27].to_vec(), "partial"),
            (whole.clone(), "28 192.0.2.1 1234 192.0.2.2 443"),
            ([&whole[..], b"GET"].concat(), "28 192.0.2.1 1234 192.0.2.2 443"),
            (v2(1, 0x21, &ipv6), "52 ::1 80 ::2 443"),
            (v2(0, 0x11, &IPV4), "28"),
            (v2(1, 0x12, &IPV4), "28"),
            (v2(1, 0x31, &[0; 216]), "232"),
            (v2(0, 0, &[]), "16"),
            (v2(1, 0x11, &IPV4[..11]), "header has no room for its addresses"),
            ([V2_MARK, &[0x31, 0x11, 0, 0]].concat(), "unknown PROXY protocol version: 3"),
            ([V2_MARK, &[0x21, 0x11, 0x10, 0]].concat(), "header is too large"),
        ];
        for (bytes, expected) in table {
            assert_eq!(shown(&bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn values_have_names() {
        let tls = [&[1, 0, 0, 0, 7][..], &[0x21, 0, 7], b"TLSv1.3", &[0x22, 0, 1], b"c"].concat();
        let length = u8::try_from(tls.len()).unwrap();
        let values =
            [&IPV4[..], &[1, 0, 2], b"h2", &[0x20, 0, length], &tls, &[0xEA, 0, 2], b"vp", &[0xE0, 0, 9]].concat();
        let Parsed::Whole(_, Some(told)) = parse(&v2(1, 0x11, &values)) else { panic!("it is whole") };
        let table = [
            ("alpn", Some(Value::Bytes(b"h2"))),
            ("0x01", Some(Value::Bytes(b"h2"))),
            ("ssl_version", Some(Value::Bytes(b"TLSv1.3"))),
            ("ssl_cn", Some(Value::Bytes(b"c"))),
            ("ssl_verify", Some(Value::Number(7))),
            ("ssl_0x22", Some(Value::Bytes(b"c"))),
            ("0xEA", Some(Value::Bytes(b"vp"))),
            ("0xe0", None),
            ("authority", None),
            ("ssl_cipher", None),
            ("nothing", None),
        ];
        for (name, expected) in table {
            assert_eq!(told.value(name), expected, "{name}");
        }
    }

    #[test]
    fn nothing_that_comes_makes_it_panic() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let seeds = [v2(1, 0x11, &IPV4), b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n".to_vec()];
        for round in 0..200_000 {
            let mut bytes = seeds[round % 2].clone();
            for _ in 0..random() % 4 {
                let at = usize::try_from(random()).unwrap() % bytes.len();
                bytes[at] = random().to_le_bytes()[0];
            }
            bytes.truncate(usize::try_from(random()).unwrap() % (bytes.len() + 1));
            if let Parsed::Whole(length, told) = parse(&bytes) {
                assert!(length <= bytes.len());
                assert!(told.is_none_or(|told| told.value("ssl_cn").is_none_or(|value| value != Value::Number(0))));
            }
        }
    }
}
