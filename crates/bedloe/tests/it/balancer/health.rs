//! `health_check`: servers that are asked how they are, and what becomes of requests meanwhile.

mod pages;
mod reload;
mod requests;
mod server;

use serde_json::Value as Json;

use crate::support::admin;
use crate::support::balancer::{Balancer, wait_until};

/// An `http` block with an upstream of these servers, and a location that passes requests to it.
pub(crate) fn site(servers: &[String], http: &str, location: &str) -> String {
    let servers: String = servers.iter().map(|server| format!("server {server}; ")).collect();
    format!(
        "upstream app {{ zone app 64k; {servers} keepalive 8; keepalive_timeout 20s; }}
         {http}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; {location} }} }}"
    )
}

/// The body of the answer to a GET.
fn body(balancer: &Balancer) -> String {
    let answer = balancer.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    answer.split_once("\r\n\r\n").expect("an answer").1.to_owned()
}

fn states(balancer: &Balancer) -> Vec<String> {
    let status = admin::status(&balancer.admin());
    let servers = status["upstreams"][0]["servers"].as_array().expect("servers").clone();
    servers.iter().map(|server: &Json| server["state"].as_str().expect("a state").to_owned()).collect()
}

/// Waits until the servers are in these states.
fn wait_for_states(balancer: &Balancer, expected: &[&str]) {
    wait_until(&format!("{expected:?}"), || states(balancer) == expected);
}

/// Why a server is in its state, once that was told.
fn told(balancer: &Balancer, index: usize) -> String {
    let why = || admin::server(&balancer.admin(), index)["why"].as_str().expect("a reason").to_owned();
    wait_until("a reason", || !why().is_empty());
    why()
}
