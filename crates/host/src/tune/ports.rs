//! Ports: lists of them as the kernel writes them, and those that something listens on. Text in, numbers out.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The ports that the kernel gives to clients where nobody told it otherwise.
pub(super) const CLIENTS: RangeInclusive<u16> = 32_768..=60_999;

/// Reads a list such as `8080,9000-9003`; what is no port is left out.
pub(super) fn list(text: &str) -> BTreeSet<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<u16>().ok()?..=last.trim().parse::<u16>().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

/// Writes a list as the kernel does, neighbours as a range.
pub(super) fn written(ports: &BTreeSet<u16>) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => ranges.push((port, port)),
        }
    }
    let text = |(first, last): (u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.into_iter().map(text).collect::<Vec<_>>().join(",")
}

/// Ports with a listener, from the text of `/proc/net/tcp` or `tcp6`.
pub(super) fn listening(table: &str) -> impl Iterator<Item = u16> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, _remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (_, port) = local.rsplit_once(':')?;
        (state == LISTEN).then(|| u16::from_str_radix(port, 16).ok())?
    })
}

/// Ports of services, from the text of `/proc/net/udp` or `udp6`: those of sockets without a peer. What lies where the
/// kernel by itself takes a client's port from is taken for one: such sockets come and go.
pub(super) fn serving(table: &str) -> impl Iterator<Item = u16> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let port = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
        let (local, remote) = (port(fields.next()?)?, port(fields.next()?)?);
        (remote == 0 && !CLIENTS.contains(&local)).then_some(local)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for (text, expected) in [
            ("", ""),
            ("8080", "8080"),
            ("8080,8081,9000-9002,9003\n", "8080-8081,9000-9003"),
            ("9080, 443", "443,9080"),
            ("65534-65535,70000,x,-", "65534-65535"),
            ("9-1", ""),
        ] {
            assert_eq!(written(&list(text)), expected, "{text:?}");
        }
    }

    #[test]
    fn only_listeners_are_found() {
        let table = "  sl  local_address rem_address   st\n\
            0: 0100007F:2378 00000000:0000 0A 00000000:00000000\n\
            1: 0100007F:A000 0100007F:2378 01 00000000:00000000\n\
            2: 00000000000000000000000001000000:1F90 0:0 0A\n\
            3: broken\n";
        assert_eq!(listening(table).collect::<Vec<_>>(), [9080, 8080]);
    }

    #[test]
    fn services_of_udp_are_told_from_clients() {
        let table = "  sl  local_address rem_address   st\n\
            0: 00000000:14E9 00000000:0000 07 00000000:00000000\n\
            1: 0100007F:14EA 0100007F:0035 01 00000000:00000000\n\
            2: 00000000:8000 00000000:0000 07\n\
            3: 00000000000000000000000000000000:EE48 00000000000000000000000000000000:0000 07\n\
            4: broken\n";
        assert_eq!(serving(table).collect::<Vec<_>>(), [5353, 61_000]);
    }
}
