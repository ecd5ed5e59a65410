//! Questions and answers of DNS (RFC 1035), by a library that knows its bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

use super::Failure;

/// Addresses taken of one answer; services have a few.
pub(super) const ADDRESSES_MAX: usize = 256;

/// The longest name and the longest part of one (RFC 1035 2.3.4).
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    V4,
    V6,
}

/// What a message is to whoever has asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// No answer to this question.
    Foreign,
    /// Cut off: to be asked again over TCP.
    Truncated,
    /// The addresses, perhaps none, and how many seconds they hold.
    Addresses(Vec<IpAddr>, u32),
    Failed(Failure),
}

/// The question for a name's addresses.
pub(super) fn question(id: u16, host: &str, kind: Kind) -> Result<Vec<u8>, Failure> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.len() > NAME_MAX || host.split('.').any(|label| !(1..=LABEL_MAX).contains(&label.len())) {
        return Err(Failure::Format);
    }
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(host).map_err(|_| Failure::Format)?;
    packet.questions.push(Question::new(name, type_of(kind).into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(|_| Failure::Format)
}

/// Reads what came as an answer to that question.
pub(super) fn read(bytes: &[u8], id: u16, host: &str, kind: Kind) -> Read {
    let Ok(packet) = Packet::parse(bytes) else { return Read::Foreign };
    let is_asked = |question: &Question<'_>| {
        question.qtype == type_of(kind).into()
            && question.qname.to_string().eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host))
    };
    let is_ours = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && packet.questions.len() == 1
        && packet.questions.iter().all(is_asked);
    if !is_ours {
        return Read::Foreign;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Read::Truncated;
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Read::Failed(Failure::NotFound),
        _ => return Read::Failed(Failure::Server),
    }
    let mut ttl = u32::MAX;
    let mut addresses = Vec::new();
    for record in packet.answers.iter().take(ADDRESSES_MAX) {
        // What leads there (CNAME) holds no longer than what it leads to.
        ttl = ttl.min(record.ttl);
        match (&record.rdata, kind) {
            (RData::A(a), Kind::V4) => addresses.push(IpAddr::V4(Ipv4Addr::from(a.address))),
            (RData::AAAA(aaaa), Kind::V6) => addresses.push(IpAddr::V6(Ipv6Addr::from(aaaa.address))),
            _ => {}
        }
    }
    Read::Addresses(addresses, ttl)
}

fn type_of(kind: Kind) -> TYPE {
    match kind {
        Kind::V4 => TYPE::A,
        Kind::V6 => TYPE::AAAA,
    }
}
