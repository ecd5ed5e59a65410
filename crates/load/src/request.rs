//! A plain request: what is sent again and again where there is no script.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use wire::{Version, encode};

use crate::error::Error;
use crate::exchange::Message;
use crate::origin::{Origin, Way};
use crate::tls::TlsOptions;
use crate::url::Url;

/// One request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The address as given.
    pub url: String,
    /// The whole head; there is no body.
    pub(crate) bytes: Vec<u8>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) timeout_ms: u64,
    pub(crate) reuse: bool,
}

/// What a plain request can be told.
#[derive(Debug, Clone)]
pub struct RequestOptions {
    /// Fields as `Name: value`; `Host` and `User-Agent` replace the usual ones.
    pub headers: Vec<String>,
    /// How long all of it may take, the connection included.
    pub timeout_ms: u64,
    /// Whether any certificate is taken.
    pub skip_verify: bool,
    /// Whether a user keeps its connection from one iteration to the next.
    pub reuse: bool,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self { headers: Vec::new(), timeout_ms: 60_000, skip_verify: false, reuse: true }
    }
}

impl Request {
    /// A GET of `url`; its host is looked up here, once.
    pub fn get(url: &str, options: &RequestOptions) -> Result<Self, Error> {
        let parts = Url::parse(url).map_err(|reason| Error::Url { url: url.to_owned(), reason })?;
        let address = resolve(&parts)?;
        let tls = TlsOptions { takes_any: options.skip_verify, ..TlsOptions::default() }.config()?;
        let origin = Origin::new(&parts, &tls, &Arc::default());
        let origin = origin.map_err(|reason| Error::Url { url: url.to_owned(), reason })?;
        let origin = Arc::new(Origin { way: Way::Known(address), ..origin });
        let bytes = head(&parts, options)?;
        let (timeout_ms, reuse) = (options.timeout_ms, options.reuse);
        Ok(Self { url: url.to_owned(), bytes, origin, timeout_ms, reuse })
    }

    /// As it is sent.
    pub(crate) fn message(&self) -> Message<'_> {
        let (timeout_ms, reuse) = (self.timeout_ms, self.reuse);
        Message { bytes: &self.bytes, origin: &self.origin, timeout_ms, reuse, is_head: false, keeps_answer: false }
    }
}

#[allow(clippy::disallowed_methods, reason = "once, before any thread of the test is started")]
fn resolve(url: &Url) -> Result<SocketAddr, Error> {
    let failed = |source| Error::Resolve { host: url.host.clone(), source };
    let mut addresses = (url.host.as_str(), url.port).to_socket_addrs().map_err(failed)?;
    addresses.next().ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))
}

fn head(url: &Url, options: &RequestOptions) -> Result<Vec<u8>, Error> {
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for line in &options.headers {
        fields.push(parse_field(line).map_err(|reason| Error::Header { line: line.clone(), reason })?);
    }
    let has = |name: &str| fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
    let mut bytes = Vec::with_capacity(256);
    encode::request_line(&mut bytes, b"GET", url.target.as_bytes(), Version::Http11);
    if !has("host") {
        encode::field(&mut bytes, b"Host", url.authority.as_bytes());
    }
    if !has("user-agent") {
        encode::field(&mut bytes, b"User-Agent", concat!("bedloe/", env!("CARGO_PKG_VERSION")).as_bytes());
    }
    for (name, value) in &fields {
        encode::field(&mut bytes, name.as_bytes(), value.as_bytes());
    }
    if !options.reuse && !has("connection") {
        encode::field(&mut bytes, b"Connection", b"close");
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

/// Fields that frame a message are not for a request without a body.
fn parse_field(line: &str) -> Result<(&str, &str), &'static str> {
    let (name, value) = line.split_once(':').ok_or("want `Name: value`")?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err("the name must be of letters, digits and hyphens");
    }
    let value = value.trim();
    if value.bytes().any(|byte| byte != b'\t' && (byte < b' ' || byte == 0x7f)) {
        return Err("the value must not hold control characters");
    }
    if ["content-length", "transfer-encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        return Err("it announces a body, and these requests have none");
    }
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn bytes(url: &str, options: &RequestOptions) -> String {
        String::from_utf8(Request::get(url, options).unwrap().bytes).unwrap()
    }

    #[test]
    fn a_request_is_one_head() {
        let agent = concat!("User-Agent: bedloe/", env!("CARGO_PKG_VERSION"), "\r\n");
        let plain = bytes("http://127.0.0.1:8080/a?b", &RequestOptions::default());
        assert_eq!(plain, format!("GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n{agent}\r\n"));
        let headers = vec!["host: x".into(), "USER-agent: y".into(), "Accept:  */* ".into()];
        let options = RequestOptions { headers, reuse: false, ..RequestOptions::default() };
        let own = bytes("http://[::1]/", &options);
        assert_eq!(own, "GET / HTTP/1.1\r\nhost: x\r\nUSER-agent: y\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    }

    #[test]
    fn bad_fields_are_refused() {
        for (line, words) in [
            ("", "want `Name: value`"),
            ("x", "want `Name: value`"),
            (": x", "the name must"),
            ("a b: c", "the name must"),
            ("a: b\r\nc: d", "control characters"),
            ("a: \0", "control characters"),
            ("Content-Length: 5", "announces a body"),
            ("transfer-encoding: chunked", "announces a body"),
        ] {
            let options = RequestOptions { headers: vec![line.into()], ..RequestOptions::default() };
            let error = Request::get("http://127.0.0.1/", &options).unwrap_err();
            assert!(matches!(error, Error::Header { .. }) && error.to_string().contains(words), "{line:?}: {error}");
        }
    }
}
