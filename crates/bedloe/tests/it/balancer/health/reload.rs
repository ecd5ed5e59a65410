//! What is known of servers outlives a reload, and checks follow the configuration.

use std::net::Ipv4Addr;

use super::server::{Server, UP, page};
use super::{body, site, states, wait_for_states};
use crate::support::balancer::{Balancer, wait_until};
use crate::support::name_server::NameServer;

const MAIN: &str = "worker_processes 1;";

#[test]
fn health_outlives_a_reload() {
    for kind in ["", "mandatory", "mandatory persistent"] {
        let (first, second) = (Server::start("first", Some(page(503, ""))), Server::well("second"));
        let third = Server::start("third", None);
        let check = format!("health_check uri=/health/ready interval=1h {kind};");
        let servers = [first.address(), second.address()];
        let balancer = Balancer::start(&site(&servers, "health_check_timeout 1m;", &check));
        wait_until("the first checks", || states(&balancer) == ["unhealthy", "up"]);
        second.wait_for("GET /health");
        // No check has an answer from now on: what is known is all there is.
        first.set_page(None);
        second.set_page(None);
        balancer.reload();
        assert_eq!(states(&balancer), ["unhealthy", "up"], "the same configuration: {kind}");
        assert_eq!((0..3).map(|_| body(&balancer)).collect::<Vec<_>>(), ["second"; 3], "{kind}");
        let servers = [first.address(), format!("{} weight=3", second.address()), third.address()];
        balancer.rewrite(MAIN, &site(&servers, "health_check_timeout 1m;", &check));
        balancer.reload();
        let new = if kind.is_empty() { "up" } else { "checking" };
        assert_eq!(states(&balancer), ["unhealthy", "up", new], "another one: {kind}");
        first.set_page(Some(page(200, UP)));
        third.set_page(Some(page(200, UP)));
        wait_for_states(&balancer, &["up", "up", "up"]);
    }
}

#[test]
fn without_checks_nobody_is_kept_out_by_them() {
    let only = Server::start("only", Some(page(503, "")));
    let check = "health_check uri=/health/ready interval=1h mandatory;";
    let balancer = Balancer::start(&site(&[only.address()], "", check));
    wait_for_states(&balancer, &["unhealthy"]);
    balancer.rewrite(MAIN, &site(&[only.address()], "", ""));
    balancer.reload();
    assert_eq!((states(&balancer), body(&balancer)), (vec!["up".to_owned()], "only".to_owned()));
    // A check that is added to a server in service says no to nobody before it was made.
    only.set_page(None);
    balancer.rewrite(MAIN, &site(&[only.address()], "health_check_timeout 1m;", check));
    balancer.reload();
    only.set_page(Some(page(200, UP)));
    wait_for_states(&balancer, &["up"]);
}

#[test]
fn checks_begin_with_a_reload_and_end_with_one() {
    let only = Server::well("only");
    let often = "health_check uri=/health/ready interval=20ms;";
    let balancer = Balancer::start(&site(&[only.address()], "", ""));
    assert_eq!(body(&balancer), "only");
    assert!(!only.received().concat().contains("/health"));
    balancer.rewrite(MAIN, &site(&[only.address()], "", often));
    balancer.reload();
    let checks = |uri: &str| only.received().concat().matches(uri).count();
    wait_until("checks", || checks("/health/ready") > 3);
    balancer.rewrite(MAIN, &site(&[only.address()], "", &often.replace("ready", "live")));
    balancer.reload();
    wait_until("other checks", || checks("/health/live") > 3);
    let before = checks("/health/ready");
    wait_until("more of the others", || checks("/health/live") > 9);
    assert_eq!(checks("/health/ready"), before, "those of before have ended");
}

#[test]
fn servers_are_checked_as_their_addresses_come_and_go() {
    let ips = [31, 32].map(|last| Ipv4Addr::new(127, 0, 77, last));
    let one = Server::start_at((ips[0], 0).into(), "one", Some(page(200, UP)));
    let port: u16 = one.address().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let names = NameServer::start();
    names.set("app.test", &ips[..1]);
    let servers = [format!("app.test:{port} resolve max_fails=0")];
    let http = format!("resolver {} ipv6=off; health_check_timeout 1m;", names.address());
    let check = "health_check uri=/health/ready interval=1h mandatory;";
    let balancer = Balancer::start(&site(&servers, &http, check));
    wait_for_states(&balancer, &["up"]);
    let other = Server::start_at((ips[1], port).into(), "other", None);
    names.set("app.test", &ips);
    wait_for_states(&balancer, &["up", "checking"]);
    assert_eq!((0..3).map(|_| body(&balancer)).collect::<Vec<_>>(), ["one"; 3]);
    other.set_page(Some(page(200, UP)));
    wait_for_states(&balancer, &["up", "up"]);
    names.set("app.test", &ips[1..]);
    wait_for_states(&balancer, &["up"]);
    assert_eq!(body(&balancer), "other");
}
