//! How an agent is reached, and what ends it. What is answered is `page`'s.

use std::rc::Rc;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::page::Pages;
use crate::http_server::{self, Listener};

pub(super) use tokio_rustls::TlsAcceptor as Tls;

/// Connections at once: some scrapers and a dashboard.
const CONNECTIONS_MAX: usize = 64;

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
    let answer = move |request| {
        let pages = Rc::clone(&pages);
        async move { pages.answer(&request).await }
    };
    http_server::serve(Listener::Tcp(listener), CONNECTIONS_MAX, tls, answer).await;
}
