//! Whom an agent answers, and clients that are none.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Agent, refused};
use crate::support::balancer::PATIENCE;
use crate::support::skipped;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn pages_and_what_is_none() {
    let agent = Agent::start(&[]);
    let cases = [
        ("GET / HTTP/1.1", "HTTP/1.1 200 OK", "/metrics has what this host does"),
        ("GET /health HTTP/1.1", "HTTP/1.1 200 OK", "\r\n\r\nok\n"),
        ("HEAD /health HTTP/1.1", "HTTP/1.1 200 OK", "content-length: 3"),
        ("GET /metrics?name=x HTTP/1.1", "HTTP/1.1 200 OK", "node_load1 "),
        ("GET /../etc/passwd HTTP/1.1", "HTTP/1.1 404 ", "there are /metrics and /health"),
        ("POST /metrics HTTP/1.1", "HTTP/1.1 405 ", "allow: GET, HEAD"),
        ("nonsense", "HTTP/1.1 400 ", ""),
        ("GET /metrics HTTP/1.1\r\nContent-Length: x", "HTTP/1.1 400 ", ""),
    ];
    for (line, status, holds) in cases {
        let answer = agent.ask(&format!("{line}\r\nHost: a\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with(status) && answer.contains(holds), "{line}: {answer}");
    }
    let many = "X: y\r\n".repeat(100);
    let long = format!("X: {}\r\n", "y".repeat(100_000));
    for fields in [many, long] {
        let answer = agent.get("/metrics", &fields);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert!(agent.get("/health", "").ends_with("ok\n"), "it bears all of them");
}

#[test]
fn slow_clients_are_parted_with() {
    let agent = Agent::start(&[]);
    let began = Instant::now();
    let mut slow = agent.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n").expect("it reads");
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(began.elapsed() < Duration::from_secs(18), "{:?}", began.elapsed());
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "));
}

fn token() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    let shown = file.to_str().expect("a plain path").to_owned();
    (folder, shown)
}

#[test]
fn a_token_is_asked_for() {
    let (_folder, file) = token();
    let agent = Agent::start(&["--token", &file]);
    for fields in ["", "Authorization: Bearer 0123\r\n", "Authorization: Basic YTpi\r\n", &bearer("x"), &bearer(" y")] {
        for path in ["/metrics", "/", "/other"] {
            let answer = agent.get(path, fields);
            assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("www-authenticate: Bearer"), "{answer}");
            assert!(!answer.contains("node_"), "{answer}");
        }
    }
    assert!(agent.get("/metrics", &bearer("")).starts_with("HTTP/1.1 200 "));
    assert!(agent.get("/health", "").starts_with("HTTP/1.1 200 "));
}

fn bearer(more: &str) -> String {
    format!("Authorization: Bearer {TOKEN}{more}\r\n")
}

#[test]
fn a_token_that_others_may_read_is_told_of() {
    let (_folder, file) = token();
    for (mode, is_told) in [(0o644, true), (0o640, false)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a file of ours");
        // An address that is none of this host's: it starts, and ends.
        let (code, said) = refused(&["--listen", "192.0.2.1:9101", "--token", &file]);
        assert_eq!((code, said.contains(&format!("chmod o-r {file}"))), (Some(1), is_told), "{said}");
        assert!(said.contains("sent in the clear"), "{said}");
    }
}

#[test]
fn an_address_of_other_hosts_needs_a_guard() {
    let (folder, file) = token();
    let (code, said) = refused(&["--listen", "0.0.0.0:0"]);
    assert!(code == Some(1) && said.contains("other hosts can reach 0.0.0.0:0: give --token FILE"), "{said}");
    let weak = folder.path().join("weak");
    std::fs::write(&weak, "secret\n").expect("a file");
    let (code, said) = refused(&["--listen", "0.0.0.0:0", "--token", weak.to_str().expect("a plain path")]);
    assert!(code == Some(1) && said.contains("openssl rand -hex 32"), "{said}");
    let guarded = Agent::start_at("0.0.0.0:0", &["--token", &file]);
    assert!(guarded.get("/metrics", "").starts_with("HTTP/1.1 401 "));
    let open = Agent::start_at("0.0.0.0:0", &["--insecure"]);
    assert!(open.get("/metrics", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_cannot_be_meant_is_refused_and_no_password_is_repeated() {
    let (_folder, file) = token();
    for (arguments, wrong) in [
        (&["--token", &file, "--insecure"][..], "cannot be used with"),
        (&["--client-ca", "a"], "--tls-certificate"),
        (&["--listen", "localhost:9101"], "write an IP address"),
        (&["--process", "/usr/bin/java"], "as `ps -o comm` shows it"),
        (&["--liberty", "https://a"], "want the http:// endpoint"),
        (&["--liberty", "http://user:secret@a"], "no name and password go into a URL"),
    ] {
        let (code, said) = refused(arguments);
        assert!(code == Some(2) && said.contains(wrong), "{arguments:?}: {said}");
    }
    let (_, said) = refused(&["--liberty", "http://user:secret@a"]);
    assert!(!said.contains("secret") && said.contains("http://***@a"), "{said}");
    let (code, said) = refused(&["--process", "a-name-of-fifteen-1", "--process", "a-name-of-fifteen-2"]);
    assert!(code == Some(1) && said.contains("a-name-of-fifteen-1 and a-name-of-fifteen-2 are one"), "{said}");
    for endless in [&["--token", "/dev/zero"][..], &["--tls-certificate", "/dev/zero", "--tls-key", "/dev/zero"]] {
        let (code, said) = refused(endless);
        assert!(code == Some(1) && said.contains("/dev/zero: it is larger than 16 MiB"), "{said}");
    }
}

/// A certificate with its key, as files.
struct Pair {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    files: [PathBuf; 2],
}

fn pair(folder: &Path, name: &str) -> Pair {
    let made = lab::certificate::make(IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a certificate");
    let files = [folder.join(format!("{name}.crt")), folder.join(format!("{name}.key"))];
    std::fs::write(&files[0], &made.certificate).expect("a file");
    std::fs::write(&files[1], &made.key).expect("a file");
    Pair {
        certificate: CertificateDer::from_pem_slice(made.certificate.as_bytes()).expect("PEM"),
        key: PrivateKeyDer::from_pem_slice(made.key.as_bytes()).expect("PEM"),
        files,
    }
}

/// What a client with this certificate gets, or nothing.
fn over_tls(agent: &Agent, server: &Pair, client: Option<&Pair>) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate.clone()).expect("a root");
    let config = ClientConfig::builder().with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(pair) => {
            config.with_client_auth_cert(vec![pair.certificate.clone()], pair.key.clone_key()).expect("a certificate")
        }
    };
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = StreamOwned::new(connection, agent.connect());
    let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn certificates_of_clients_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let [server, known, strange] = ["server", "known", "strange"].map(|name| pair(folder.path(), name));
    let shown = |file: &Path| file.to_str().expect("a plain path").to_owned();
    let (chain, key, ca) = (shown(&server.files[0]), shown(&server.files[1]), shown(&known.files[0]));
    let tls = ["--tls-certificate", &chain, "--tls-key", &key, "--client-ca", &ca];
    let agent = Agent::start_at("0.0.0.0:0", &tls);
    assert!(over_tls(&agent, &server, Some(&known)).contains("node_load1 "));
    assert_eq!(over_tls(&agent, &server, Some(&strange)), "");
    assert_eq!(over_tls(&agent, &server, None), "");
    assert!(!agent.get("/health", "").contains("HTTP/"), "it speaks TLS alone");

    let tls = Agent::start(&tls[..4]);
    assert!(over_tls(&tls, &server, None).contains("node_load1 "));
    let (code, said) = refused(&["--listen", "127.0.0.1:0", "--tls-certificate", &ca, "--tls-key", &key]);
    assert!(code == Some(1) && said.contains("cannot use "), "{said}");
    let (code, said) = refused(&["--listen", "0.0.0.0:0", "--tls-certificate", &chain, "--tls-key", &key]);
    assert!(code == Some(1) && said.contains("--client-ca"), "{said}");
}

/// Names are asked of a server that is silent, by a file of the test's in the place of the host's.
#[test]
fn a_name_that_nobody_answers_for_delays_no_end() {
    let skip = || skipped("a_name_that_nobody_answers_for_delays_no_end", "root, who may have port 53 and a mount,");
    let Ok(silent) = UdpSocket::bind("127.0.0.77:53") else { return skip() };
    silent.set_read_timeout(Some(PATIENCE)).expect("an option");
    let folder = tempfile::tempdir().expect("a folder");
    let (servers, order) = (folder.path().join("servers"), folder.path().join("order"));
    std::fs::write(&servers, "nameserver 127.0.0.77\noptions timeout:30 attempts:1\n").expect("a file");
    std::fs::write(&order, "hosts: dns\n").expect("a file");
    let script = "mount --bind \"$1\" /etc/resolv.conf && mount --bind \"$2\" /etc/nsswitch.conf && shift 2 &&
        exec \"$0\" \"$@\"";
    let start = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_bedloe")]).args([&servers, &order]);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()
    };
    let child = start(&["agent", "--listen", "127.0.0.1:0", "--liberty", "http://liberty.test:9080"]);
    let Some(mut agent) = child.and_then(Agent::of) else {
        return skip();
    };
    agent.scrape();
    silent.recv(&mut [0; 512]).expect("a question");
    let began = Instant::now();
    kill_process(Pid::from_child(&agent.child), Signal::TERM).expect("it runs");
    assert!(agent.child.wait().expect("it ends").success());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // keepalived, which asks every second, is told in time too.
    let began = Instant::now();
    let mut alive = start(&["ha", "alive", "--url", "http://balancer.test"]).expect("it starts as before");
    assert_eq!(alive.wait().expect("it ends").code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn it_ends_when_told_and_names_what_is_in_its_way() {
    let mut agent = Agent::start(&[]);
    let (code, said) = refused(&["--listen", &agent.address]);
    let holder = format!("(process {}) listens there", agent.child.id());
    assert!(code == Some(1) && said.contains(&holder), "{said}");
    for signal in [Signal::TERM, Signal::INT] {
        kill_process(Pid::from_child(&agent.child), signal).expect("it runs");
        assert!(agent.child.wait().expect("it ends").success());
        agent = Agent::start(&[]);
    }
}
