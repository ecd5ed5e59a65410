//! What an agent answers: the metrics, its health, a word for those who look in by hand.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use host::facts::Host;
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, StatusCode};
use metrics::exposition::{self, Exposition, Kind};

use super::guard::Token;
use super::liberty::Liberty;
use super::{groups, node};
use crate::http_server::{self, Answer, text};

const INDEX: &str = "bedloe agent: /metrics has what this host does, /health whether the agent is there\n";

/// All that it needs to answer.
#[derive(Debug)]
pub(super) struct Pages {
    host: RefCell<Host>,
    token: Option<Token>,
    liberty: Option<Liberty>,
    scrapes: Cell<u64>,
    /// Bytes of the last text: the next one will be as long.
    length: Cell<usize>,
}

impl Pages {
    pub(super) fn new(host: Host, token: Option<Token>, liberty: Option<Liberty>) -> Self {
        Self { host: RefCell::new(host), token, liberty, scrapes: Cell::new(0), length: Cell::new(0) }
    }

    pub(super) async fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        // Whoever asks whether it is there learns nothing else.
        if path == "/health" {
            return text(StatusCode::OK, "ok\n");
        }
        if !self.may_read(request) {
            let mut answer = text(StatusCode::UNAUTHORIZED, "the token is missing, or is another one\n");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return answer;
        }
        match path {
            "/metrics" => http_server::page(StatusCode::OK, exposition::CONTENT_TYPE, self.metrics().await),
            "/" => text(StatusCode::OK, INDEX),
            _ => text(StatusCode::NOT_FOUND, "there are /metrics and /health\n"),
        }
    }

    fn may_read<B>(&self, request: &Request<B>) -> bool {
        let Some(token) = &self.token else { return true };
        request.headers().get(AUTHORIZATION).is_some_and(|value| token.is_shown_by(value.as_bytes()))
    }

    async fn metrics(&self) -> String {
        self.scrapes.set(self.scrapes.get() + 1);
        if let Some(liberty) = &self.liberty {
            liberty.refresh().await;
        }
        let mut out = Exposition::into_buffer(String::with_capacity(self.length.get()));
        let snapshot = self.host.borrow_mut().look();
        node::write(&mut out, &snapshot, Duration::from_nanos(net::clock::unix_ns()).as_secs_f64());
        groups::write(&mut out, &snapshot.groups);
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        out.family("bedloe_build_info", Kind::Gauge, "The program that serves this; always 1.").sample(&version, 1_u64);
        let help = "Times that this page was made.";
        out.family("bedloe_agent_scrapes_total", Kind::Counter, help).sample(&[], self.scrapes.get());
        if let Some(liberty) = &self.liberty {
            liberty.write(&mut out);
        }
        let text = out.finish();
        // Some digits more by the next time.
        self.length.set(text.len() + text.len() / 16);
        text
    }
}
