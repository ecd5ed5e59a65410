//! What is sent to an upstream: the request target, the fields that are set, those that are not passed on.

use std::collections::HashMap;

use conf::tree::{self, NextUpstream};

use crate::text::Text;

/// `proxy_pass` with all that applies to it.
#[derive(Debug)]
pub struct ProxyRule {
    /// Index into [`crate::Router::upstreams`].
    pub upstream: usize,
    /// `$proxy_host`: the authority as written.
    pub proxy_host: String,
    /// `$proxy_port`: its port, 80 when none is written.
    pub proxy_port: String,
    /// `proxy_method`.
    pub method: Option<Text>,
    /// Whether HTTP/1.1 is spoken to the upstream.
    pub http11: bool,
    /// Fields to send: `proxy_set_header`s, then nginx's defaults for names that those leave out. One whose value
    /// renders empty is not sent. Never Content-Length or Transfer-Encoding: framing is the sender's.
    pub set_headers: Vec<SetHeader>,
    /// `proxy_connect_timeout`.
    pub connect_timeout_ms: u64,
    /// `proxy_send_timeout`.
    pub send_timeout_ms: u64,
    /// `proxy_read_timeout`.
    pub read_timeout_ms: u64,
    /// `proxy_next_upstream`.
    pub next_upstream: NextUpstream,
    /// `proxy_next_upstream_tries`; 0 is no limit.
    pub next_upstream_tries: u32,
    /// `proxy_next_upstream_timeout`; 0 is no limit.
    pub next_upstream_timeout_ms: u64,
    /// The URI of `proxy_pass`, and the length of the location's path that it replaces.
    uri: Option<(Vec<u8>, usize)>,
    /// Names, in lower case, that are not passed on from the client.
    replaced: Vec<Vec<u8>>,
    /// A bit for each length that occurs in `replaced`, so that most names are decided by it alone.
    replaced_lengths: u64,
}

/// A field to send.
#[derive(Debug, Clone)]
pub struct SetHeader {
    /// Its name as written.
    pub name: String,
    /// Its value.
    pub value: Text,
}

impl ProxyRule {
    /// Whether the client's fields of this name are not passed on, because one is set or because they concern the
    /// client's connection only.
    pub fn replaces(&self, name: &[u8]) -> bool {
        self.replaced_lengths & length_bit(name) != 0
            && self.replaced.iter().any(|other| name.eq_ignore_ascii_case(other))
    }

    /// Appends the target to ask the upstream for. `raw_target` is the client's in origin form, `path` its normalized
    /// path, `args` what follows `?` (empty when nothing does).
    pub fn target(&self, raw_target: &[u8], path: &[u8], args: &[u8], out: &mut Vec<u8>) {
        let Some((uri, replaced)) = &self.uri else {
            out.extend_from_slice(raw_target);
            return;
        };
        out.extend_from_slice(uri);
        out.extend_from_slice(&path[(*replaced).min(path.len())..]);
        if !args.is_empty() {
            out.push(b'?');
            out.extend_from_slice(args);
        }
    }
}

fn length_bit(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}
