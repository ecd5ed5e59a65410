//! Tests of merging listens and of finding servers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::map::Scratch;
use crate::router::Router;
use crate::testing::{config, listen, server};

#[test]
fn servers_are_found_by_name() {
    let router = Router::compile(&config(
        Vec::new(),
        vec![
            server(vec![listen("0.0.0.0:80", false)], &["first.example"], Vec::new()),
            server(vec![listen("0.0.0.0:80", true)], &["default.example", "also.example"], Vec::new()),
            server(vec![listen("0.0.0.0:80", false)], &["first.example", "[::1]", ""], Vec::new()),
            server(vec![listen("0.0.0.0:81", false)], &["other.example"], Vec::new()),
        ],
    ));
    let table = [
        ("first.example", 0),
        ("FIRST.Example:8080", 0),
        ("first.example.", 0),
        ("first.example.:80", 0),
        ("also.example", 1),
        ("unknown.example", 1),
        ("other.example", 1),
        ("[::1]:80", 2),
        ("", 2),
    ];
    let find = |listener, host: &[u8]| router.server(listener, host, router.patterns(), &mut Scratch::default()).index;
    assert_eq!(router.listeners().len(), 2);
    for (host, expected) in table {
        assert_eq!(find(0, host.as_bytes()), expected, "{host}");
    }
    assert_eq!(find(1, b"first.example"), 3);
    assert_eq!(find(0, &[b'a'; 70_000]), 1);
}

#[test]
fn listens_of_one_address_are_merged() {
    let mut first = listen("0.0.0.0:443", false);
    first.ssl = true;
    let mut second = listen("0.0.0.0:443", false);
    second.backlog = 65_535;
    let servers = vec![server(vec![first], &["a"], Vec::new()), server(vec![second], &["b"], Vec::new())];
    let router = Router::compile(&config(Vec::new(), servers));
    let [merged] = router.listeners() else { panic!("{:?}", router.listeners()) };
    assert_eq!((merged.ssl, merged.backlog, merged.default), (true, 65_535, 0));
    assert_eq!(merged.servers, [0, 1]);
}

#[test]
fn a_wildcard_takes_the_connections_of_addresses_on_its_port() {
    let addresses = ["127.0.0.1:80", "0.0.0.0:80", "127.0.0.2:81", "[::1]:80", "127.0.0.3:80"];
    let servers = addresses.iter().map(|address| server(vec![listen(address, false)], &["x"], Vec::new())).collect();
    let router = Router::compile(&config(Vec::new(), servers));
    let within: Vec<_> = router.listeners().iter().map(|listener| listener.within).collect();
    assert_eq!(within, [Some(1), None, None, None, Some(1)]);
    let at = |local: &str| router.listener_at(1, local.parse().unwrap());
    assert_eq!([at("127.0.0.1:80"), at("127.0.0.3:80"), at("127.0.0.9:80")], [0, 4, 1]);
}
