//! Servers and their numbers over changes of names, settings and configurations.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use route::Router;

use super::*;

/// A configuration of which the upstream is given.
struct Text<'a>(&'a str);

impl conf::Loader for Text<'_> {
    fn read(&self, _: &Path) -> std::io::Result<Vec<u8>> {
        let Self(upstream) = self;
        let server = "server { listen 127.0.0.1:8080; location / { proxy_pass http://app; } }";
        let upstream = format!("upstream app {{ zone app 64k; resolver 127.0.0.1; {upstream} }}");
        Ok(format!("events {{}} http {{ {upstream} {server} }}").into_bytes())
    }

    fn glob(&self, _: &Path) -> std::io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }
}

fn members(upstream: &str, known: &[&[&str]], before: Option<&Members>) -> Members {
    let loaded = conf::load(Path::new("nginx.conf"), &Text(upstream), &conf::Options::default());
    let router = Router::compile(&loaded.config.unwrap());
    let known: Vec<Vec<PeerAddress>> = known.iter().map(|addresses| at(addresses)).collect();
    Members::of(&router.upstreams()[0], &known, before)
}

fn at(addresses: &[&str]) -> Vec<PeerAddress> {
    addresses.iter().map(|address| PeerAddress::Ip(address.parse().unwrap())).collect()
}

/// Numbers with ports.
fn shown(members: &Members) -> Vec<(u64, u16)> {
    let port = |member: &Member| match &member.server.address {
        PeerAddress::Ip(address) => address.port(),
        PeerAddress::Unix(_) => 0,
    };
    members.all.iter().map(|member| (member.id, port(member))).collect()
}

#[test]
fn servers_keep_their_numbers_from_one_configuration_to_the_next() {
    let first = members("server 127.0.0.1:1; server 127.0.0.1:2; server 127.0.0.1:2;", &[], None);
    assert_eq!(shown(&first), [(0, 1), (1, 2), (2, 2)]);
    let next = members("server 127.0.0.1:3; server 127.0.0.1:2 weight=2; server 127.0.0.1:1;", &[], Some(&first));
    assert_eq!(shown(&next), [(3, 3), (1, 2), (0, 1)]);
    assert_eq!(next.all[1].server.weight, 2, "as it is written now");
}

#[test]
fn addresses_of_a_name_stand_in_its_place_and_keep_what_was_changed_of_them() {
    let upstream = "server 127.0.0.1:1; server app.test:9 weight=5 resolve; server 127.0.0.1:2;";
    let first = members(upstream, &[&[]], None);
    assert_eq!((shown(&first), first.parents[0].id), (vec![(0, 1), (2, 2)], 1));
    let position = 1;
    let mut found = first.with_addresses(0, position, &at(&["10.0.0.1:9", "10.0.0.2:10"])).unwrap();
    assert_eq!(shown(&found), [(0, 1), (3, 9), (4, 10), (2, 2)]);
    assert_eq!((found.all[1].server.weight, found.all[1].origin), (5, Some(0)));
    assert!(found.with_addresses(0, position, &at(&["10.0.0.1:9", "10.0.0.2:10"])).is_none(), "nothing is new");
    found.all[2].server.down = true;
    found.add(UpstreamServer { address: at(&["127.0.0.1:7"])[0].clone(), ..found.all[0].server.clone() });
    let other = found.with_addresses(0, position, &at(&["10.0.0.2:10", "10.0.0.3:11"])).unwrap();
    assert_eq!(shown(&other), [(0, 1), (4, 10), (6, 11), (2, 2), (5, 7)]);
    assert!(other.all[1].server.down && !other.all[2].server.down);
    // One that was removed meanwhile changes nobody's place.
    let mut fewer = other.clone();
    fewer.all.remove(0);
    let none = fewer.with_addresses(0, position, &[]).unwrap();
    assert_eq!(shown(&none.with_addresses(0, position, &at(&["10.0.0.4:12"])).unwrap()), [(7, 12), (2, 2), (5, 7)]);
}
