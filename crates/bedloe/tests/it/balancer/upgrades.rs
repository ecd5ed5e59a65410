//! Connections that change their protocol: WebSocket's handshake and frames, bytes both ways, ends of either side, time
//! limits, and changes that nobody asked for.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;

use crate::support::admin;
use crate::support::balancer::Balancer;
use crate::support::nginx;
use crate::support::scripted::{Link, Scripted};

/// The handshake of RFC 6455 1.3.
const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// Its answer as the client gets it.
const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nServer: bedloe\r\nConnection: upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// "Hello" in a masked text frame and in an unmasked one (RFC 6455 5.7).
const HELLO: &[u8] = &[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const HELLO_BACK: &[u8] = &[0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];

const UPGRADE: &str = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";";

/// A balancer whose location asks for what the client asks for.
fn before(upstream: SocketAddr, location: &str) -> Balancer {
    let proxy = format!("proxy_pass http://app; {UPGRADE} {location}");
    Balancer::start(&format!(
        "upstream app {{ server {upstream}; }} server {{ listen LISTEN; location / {{ {proxy} }} }}"
    ))
}

fn agreeing(then: impl Fn(&mut Link) -> io::Result<()> + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |link, _| {
        link.head()?;
        link.send(AGREE)?;
        then(link)
    })
}

#[test]
fn a_websocket_s_handshake_and_frames_pass_both_ways() {
    let upstream = agreeing(|link| {
        link.until("frames")?;
        link.send(HELLO_BACK)?;
        link.until("bye")?;
        link.send("bye")
    });
    let balancer = before(upstream.address(), "");
    let mut client = balancer.connect();
    client.send(ASK);
    assert_eq!(client.head(), AGREED);
    client.send(HELLO);
    client.send("frames");
    assert_eq!(client.bytes(HELLO_BACK.len()), HELLO_BACK);
    client.send("bye");
    assert_eq!(client.rest(), "bye");
    let seen = upstream.received()[0].clone();
    let asked = "GET /chat HTTP/1.1\r\nHost: app\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert!(seen.starts_with(asked), "{seen}");
    drop(client);
    let line = balancer.logged("access.log", "/chat");
    assert!(line.ends_with(&format!("\"GET /chat HTTP/1.1\" 101 {} \"-\" \"-\"", HELLO_BACK.len() + 3)), "{line}");
    let server = admin::server(&balancer.admin(), 0);
    assert_eq!((&server["in_flight"], &server["failures"]), (&0.into(), &0.into()), "{server}");
}

#[test]
fn bytes_that_come_with_the_heads_are_not_lost() {
    let upstream = Scripted::start(|link, _| {
        link.head()?;
        link.send(AGREE.to_owned() + "early too")?;
        link.until("early")?;
        link.send("seen")
    });
    let balancer = before(upstream.address(), "");
    let mut client = balancer.connect();
    client.send(ASK.to_owned() + "early");
    assert_eq!(client.head(), AGREED);
    assert_eq!(client.rest(), "early tooseen");
}

#[test]
fn much_passes_both_ways_at_once_and_in_order() {
    const LENGTH: usize = 20_000_000;
    let upstream = agreeing(|link| {
        let mut sender = link.another_handle();
        let sending = std::thread::spawn(move || {
            let piece: Vec<u8> = (0..100_000).map(|n| (n % 251) as u8).collect();
            (0..LENGTH / 100_000).try_for_each(|_| io::Write::write_all(&mut sender, &piece))
        });
        link.swallow(LENGTH)?;
        sending.join().map_err(|_| io::Error::other("a panic"))??;
        link.send("END")
    });
    let balancer = before(upstream.address(), "");
    let mut client = balancer.connect();
    client.send(ASK);
    client.head();
    let mut sender = client.another_handle();
    let sending = std::thread::spawn(move || {
        let piece = vec![b'x'; 100_000];
        (0..LENGTH / 100_000).for_each(|_| io::Write::write_all(&mut sender, &piece).expect("it is read"));
    });
    for _ in 0..LENGTH / 100_000 {
        let piece = client.bytes(100_000);
        assert!(piece.iter().enumerate().all(|(n, byte)| *byte == (n % 251) as u8));
    }
    sending.join().expect("all is sent");
    assert_eq!(client.bytes(3), b"END");
    assert!(balancer.peak_memory_kib() < 16 * 1024, "{} KiB", balancer.peak_memory_kib());
}

#[test]
fn a_side_that_ends_lets_the_other_finish() {
    // The client ends first.
    let upstream = agreeing(|link| {
        link.closed()?;
        link.send("last words")
    });
    let balancer = before(upstream.address(), "");
    let mut client = balancer.connect();
    client.send(ASK);
    client.head();
    client.send("that is all");
    client.finish();
    assert_eq!(client.rest(), "last words");
    assert!(upstream.all().ends_with("that is all"));
    // The server does, but only in one direction.
    let upstream = agreeing(|link| {
        link.send("that is all")?;
        link.finish();
        link.until("last words").map(|_| ())
    });
    let balancer = before(upstream.address(), "");
    let mut client = balancer.connect();
    client.send(ASK);
    client.head();
    assert_eq!(client.rest(), "that is all");
    client.send("last words");
    upstream.wait_for("last words");
    client.finish();
    balancer.logged("access.log", "\"GET /chat HTTP/1.1\" 101 11 ");
}

#[test]
fn a_client_that_goes_away_ends_the_server_s_connection() {
    let (closed, seen) = mpsc::channel();
    let closed = std::sync::Mutex::new(closed);
    let upstream = agreeing(move |link| {
        link.closed()?;
        let _ = closed.lock().map(|closed| closed.send(()));
        Ok(())
    });
    let balancer = before(upstream.address(), "");
    let mut client = balancer.connect();
    client.send(ASK);
    client.head();
    drop(client);
    seen.recv_timeout(crate::support::balancer::PATIENCE).expect("the upstream's connection is closed");
    balancer.logged("access.log", "\"GET /chat HTTP/1.1\" 101 0 ");
}

#[test]
fn a_tunnel_in_which_nothing_moves_ends_at_proxy_read_timeout() {
    let upstream = agreeing(Link::closed);
    let balancer = before(upstream.address(), "proxy_read_timeout 400ms;");
    let mut client = balancer.connect();
    client.send(ASK);
    client.head();
    // Bytes of either side put it off.
    for _ in 0..5 {
        client.send("x");
        crate::support::balancer::pause();
    }
    assert_eq!(client.rest(), "");
    let line = balancer.logged("error.log", "while proxying upgraded connection");
    assert!(line.contains("upstream timed out (110: Connection timed out) while proxying"), "{line}");
    balancer.logged("access.log", "\"GET /chat HTTP/1.1\" 101 0 ");
}

#[test]
fn a_change_that_nobody_asked_for_is_a_502() {
    let asked_not = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let half_asked = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n";
    let upstream = Scripted::answering(AGREE.to_owned() + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let balancer = before(upstream.address(), "");
    for request in [asked_not, half_asked] {
        let answer = balancer.ask(request);
        assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("Connection: close"), "{answer}");
    }
    // The client asks and the configuration does not.
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    client.send(ASK);
    assert_eq!(client.reply().status(), 502);
    let line = balancer.logged("error.log", "a change of protocol that was not asked for");
    assert!(line.contains("upstream sent invalid header while reading response header from upstream"), "{line}");
    assert!(!upstream.received().last().expect("a connection").contains("pgrade"));
}

#[test]
fn a_server_that_does_not_change_answers_as_ever() {
    let upstream = Scripted::named("no");
    let balancer = before(upstream.address(), "");
    let mut client = balancer.connect();
    for _ in 0..2 {
        client.send(ASK);
        assert_eq!(client.reply().body, "no");
    }
    // And without a wish nothing is asked for.
    client.send("GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.reply().body, "no");
    assert!(upstream.all().ends_with("GET /plain HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\n\r\n"));
}

#[test]
fn many_tunnels_in_which_nothing_moves_take_little_memory() {
    const TUNNELS: usize = 300;
    let upstream = agreeing(Link::closed);
    let http = format!("location / {{ proxy_pass http://{}; {UPGRADE} }}", upstream.address());
    let main = "worker_processes 1; events { worker_connections 1024; }";
    let folder = tempfile::tempdir().expect("a folder");
    let balancer = Balancer::start_in(folder, main, &format!("server {{ listen LISTEN; {http} }}"));
    let before_kib = balancer.peak_memory_kib();
    let mut clients = Vec::new();
    for _ in 0..TUNNELS {
        let mut client = balancer.connect();
        client.send(ASK);
        assert_eq!(client.head(), AGREED);
        clients.push(client);
    }
    // Blocks of 20 KiB for each direction would be 12 MiB more.
    let more_kib = balancer.peak_memory_kib().saturating_sub(before_kib);
    assert!(more_kib < 8 * 1024, "{more_kib} KiB");
}

#[test]
fn nginx_changes_the_protocol_with_the_same_bytes() {
    let Some(program) = nginx::find() else {
        return nginx::skipped("nginx_changes_the_protocol_with_the_same_bytes");
    };
    let upstream = agreeing(|link| link.send("hello"));
    let location = format!("location / {{ proxy_pass http://app; proxy_http_version 1.1; {UPGRADE} }}");
    let http = format!("upstream app {{ server {}; }} server {{ listen SOCKET; {location} }}", upstream.address());
    let nginx = nginx::Nginx::start(&program, &http).expect("nginx starts");
    let mut stream = nginx.connect().expect("a connection");
    io::Write::write_all(&mut stream, ASK.as_bytes()).expect("it reads");
    let mut theirs = String::new();
    io::Read::read_to_string(&mut stream, &mut theirs).expect("text");
    let balancer = before(upstream.address(), "");
    let ours = balancer.ask(ASK);
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.retain(|line| !line.starts_with("Server: ") && !line.starts_with("Date: "));
        lines.sort();
        lines
    };
    assert_eq!(lines(&ours), lines(&theirs));
    let asked = upstream.received();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&asked[0]), sorted(&asked[1]));
}
