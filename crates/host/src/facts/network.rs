//! Counts of protocols and sockets, under the kernel's own names.

use super::Snapshot;
use super::files::Files;

/// What is told of `/proc/net/snmp` and `netstat`, of some four hundred: all of TCP but its constants, and of the
/// others what node_exporter tells when it is not told otherwise.
const WANTED: [(&str, &[&str]); 6] = [
    ("Ip", &["Forwarding"]),
    ("IpExt", &["InOctets", "OutOctets"]),
    ("Icmp", &["InErrors", "InMsgs", "OutMsgs"]),
    (
        "Tcp",
        &[
            "ActiveOpens",
            "PassiveOpens",
            "AttemptFails",
            "EstabResets",
            "CurrEstab",
            "InSegs",
            "OutSegs",
            "RetransSegs",
            "InErrs",
            "OutRsts",
            "InCsumErrors",
        ],
    ),
    (
        "TcpExt",
        &[
            "ListenOverflows",
            "ListenDrops",
            "SyncookiesSent",
            "SyncookiesRecv",
            "SyncookiesFailed",
            "TCPSynRetrans",
            "TCPTimeouts",
            "TCPOFOQueue",
            "TCPRcvQDrop",
        ],
    ),
    ("Udp", &["InDatagrams", "OutDatagrams", "InErrors", "NoPorts", "RcvbufErrors", "SndbufErrors"]),
];

pub(super) fn read(files: &mut Files, seen: &mut Snapshot) {
    for path in ["proc/net/snmp", "proc/net/netstat"] {
        if let Some(text) = files.read_again(path) {
            protocols(text, &mut seen.protocols);
        }
    }
    for path in ["proc/net/sockstat", "proc/net/sockstat6"] {
        if let Some(text) = files.read_again(path) {
            sockets(text, &mut seen.sockets);
        }
    }
}

/// Pairs of lines: the names, and below them the numbers.
fn protocols(text: &str, found: &mut Vec<(String, u64)>) {
    let mut lines = text.lines();
    while let (Some(names), Some(numbers)) = (lines.next(), lines.next()) {
        let (Some((protocol, names)), Some((same, numbers))) = (names.split_once(':'), numbers.split_once(':')) else {
            continue;
        };
        let Some((_, wanted)) = WANTED.iter().find(|(known, _)| *known == protocol && protocol == same) else {
            continue;
        };
        for (name, number) in names.split_ascii_whitespace().zip(numbers.split_ascii_whitespace()) {
            if let (true, Ok(number)) = (wanted.contains(&name), number.parse()) {
                found.push((format!("{protocol}_{name}"), number));
            }
        }
    }
}

/// Lines such as `TCP: inuse 5 orphan 0`.
fn sockets(text: &str, found: &mut Vec<(String, u64)>) {
    for line in text.lines() {
        let Some((kind, rest)) = line.split_once(':') else { continue };
        let mut words = rest.split_ascii_whitespace();
        while let (Some(name), Some(number)) = (words.next(), words.next()) {
            if let Ok(number) = number.parse() {
                found.push((format!("{kind}_{name}"), number));
            }
        }
    }
}
