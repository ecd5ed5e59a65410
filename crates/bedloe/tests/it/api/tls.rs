//! TLS handshakes as they are counted: with clients, and with servers.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Api, ask};
use crate::support::balancer::{Balancer, PATIENCE, wait_until};

#[test]
fn handshakes_are_counted_by_their_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = lab::certificate::make(IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a certificate");
    std::fs::write(folder.path().join("a.crt"), &pair.certificate).expect("a file");
    std::fs::write(folder.path().join("a.key"), &pair.key).expect("a file");
    // It is its own server: each connection is one of a client, and one with a server.
    let http = "upstream app { zone app 64k; server LISTEN; keepalive 0; }
        server { listen LISTEN ssl; status_zone site; ssl_certificate FOLDER/a.crt; ssl_certificate_key FOLDER/a.key;
            return 200 1; }
        server { listen unix:FOLDER/api.sock;
            location /through { proxy_pass https://app; }
            location /api/ { api write=on; } }";
    let balancer = Balancer::start_in(folder, "worker_processes 1;", http);
    let api = Api::of(&balancer);
    for _ in 0..2 {
        assert_eq!(ask(&balancer.path("api.sock"), "GET", "/through", "").0, 200);
    }
    let peer = api.peer(0)["ssl"].clone();
    assert_eq!(
        (&peer["handshakes"], &peer["session_reuses"], &peer["handshakes_failed"]),
        (&2.into(), &1.into(), &0.into())
    );
    assert!(peer["verify_failures"]["other"].is_u64() && peer["no_common_cipher"].is_null(), "{peer}");

    // One that trusts nobody, and one that speaks no TLS.
    let config = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let tcp = TcpStream::connect(balancer.address()).expect("a connection");
    tcp.set_read_timeout(Some(PATIENCE)).expect("an option");
    let mut client = StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), tcp);
    assert!(client.write_all(b"GET / HTTP/1.0\r\n\r\n").and_then(|()| client.flush()).is_err());
    let mut raw = balancer.connect();
    raw.send(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00");
    raw.rest();
    for path in ["ssl", "http/server_zones/site?fields=ssl"] {
        let counts = || {
            let shown = api.get(path);
            if path == "ssl" { shown } else { shown["ssl"].clone() }
        };
        wait_until("two failures", || counts()["handshakes_failed"] == 2);
        let counts = counts();
        assert_eq!((&counts["handshakes"], &counts["session_reuses"]), (&2.into(), &1.into()), "{path}: {counts}");
        assert_eq!(counts["peer_rejected_cert"], 1, "{path}: {counts}");
    }
    assert_eq!(api.ask("DELETE", "ssl", "").0, 204);
    assert_eq!((&api.get("ssl")["handshakes"], &api.get("ssl")["peer_rejected_cert"]), (&0.into(), &0.into()));
    assert_eq!(api.get("http/server_zones/site")["ssl"]["handshakes"], 2);
}
