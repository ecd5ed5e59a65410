//! `hash KEY consistent`: keys and servers on one ring of CRC-32 values; a server that leaves moves its own keys only.
//!
//! Points are placed as nginx places them (the way of Cache::Memcached::Fast), so that moving from nginx moves no key.

use std::collections::HashMap;

use crate::attempts::{Attempts, HashState};
use crate::group::Group;
use crate::hash::MAX_MISSES;
use crate::peer::Peer;
use crate::round_robin::Weights;

/// Points a unit of weight.
const POINTS_PER_WEIGHT: u64 = 160;
/// The most points of a ring: 64 MiB with what is looked up. Weights that add up to more than 26,214 would take all
/// memory there is; their servers have as many points as their share is.
const POINTS_MAX: u64 = 1 << 22;

/// The ring: sorted points, each of a name, and the servers that go by that name.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// Sorted by hash, without equal hashes.
    points: Vec<Point>,
    /// For each of equal parts of the hash's range, a power of two of them, the first point in it or behind it: a
    /// search of all points would go through as many cache lines as it takes steps.
    starts: Vec<u32>,
    /// For each name the servers with it: a name that resolves to several addresses has one for each.
    names: Vec<Vec<usize>>,
}

#[derive(Debug)]
struct Point {
    hash: u32,
    name: u32,
}

impl Ring {
    pub(crate) fn new(peers: &[Peer], primaries: &[usize]) -> Self {
        let mut ring = Self::default();
        let mut known: HashMap<&str, usize> = HashMap::new();
        let all = primaries.iter().map(|&peer| u64::from(peers[peer].settings().weight)).sum::<u64>();
        for &peer in primaries {
            let settings = peers[peer].settings();
            let name = *known.entry(&settings.name).or_insert_with(|| {
                ring.names.push(Vec::new());
                ring.names.len() - 1
            });
            ring.names[name].push(peer);
            ring.place(u32::try_from(name).unwrap_or(u32::MAX), &settings.name, points(settings.weight, all));
        }
        // A stable sort: of two servers' points that collide, the one written first stays.
        ring.points.sort_by_key(|point| point.hash);
        ring.points.dedup_by_key(|point| point.hash);
        let parts = ring.points.len().next_power_of_two();
        let first = |part: usize| {
            let bound = ((part as u64) << 32 >> parts.ilog2()) as u32;
            ring.points.partition_point(|point| point.hash < bound) as u32
        };
        ring.starts = (0..parts).map(first).collect();
        ring
    }

    /// Index of the first point at or after the key's hash; past the last point it is the first again (modulo).
    fn find(&self, key: &[u8]) -> usize {
        let hash = crc32fast::hash(key);
        let part = u64::from(hash) << self.starts.len().ilog2() >> 32;
        let start = self.starts[part as usize] as usize;
        start + self.points[start..].iter().take_while(|point| point.hash < hash).count()
    }

    /// The servers at a point.
    fn servers(&self, position: usize) -> &[usize] {
        let point = &self.points[position % self.points.len()];
        &self.names[point.name as usize]
    }

    fn place(&mut self, name: u32, written: &str, points: u64) {
        let (host, port) = split_name(written);
        let mut base = crc32fast::Hasher::new();
        base.update(host);
        base.update(&[0]);
        base.update(port);
        let mut previous = 0_u32;
        for _ in 0..points {
            let mut crc = base.clone();
            crc.update(&previous.to_le_bytes());
            previous = crc.finalize();
            self.points.push(Point { hash: previous, name });
        }
    }
}

/// How many points a server of this weight has, where all weights add up to `all`.
fn points(weight: u32, all: u64) -> u64 {
    let points = u64::from(weight) * POINTS_PER_WEIGHT;
    match all.saturating_mul(POINTS_PER_WEIGHT) {
        0..=POINTS_MAX => points,
        _ => (u64::from(weight) * POINTS_MAX / all).max(1),
    }
}

/// The server at the key's place on the ring, or one further on; `None` when round robin has to decide.
pub(crate) fn pick(
    group: &Group,
    weights: &mut Weights,
    attempts: &mut Attempts,
    key: &[u8],
    now_ms: u64,
) -> Option<usize> {
    let start = || HashState { position: group.ring.find(key), ..HashState::default() };
    let mut state = attempts.hash.unwrap_or_else(start);
    let mut picked = None;
    while picked.is_none() && state.misses <= MAX_MISSES {
        picked = weights.pick_among(group, group.ring.servers(state.position), attempts, now_ms);
        if picked.is_none() {
            state.position += 1;
            state.misses += 1;
        }
    }
    attempts.hash = Some(state);
    picked
}

/// A server's name cut into host and port: the port is digits after the last colon; a unix socket has none.
fn split_name(name: &str) -> (&[u8], &[u8]) {
    let bytes = name.as_bytes();
    if bytes.len() >= 5 && bytes[..5].eq_ignore_ascii_case(b"unix:") {
        return (&bytes[5..], b"");
    }
    match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host.as_bytes(), port.as_bytes()),
        _ => (bytes, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PeerSettings;
    use crate::testing::peer;

    #[test]
    fn the_parts_of_the_range_lead_to_the_same_points_as_a_search() {
        for servers in [1, 2, 3, 50] {
            let settings = |n: usize| PeerSettings { weight: 1 + n as u32 % 3, ..peer(&format!("10.0.0.{n}:9080")) };
            let peers: Vec<_> = (0..servers).map(|n| Peer::new(settings(n), false, false)).collect();
            let ring = Ring::new(&peers, &(0..servers).collect::<Vec<_>>());
            for key in 0..20_000_u32 {
                let hash = crc32fast::hash(&key.to_le_bytes());
                let expected = ring.points.partition_point(|point| point.hash < hash);
                assert_eq!(ring.find(&key.to_le_bytes()), expected, "{key} of {servers}");
            }
        }
    }

    #[test]
    fn weights_beyond_measure_take_a_bounded_memory_and_keep_their_shares() {
        assert_eq!((points(1, 3), points(7, 26_214)), (160, 1_120));
        let all = [1, u32::MAX / 2, u32::MAX];
        let sum = all.iter().map(|&weight| u64::from(weight)).sum();
        assert_eq!(all.map(|weight| points(weight, sum)), [1, POINTS_MAX / 3, POINTS_MAX / 3 * 2]);
        let peers = [Peer::new(PeerSettings { weight: u32::MAX, ..peer("a:1") }, false, false)];
        let ring = Ring::new(&peers, &[0]);
        assert!(ring.points.len() as u64 <= POINTS_MAX);
    }

    #[test]
    fn names_are_cut_as_nginx_cuts_them() {
        let table = [
            ("10.0.0.11:9080", "10.0.0.11", "9080"),
            ("liberty", "liberty", ""),
            ("liberty:", "liberty", ""),
            ("[::1]:80", "[::1]", "80"),
            ("[::1]", "[::1]", ""),
            ("unix:/run/a:80", "/run/a:80", ""),
            ("UNIX:/run/a", "/run/a", ""),
            ("a:b", "a:b", ""),
        ];
        for (name, host, port) in table {
            assert_eq!(split_name(name), (host.as_bytes(), port.as_bytes()), "{name}");
        }
    }
}
