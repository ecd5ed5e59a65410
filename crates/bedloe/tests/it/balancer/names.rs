//! `proxy_pass` with variables, `resolver`, and servers with `resolve`.

use std::net::Ipv4Addr;

use crate::support::balancer::{Balancer, wait_until};
use crate::support::name_server::NameServer;
use crate::support::scripted::{Scripted, ok};
use crate::support::upstream::Upstream;

fn ask(balancer: &Balancer, target: &str) -> String {
    balancer.ask(format!("GET {target} HTTP/1.1\r\nHost: front.test\r\nConnection: close\r\n\r\n"))
}

/// Answers with the request's line and its Host.
fn mirror() -> Scripted {
    Scripted::start(|link, _| {
        loop {
            let head = link.head()?;
            let mut lines = head.lines().filter(|line| line.starts_with("GET") || line.starts_with("Host:"));
            link.send(ok(&format!("{}|{}", lines.next().unwrap_or(""), lines.next().unwrap_or(""))))?;
        }
    })
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or(answer, |(_, body)| body)
}

#[test]
fn variables_make_the_address() {
    let server = mirror();
    let port = server.address().port();
    let balancer = Balancer::start(&format!(
        "upstream app {{ server 127.0.0.1:{port}; keepalive 4; keepalive_timeout 20s; }}
         map $uri $name {{ default app; /ip 127.0.0.1:{port}; /port app:1; /bad 'a b'; /none ''; }}
         server {{ listen LISTEN;
             location / {{ proxy_pass http://$name; }}
             location /path/ {{ proxy_pass $scheme://127.0.0.1:{port}$request_uri; }}
             location /uri/ {{ proxy_pass http://$name/fixed; }}
             location /query/ {{ proxy_pass http://$name?$args&b=2; }}
             location /named/ {{ proxy_pass http://127.0.0.1:{port}; }}
             location /same/ {{ proxy_pass http://127.0.0.1:$arg_port; }}
         }}"
    ));
    let table = [
        ("/a%20b?c=d", "GET /a%20b?c=d HTTP/1.1|Host: app".to_owned()),
        ("/ip", format!("GET /ip HTTP/1.1|Host: 127.0.0.1:{port}")),
        ("/path/x?y", format!("GET /path/x?y HTTP/1.1|Host: 127.0.0.1:{port}")),
        ("/uri/x?y", "GET /fixed HTTP/1.1|Host: app".to_owned()),
        ("/query/?a=1", "GET /?a=1&b=2 HTTP/1.1|Host: app".to_owned()),
    ];
    for (target, expected) in &table {
        assert_eq!(body(&ask(&balancer, target)), expected, "{target}");
    }
    let same = format!("/same/?port={port}");
    assert_eq!(body(&ask(&balancer, &same)), format!("GET {same} HTTP/1.1|Host: 127.0.0.1:{port}"));
    for (target, status, why) in [
        ("/port", 502, "no resolver defined to resolve app"),
        ("/bad", 500, "invalid host in upstream \"a b\""),
        ("/none", 500, "no host in upstream \"\""),
        ("/same/?port=x", 500, "invalid port in upstream \"127.0.0.1:x\""),
    ] {
        assert!(ask(&balancer, target).starts_with(&format!("HTTP/1.1 {status} ")), "{target}");
        balancer.logged("error.log", why);
    }
}

#[test]
fn a_resolver_knows_names() {
    let servers = [11, 12].map(|last| Ipv4Addr::new(127, 0, 77, last));
    let one = Upstream::start(servers[0].into(), 200).expect("an address");
    let port = one.address().port();
    let names = NameServer::start();
    names.set("app.test", &[servers[0]]);
    let balancer = Balancer::start(&format!(
        "resolver {} ipv6=off valid=1s; resolver_timeout 10s;
         server {{ listen LISTEN; location / {{ proxy_pass http://$arg_name:{port}; }} }}",
        names.address()
    ));
    assert_eq!(body(&ask(&balancer, "/?name=app.test")), one.address().to_string());
    assert_eq!(body(&ask(&balancer, "/?name=APP.test")), one.address().to_string());
    assert!(ask(&balancer, "/?name=nowhere.test").starts_with("HTTP/1.1 502 "));
    balancer.logged("error.log", "nowhere.test could not be resolved (3: Host not found)");
    // Answers hold for as long as they say, and then the name is asked for again.
    names.set("app.test", &[]);
    wait_until("the name to be gone", || ask(&balancer, "/?name=app.test").starts_with("HTTP/1.1 502 "));
}

#[test]
fn a_server_moves_with_its_name() {
    let ips = [21, 22].map(|last| Ipv4Addr::new(127, 0, 77, last));
    let one = Upstream::start(ips[0].into(), 200).expect("an address");
    let port = one.address().port();
    let names = NameServer::start();
    let http = format!(
        "resolver {} ipv6=off;
         upstream app {{ zone app 64k; server app.test:{port} resolve max_fails=0; }}
         server {{ listen LISTEN; location / {{ proxy_pass http://app; }} }}",
        names.address()
    );
    let balancer = Balancer::start(&http);
    assert!(ask(&balancer, "/").starts_with("HTTP/1.1 502 "), "the name is not known yet");
    names.set("app.test", &[ips[0]]);
    wait_until("the name to be known", || body(&ask(&balancer, "/")) == one.address().to_string());
    // A reload keeps what is known.
    balancer.reload();
    assert_eq!(body(&ask(&balancer, "/")), one.address().to_string());
    names.set("app.test", &[ips[1]]);
    wait_until("the server to be elsewhere", || ask(&balancer, "/").starts_with("HTTP/1.1 502 "));
    balancer.logged("error.log", &format!("upstream: \"http://{}:{port}/", "app.test"));
    names.set("app.test", &ips);
    wait_until("the server to be back", || body(&ask(&balancer, "/")) == one.address().to_string());
}
