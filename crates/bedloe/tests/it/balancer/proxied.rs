//! `listen ... proxy_protocol` where time and HTTP/2 matter: headers in pieces, clients that say nothing.

use crate::support::balancer::Balancer;
use crate::support::http2::{Client, run};

const HEADER: &[&[u8]] = &[b"PROXY TCP4 192.0.2.1 ", b"192.0.2.2 1234 443\r", b"\n"];

fn balancer(more: &str) -> Balancer {
    let listen = "listen LISTEN proxy_protocol http2; error_log FOLDER/error.log info;";
    Balancer::start(&format!("server {{ {listen} {more} return 200 \"$proxy_protocol_addr $server_protocol\"; }}"))
}

#[test]
fn a_header_comes_before_http_2() {
    let balancer = balancer("");
    run(async {
        let client = Client::behind(balancer.address(), HEADER, &mut h2::client::Builder::new()).await;
        for _ in 0..2 {
            assert_eq!(client.get("/").await.text(), "192.0.2.1 HTTP/2.0");
        }
    });
}

#[test]
fn a_header_may_come_in_pieces_and_with_what_follows() {
    let balancer = balancer("");
    let mut client = balancer.connect();
    for piece in HEADER {
        client.send(piece);
    }
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answers = client.rest();
    assert_eq!(answers.matches("192.0.2.1 HTTP/1.1").count(), 2, "{answers}");
}

#[test]
fn a_client_that_says_nothing_or_not_enough_is_let_go() {
    let balancer = balancer("client_header_timeout 200ms;");
    assert_eq!(balancer.connect().rest(), "");
    let mut client = balancer.connect();
    client.send("PROXY TCP4 192.0.2.1");
    assert_eq!(client.rest(), "");
    balancer.logged("error.log", "client timed out (110: Connection timed out) while reading PROXY protocol");
    let mut client = balancer.connect();
    client.send("PROXY TCP4 192.0.2.1");
    client.finish();
    assert_eq!(client.rest(), "");
    balancer.logged("error.log", "client prematurely closed connection while reading PROXY protocol");
}
