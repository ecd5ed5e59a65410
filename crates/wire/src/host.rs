//! Hosts and ports: which values of `Host`, and which authorities of a target, are accepted.
//!
//! RFC 9110 7.2 and RFC 3986 3.2, without user names and addresses of future versions. A name with two dots in a row
//! or with nothing but a dot is no name (nginx says the same).

/// Longest port: 65535.
const PORT_DIGITS_MAX: usize = 5;

/// Whether this is a host with, or without, a port.
pub(crate) fn is_valid(value: &[u8]) -> bool {
    if let [b'[', literal @ ..] = value {
        let end = literal.iter().position(|&byte| byte == b']');
        return end.is_some_and(|end| is_ipv6(&literal[..end]) && is_port_part(&literal[end + 1..]));
    }
    // A colon is no byte of a name: the first one of two would be found in it.
    let colon = value.iter().rev().take(PORT_DIGITS_MAX + 1).position(|&byte| byte == b':');
    let (name, port) = value.split_at(colon.map_or(value.len(), |from_end| value.len() - 1 - from_end));
    is_name(name) && is_port_part(port)
}

fn is_name(name: &[u8]) -> bool {
    // A dot's bit stays set only where the byte before was a dot too.
    let (mut all, mut last, mut pairs) = (0, 0, 0);
    for &byte in name {
        let class = CLASSES[byte as usize];
        all |= class;
        pairs |= class & last;
        last = class;
    }
    all & NO_NAME == 0 && pairs & DOT == 0 && !matches!(name, b"" | b".")
}

fn is_ipv6(address: &[u8]) -> bool {
    address.len() >= 2 && address.iter().all(|&byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.')
}

/// Nothing, or a colon and digits; the digits may be missing (RFC 3986 3.2.3).
fn is_port_part(part: &[u8]) -> bool {
    match part {
        [] => true,
        [b':', digits @ ..] => digits.len() <= PORT_DIGITS_MAX && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

const NO_NAME: u8 = 1;
const DOT: u8 = 2;

/// What is no unreserved character, sub-delimiter or percent sign (RFC 3986 3.2.2), and what is a dot.
const CLASSES: [u8; 256] = {
    let mut classes = [NO_NAME; 256];
    let mut byte = 0;
    while byte < 256 {
        if (byte as u8).is_ascii_alphanumeric() {
            classes[byte] = 0;
        }
        byte += 1;
    }
    let others = b"-_~!$&'()*+,;=%";
    let mut at = 0;
    while at < others.len() {
        classes[others[at] as usize] = 0;
        at += 1;
    }
    classes[b'.' as usize] = DOT;
    classes
};

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn accepted() {
        for host in [
            "a",
            "A.example",
            "a.",
            "a_b-c.example:8443",
            "10.0.0.1",
            "10.0.0.1:80",
            "[::1]",
            "[::1]:80",
            "a:",
            "[::]:",
            "[::ffff:10.0.0.1]",
            "x%41",
            "a:65535",
        ] {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn refused() {
        for host in [
            "", ".", "..", "a..b", ":80", "a:b", "a:80:80", "a:123456", "a/b", "a\\b", "a b", "user@a", "[::1", "[]",
            "[::1]x", "[g::]", "a#", "a?", "::1", "\u{e9}", "a\t", "a\"", "<a>", "a:-1", "a:+1",
        ] {
            assert!(!is_valid(host.as_bytes()), "{host}");
        }
    }
}
