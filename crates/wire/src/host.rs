//! Hosts and ports: which values of `Host`, and which authorities of a target, are accepted.
//!
//! RFC 9110 7.2 and RFC 3986 3.2, without user names and addresses of future versions. A name with two dots in a row
//! or with nothing but a dot is no name (nginx says the same).

use crate::Span;
use crate::vector::{Bytes, WIDTH};

/// Longest port: 65535.
const PORT_DIGITS_MAX: usize = 5;

/// Whether this is a host with, or without, a port.
pub(crate) fn is_valid(value: &[u8]) -> bool {
    name_end(value, Span::new(0, value.len())).is_some()
}

/// Where the name of a host ends that may have a port behind it; none if this is no host.
#[inline]
pub(crate) fn name_end(bytes: &[u8], span: Span) -> Option<usize> {
    let (start, end) = (span.start as usize, span.end as usize);
    // Names as most are: letters, digits, hyphens, and dots that stand alone. What comes before a colon is looked at
    // sixteen bytes at a time, and what lies behind the value is not.
    let mut after_dot = 0;
    for at in (start..end).step_by(WIDTH) {
        let within = if end - at < WIDTH { (1 << (end - at)) - 1 } else { u32::from(u16::MAX) };
        let text = Bytes::at(bytes, at);
        let dots = text.equal(b'.') & within;
        let usual = text.alphanumeric() | dots | text.equal(b'-');
        let others = !usual & within;
        let before = (others & others.wrapping_neg()).wrapping_sub(1) & within;
        if dots & (dots << 1 | after_dot) & before != 0 {
            return None;
        }
        if others != 0 {
            let stop = at + others.trailing_zeros() as usize;
            let is_usual = bytes[stop] == b':' && stop > start && bytes[start] != b'.';
            let port = &bytes[stop..end];
            return if is_usual { is_port_part(port).then_some(stop) } else { unusual_name_end(bytes, span) };
        }
        after_dot = dots >> (WIDTH - 1) & 1;
    }
    (start < end && !matches!(bytes[start..end], [b'.'])).then_some(end)
}

/// The same, byte by byte, for all that may be a host.
#[cold]
fn unusual_name_end(bytes: &[u8], span: Span) -> Option<usize> {
    let (start, value) = (span.start as usize, span.of(bytes));
    if let [b'[', literal @ ..] = value {
        let end = literal.iter().position(|&byte| byte == b']')?;
        let is_valid = is_ipv6(&literal[..end]) && is_port_part(&literal[end + 1..]);
        return is_valid.then_some(start + end + 2);
    }
    // A colon is no byte of a name: the first one of two would be found in it.
    let colon = value.iter().rev().take(PORT_DIGITS_MAX + 1).position(|&byte| byte == b':');
    let (name, port) = value.split_at(colon.map_or(value.len(), |from_end| value.len() - 1 - from_end));
    (is_name(name) && is_port_part(port)).then_some(start + name.len())
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
    use super::*;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn usual_hosts_are_read_as_all_are(
            before in "[ -~]{0,20}", value in "[a-cA-Z0-9.:_-]{0,40}", after in "[ -~]{0,20}",
        ) {
            let bytes = format!("{before}{value}{after}").into_bytes();
            let span = Span::new(before.len(), before.len() + value.len());
            prop_assert_eq!(name_end(&bytes, span), unusual_name_end(&bytes, span));
        }
    }

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
