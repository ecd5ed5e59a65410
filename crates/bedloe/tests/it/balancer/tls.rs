//! TLS at the balancer: both versions by another implementation, the certificate by name, and what is no TLS at all.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::balancer::{Balancer, PATIENCE};
use crate::support::raw::Raw;
use crate::support::scripted::{Scripted, ok};

/// A balancer with two names, each with a certificate of its own, and the certificates as PEM.
struct Site {
    balancer: Balancer,
    certificates: [String; 2],
    upstream: Scripted,
}

impl Site {
    fn start() -> Self {
        let upstream = Scripted::start(|link, _| {
            loop {
                let head = link.head()?;
                if head.contains("\r\nUpgrade: ") {
                    link.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")?;
                    link.until("ping")?;
                    return link.send("pong");
                }
                if head.starts_with("POST") {
                    link.until("END")?;
                }
                link.send(ok("hi"))?;
            }
        });
        let folder = tempfile::tempdir().expect("a folder");
        let certificates = [1, 2].map(|number| certificate(&folder, number));
        let server = |number: u8, name: &str| {
            format!(
                "server {{ listen LISTEN ssl; server_name {name}; ssl_certificate FOLDER/{number}.crt;
                 ssl_certificate_key FOLDER/{number}.key; ssl_protocols TLSv1.2 TLSv1.3;
                 location / {{ proxy_pass http://{}; proxy_http_version 1.1; proxy_set_header X-Proto $scheme;
                 proxy_set_header Upgrade $http_upgrade; }} }}",
                upstream.address()
            )
        };
        let http = server(1, "one.example") + &server(2, "two.example");
        Self { balancer: Balancer::start_in(folder, "worker_processes 1;", &http), certificates, upstream }
    }

    /// A connection that trusts the first certificate, with TLS records of at most so many bytes.
    fn connect(&self, record: Option<usize>) -> StreamOwned<ClientConnection, Trickle> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.certificates[0].as_bytes()).expect("PEM");
        roots.add(root).expect("a root");
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.max_fragment_size = record;
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        let tcp = TcpStream::connect(self.balancer.address()).expect("a connection");
        tcp.set_read_timeout(Some(PATIENCE)).expect("an option");
        tcp.set_nodelay(true).expect("an option");
        StreamOwned::new(connection, Trickle { tcp, most: if record.is_some() { 7 } else { usize::MAX } })
    }
}

fn certificate(folder: &TempDir, number: u8) -> String {
    let pair = lab::certificate::make(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number))).expect("a certificate");
    fs::write(folder.path().join(format!("{number}.crt")), &pair.certificate).expect("a file");
    fs::write(folder.path().join(format!("{number}.key")), &pair.key).expect("a file");
    pair.certificate
}

/// Writes little at a time.
struct Trickle {
    tcp: TcpStream,
    most: usize,
}

impl Read for Trickle {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(into)
    }
}

impl Write for Trickle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.write(&bytes[..bytes.len().min(self.most)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// What `openssl s_client` shows of a connection with these arguments, its answer to a request included.
fn s_client(site: &Site, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new("openssl")
        .args(["s_client", "-ign_eof", "-connect", &site.balancer.address().to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let request = b"GET / HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n";
    child.stdin.take().expect("a pipe").write_all(request).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
#[allow(clippy::print_stderr, reason = "a comparison that is skipped must be seen")]
fn both_versions_and_the_certificate_by_name_with_openssl() {
    let site = Site::start();
    for (version, flag) in [("TLSv1.2", "-tls1_2"), ("TLSv1.3", "-tls1_3")] {
        for (name, index) in [("one.example", 0), ("two.example", 1), ("TWO.example", 1), ("other.example", 0)] {
            let Some(shown) = s_client(&site, &[flag, "-servername", name]) else {
                eprintln!("skipped: TLS with openssl: it is not installed");
                return;
            };
            assert!(shown.contains(version), "{name}: {shown}");
            assert!(shown.contains(site.certificates[index].trim()), "{name}: {shown}");
            assert!(shown.contains("HTTP/1.1 200 OK\r\n") && shown.contains("\r\n\r\nhi"), "{name}: {shown}");
        }
        let shown = s_client(&site, &[flag, "-noservername"]).expect("it was there before");
        assert!(shown.contains(site.certificates[0].trim()), "{shown}");
    }
    let old = s_client(&site, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]).expect("it was there before");
    assert!(!old.contains("HTTP/1.1"), "{old}");
    assert!(site.upstream.all().contains("\r\nX-Proto: https\r\n"));
}

#[test]
fn tiny_records_in_tiny_pieces() {
    let site = Site::start();
    let mut client = site.connect(Some(32));
    let body = "x".repeat(40_000) + "END";
    write!(client, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .expect("the balancer reads");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer that ends with close_notify");
    assert!(answer.ends_with("\r\n\r\nhi"), "{answer}");
    assert!(site.upstream.all().ends_with(&body));
}

#[test]
fn many_requests_over_one_connection() {
    let site = Site::start();
    let mut client = site.connect(None);
    for _ in 0..50 {
        client.write_all(&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20)).expect("the balancer reads");
        let mut seen = Vec::new();
        while String::from_utf8_lossy(&seen).matches("\r\n\r\nhi").count() < 20 {
            let mut piece = [0; 4096];
            let n = client.read(&mut piece).expect("an answer");
            assert!(n > 0, "closed");
            seen.extend_from_slice(&piece[..n]);
        }
    }
}

#[test]
fn what_is_no_tls_harms_nobody() {
    let site = Site::start();
    let hello_of_64_kib = [&b"\x16\x03\x01\x40\x00\x01\x00\xff\xff\x03\x03"[..], &[0; 0x3ff5]].concat();
    let inputs: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x80\x2e\x01\x03\x01",
        &hello_of_64_kib,
        &[0; 100_000],
    ];
    assert!(site.balancer.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 400 "));
    for input in inputs {
        let mut client = Raw::to(site.balancer.address());
        client.try_send(input);
        client.finish();
        assert!(!client.rest().contains("HTTP/1.1 200"));
    }
    let mut client = site.connect(None);
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("the balancer reads");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("hi"), "{answer}");
    // The other way round: TLS to a port without it.
    let plain = Balancer::start("server { listen LISTEN; return 204; }");
    assert!(plain.ask(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn a_connection_changes_its_protocol_inside_of_tls() {
    let site = Site::start();
    for record in [None, Some(64)] {
        let mut client = site.connect(record);
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: one.example\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
            .expect("sent");
        let mut head = vec![0; "HTTP/1.1 101 ".len()];
        client.read_exact(&mut head).expect("a head");
        assert_eq!(head, b"HTTP/1.1 101 ");
        client.write_all(b"ping").expect("sent");
        let mut rest = String::new();
        client.read_to_string(&mut rest).expect("an end that TLS tells of");
        assert!(rest.ends_with("\r\n\r\npong"), "{rest}");
    }
}
