//! TLS to servers: names, verification, certificates of the balancer's own, sessions, kept connections.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use lab::certificate::Certificate;

use crate::support::balancer::Balancer;
use crate::support::scripted::Scripted;
use crate::support::tls_server::TlsServer;

/// A server over TLS, and a balancer before it.
struct Site {
    balancer: Balancer,
    _server: TlsServer,
}

impl Site {
    /// A location at `/` with these directives; `UP` stands for the server's address.
    fn start(location: &str) -> Self {
        Self::with(&format!("server {{ listen LISTEN; location / {{ proxy_pass https://UP; {location} }} }}"))
    }

    fn with(http: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let own = lab::certificate::make(IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a certificate");
        let client = lab::certificate::make(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))).expect("a certificate");
        for (name, Certificate { certificate, key }) in [("own", &own), ("client", &client)] {
            fs::write(folder.path().join(format!("{name}.crt")), certificate).expect("a file");
            fs::write(folder.path().join(format!("{name}.key")), key).expect("a file");
        }
        let server = TlsServer::start(&own, &client);
        let http = http.replace("UP", &server.address().to_string());
        Self { balancer: Balancer::start_in(folder, "worker_processes 1;", &http), _server: server }
    }

    fn ask(&self, host: &str) -> String {
        self.balancer.ask(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    }

    fn says(&self, host: &str) -> String {
        let answer = self.ask(host);
        answer.split_once("\r\n\r\n").map_or(answer.clone(), |(_, body)| body.to_owned())
    }
}

#[test]
fn sessions_are_resumed_unless_that_is_off() {
    let site = Site::start("");
    assert_eq!(site.says("a"), "name=- full unknown TLSv1_3.");
    assert_eq!(site.says("a"), "name=- resumed unknown TLSv1_3.");
    let site = Site::start("proxy_ssl_protocols TLSv1.2;");
    assert_eq!(site.says("a"), "name=- full unknown TLSv1_2.");
    assert_eq!(site.says("a"), "name=- resumed unknown TLSv1_2.");
    let site = Site::start("proxy_ssl_session_reuse off;");
    assert!((0..2).all(|_| site.says("a") == "name=- full unknown TLSv1_3."));
}

#[test]
fn a_certificate_is_verified_for_its_name() {
    let verify = "proxy_ssl_verify on; proxy_ssl_trusted_certificate FOLDER/own.crt; proxy_ssl_server_name on;";
    let site = Site::start(&format!("{verify} proxy_ssl_name $host;"));
    assert_eq!(site.says("localhost"), "name=localhost full unknown TLSv1_3.");
    assert!(site.ask("other.test").starts_with("HTTP/1.1 502 "));
    let line = site.balancer.logged("error.log", "SSL handshaking to upstream");
    assert!(line.contains("NotValidForName") || line.contains("not valid for name"), "{line}");
    let verify = verify.replace("own.crt", "client.crt");
    let site = Site::start(&format!("{verify} proxy_ssl_name localhost;"));
    assert!(site.ask("localhost").starts_with("HTTP/1.1 502 "));
    site.balancer.logged("error.log", "invalid peer certificate: ");
}

#[test]
fn a_server_is_shown_the_balancers_certificate() {
    let site = Site::start(
        "proxy_ssl_certificate FOLDER/client.crt; proxy_ssl_certificate_key FOLDER/client.key;
         proxy_ssl_name app.test; proxy_ssl_server_name on;",
    );
    assert_eq!(site.says("a"), "name=app.test full known TLSv1_3.");
}

#[test]
fn kept_connections_serve_their_own_name() {
    let site = Site::with(
        "upstream app { server UP; keepalive 8; keepalive_timeout 20s; }
         server { listen LISTEN; proxy_ssl_server_name on;
             location / { proxy_pass https://app; proxy_ssl_name $host; } }",
    );
    for host in ["one.test", "one.test", "two.test", "one.test", "two.test"] {
        let said = site.says(host);
        assert!(said.starts_with(&format!("name={host} full ")), "{said}");
    }
}

#[test]
fn large_bodies_go_both_ways() {
    let site = Site::start("client_max_body_size 0;");
    for buffering in [false, true] {
        let length = 300_000 + usize::from(buffering);
        let body = "0123456789".repeat(length / 10 + 1)[..length].to_owned();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close";
        let answer =
            site.balancer.ask(format!("{head}\r\nX-Length: {length}\r\nContent-Length: {length}\r\n\r\n{body}"));
        assert!(answer.ends_with(&format!(".{body}")), "{} bytes of {length}", answer.len());
    }
}

#[test]
fn a_failed_handshake_goes_to_the_next_server() {
    let plain = Scripted::start(|link, _| {
        link.until("\x16\x03")?;
        link.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    });
    let site = Site::with(&format!(
        "upstream app {{ server {}; server UP; }} server {{ listen LISTEN; location / {{ proxy_pass https://app; }} }}",
        plain.address()
    ));
    assert_eq!(site.says("a"), "name=- full unknown TLSv1_3.");
    site.balancer.logged("error.log", "SSL_do_handshake() failed");
}
