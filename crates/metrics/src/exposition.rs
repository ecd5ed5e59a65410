//! Prometheus's text format, version 0.0.4: written for what bedloe serves, read from what other programs serve.
//!
//! Left out: a registry (who counts knows what it counts), exemplars, created-timestamps and OpenMetrics.
//! Source: Prometheus documentation, "Exposition formats".

mod read;
mod write;

pub use read::{Fault, Sample, samples};
pub use write::{Exposition, Family, Kind, Value};

/// The value of `Content-Type` that goes with the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether `name` may name a metric: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
#[must_use]
pub fn is_metric_name(name: &str) -> bool {
    is_name(name, |byte| byte == b'_' || byte == b':')
}

/// Whether `name` may name a label: `[a-zA-Z_][a-zA-Z0-9_]*`.
#[must_use]
pub fn is_label_name(name: &str) -> bool {
    is_name(name, |byte| byte == b'_')
}

fn is_name(name: &str, is_mark: impl Fn(u8) -> bool) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || is_mark(first))
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}
