//! Connections that each carry one request and then stay as they are, for measuring what an idle one costs a server:
//! `idle ADDRESS:PORT CONNECTIONS plain|tls`. Writes `idle` when all are there and holds them until its standard input
//! ends. Certificates are not verified, and no connection that is lost meanwhile is made again.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program of its own, which serves nobody")]

use std::cell::Cell;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use net::event_loop::{block_on, sleep, spawn};
use net::tls::{Verify, client_config};
use net::{Buffer, Stream};
use rustls_pki_types::ServerName;

/// Connections that are being made at a time.
const AT_ONCE: usize = 32;

type Client = Option<Arc<rustls::ClientConfig>>;

fn main() -> io::Result<()> {
    let usage = || io::Error::other("usage: idle ADDRESS:PORT CONNECTIONS plain|tls");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, count, kind] = words.as_slice() else { return Err(usage()) };
    let address: SocketAddr = address.parse().map_err(|_| usage())?;
    let count: usize = count.parse().map_err(|_| usage())?;
    let tls = match kind.as_str() {
        "plain" => None,
        "tls" => Some(client_config(Verify::Nothing).map_err(io::Error::other)?),
        _ => return Err(usage()),
    };
    block_on(hold(address, count, tls))??;
    Ok(())
}

async fn hold(address: SocketAddr, count: usize, tls: Client) -> io::Result<()> {
    let done: Rc<Cell<usize>> = Rc::default();
    for part in 0..AT_ONCE {
        let (tls, done) = (tls.clone(), Rc::clone(&done));
        let mine = count / AT_ONCE + usize::from(part < count % AT_ONCE);
        spawn(async move {
            let mut streams = Vec::new();
            for _ in 0..mine {
                match used_once(address, tls.clone()).await {
                    Ok(stream) => streams.push(stream),
                    Err(error) => println!("lost: {error}"),
                }
                done.set(done.get() + 1);
            }
            std::future::pending::<()>().await;
            drop(streams);
        });
    }
    while done.get() < count {
        sleep(std::time::Duration::from_millis(10)).await;
    }
    println!("idle");
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}

async fn used_once(address: SocketAddr, tls: Client) -> io::Result<Stream> {
    let socket = net::dial::dial(address).await?;
    let mut stream = match tls {
        None => Stream::plain(socket),
        Some(config) => Stream::tls_client(socket, config, ServerName::IpAddress(address.ip().into()))?,
    };
    stream.handshake().await?;
    stream.write_all(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = Buffer::new();
    while !is_whole(answer.data()) {
        if stream.read(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(stream)
}

/// Whether head and body are there: the servers of these measurements answer with a JSON object on one line.
fn is_whole(answer: &[u8]) -> bool {
    answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"}")
}
