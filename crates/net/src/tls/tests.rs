//! TLS over real sockets of this machine: handshake, data both ways larger than a record, close, a refused client.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::future::poll_fn;
use std::sync::Arc;

use rustls::server::ResolvesServerCertUsingSni;
use tokio::sync::oneshot;

use super::*;
use crate::listen::Listener;
use crate::{Buffer, Stream, dial, event_loop, listen};

fn server() -> ServerTls {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let identity = read_identity(made.cert.pem().as_bytes(), made.signing_key.serialize_pem().as_bytes(), &[]).unwrap();
    let mut names = ResolvesServerCertUsingSni::new();
    names.add("localhost", identity).unwrap();
    let alpn = vec![b"http/1.1".to_vec()];
    let options = ServerOptions { tls12: true, tls13: true, alpn, tickets: true, ..ServerOptions::default() };
    let config = server_config(&options, &Sessions::new(100).unwrap(), Arc::new(names)).unwrap();
    ServerTls::for_all(Arc::new(config))
}

async fn pair(verify: Verify) -> (std::io::Result<Stream>, std::io::Result<Stream>) {
    let listener = listen::open("127.0.0.1:0".parse().unwrap(), 16).unwrap();
    let at = listener.local_addr().unwrap();
    let mut listener = Listener::share(&listener).unwrap();
    let (done, served) = oneshot::channel();
    event_loop::spawn(async move {
        let (tcp, _) = listener.accept_while(|| true).await.unwrap().unwrap();
        let mut stream = Stream::tls_server(tcp, &server()).unwrap();
        done.send(stream.handshake().await.map(|()| stream)).unwrap();
    });
    let tcp = dial::dial(at).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = Stream::tls_client(tcp, client_config(verify).unwrap(), name).unwrap();
    let client = stream.handshake().await.map(|()| stream);
    (client, served.await.unwrap())
}

#[test]
fn bytes_pass_both_ways_and_the_end_is_seen() {
    event_loop::block_on(async {
        let (client, server) = pair(Verify::Nothing).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        assert_eq!(client.session().unwrap().alpn(), Some(&b"http/1.1"[..]));
        assert_eq!(server.session().unwrap().protocol(), Some("TLSv1.3"));

        let sent: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let (done, written) = oneshot::channel();
        event_loop::spawn(async move {
            client.write_all(&sent).await.unwrap();
            done.send(client).unwrap();
        });
        let mut received = Vec::new();
        let mut buffer = Buffer::new();
        while received.len() < expected.len() {
            assert!(server.read(&mut buffer).await.unwrap() > 0);
            received.extend_from_slice(buffer.data());
            buffer.clear();
        }
        assert_eq!(received, expected);
        let mut client = written.await.unwrap();

        server.write_all(b"answer").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(client.read(&mut buffer).await.unwrap(), 6);
        assert_eq!(buffer.data(), b"answer");
        assert_eq!(client.read(&mut buffer).await.unwrap(), 0, "close_notify is the end");
    })
    .unwrap();
}

#[test]
fn a_session_ticket_does_not_make_an_idle_connection_look_used() {
    event_loop::block_on(async {
        let (client, server) = pair(Verify::Nothing).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        poll_fn(|cx| client.socket().poll_readable(cx)).await;
        assert!(client.is_quiet(), "tickets are no data");
        server.write_all(b"stray").await.unwrap();
        poll_fn(|cx| client.socket().poll_readable(cx)).await;
        assert!(!client.is_quiet());
    })
    .unwrap();
}

#[test]
fn a_client_that_verifies_refuses_a_self_made_certificate() {
    event_loop::block_on(async {
        let (client, server) = pair(Verify::WebRoots).await;
        assert!(client.is_err());
        assert!(server.is_err(), "the server hears of it by an alert");
    })
    .unwrap();
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let one = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["b".to_owned()]).unwrap();
    let key = other.signing_key.serialize_pem();
    assert!(read_identity(one.cert.pem().as_bytes(), key.as_bytes(), &[]).is_err());
    assert!(matches!(read_identity(b"", key.as_bytes(), &[]), Err(CertificateError::NoCertificate)));
    assert!(matches!(read_identity(one.cert.pem().as_bytes(), b"", &[]), Err(CertificateError::NoKey)));
}
