//! The connections of an agent: how many, and how long each may take for a handshake and a head. What is answered is
//! `page`'s.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::page::Pages;

pub(super) use tokio_rustls::TlsAcceptor as Tls;

/// Connections at once: some scrapers and a dashboard. Others wait for their turn in the listener's queue.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take for a handshake or the head of a request, and a connection be idle, and data unread.
const PATIENCE: Duration = Duration::from_secs(10);
/// Fields in a head; Prometheus sends six.
const FIELDS_MAX: usize = 32;
/// Bytes of a head.
const HEAD_MAX: usize = 16 << 10;
/// A rest after an accept that failed, which is for want of descriptors.
const REST: Duration = Duration::from_millis(100);

/// The signals that end it.
pub(super) struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Ends {
    pub(super) fn take() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Answers for as long as it is polled.
pub(super) async fn serve(listener: TcpListener, tls: Option<Tls>, pages: Rc<Pages>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        let (tls, pages) = (tls.clone(), Rc::clone(&pages));
        tokio::task::spawn_local(async move {
            connection(stream, tls, pages).await;
            drop(place);
        });
    }
}

/// One client, to its end. One that goes away or talks nonsense is no news.
async fn connection(stream: TcpStream, tls: Option<Tls>, pages: Rc<Pages>) {
    let _ = stream.set_nodelay(true);
    // A client that does not take its answer is parted with, and one that has vanished.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, PATIENCE.as_millis().try_into().unwrap_or(u32::MAX));
    match tls {
        None => http(stream, pages).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                http(stream, pages).await;
            }
        }
    }
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin, pages: Rc<Pages>) {
    let service = service_fn(|request| {
        let pages = Rc::clone(&pages);
        async move { Ok::<_, Infallible>(pages.answer(&request).await) }
    });
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(FIELDS_MAX)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
