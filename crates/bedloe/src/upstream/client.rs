//! A client of a balancer's `api`: what it asks, and what it makes of the answers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::fetch::{self, Credentials, Origin};
use crate::secrets::read_secret;
use crate::visible::visible;

/// How long an answer may take: the balancer is on this machine, or not far away.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read: an upstream may have some thousand servers, of some KiB each.
const ANSWER_MAX: usize = 64 << 20;
/// The version of the interface that is spoken.
const VERSION: u64 = 9;
const PATH: &str = "/api";

/// Where `--api` says that the interface is: below `/api` where it names no path.
pub(super) fn address(text: &str) -> anyhow::Result<Origin> {
    let mut origin = Origin::page(text, "--api")?.into_base()?;
    if origin.path.is_empty() {
        PATH.clone_into(&mut origin.path);
    }
    Ok(origin)
}

/// Reads `NAME:PASSWORD`, as a field has it.
pub(crate) fn credentials(file: &Path) -> anyhow::Result<String> {
    let line = read_secret(file)?;
    if !line.contains(&b':') {
        bail!("{} holds no NAME:PASSWORD in its first line", file.display());
    }
    Ok(format!("Basic {}", STANDARD.encode(line)))
}

/// A name as a path may hold it.
pub(crate) fn escaped(name: &str) -> String {
    let letter = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b':' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(letter).collect()
}

/// What the interface said no to.
#[derive(Debug, thiserror::Error)]
#[error("the balancer refused it: {text} ({status}, {code})")]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    /// The documentation's word for it.
    pub(crate) code: String,
}

/// The client.
pub(crate) struct Client(fetch::Client);

impl Client {
    pub(super) fn new(address: Origin, authorization: Option<String>) -> anyhow::Result<Self> {
        Ok(Self(fetch::Client::new(address, Credentials { authorization, ..Credentials::default() })?))
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn patch(&self, upstream: &str, id: u64, body: &Value) -> anyhow::Result<Value> {
        self.ask(Method::PATCH, &format!("http/upstreams/{}/servers/{id}", escaped(upstream)), Some(body)).await
    }

    pub(crate) async fn add(&self, upstream: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, &format!("http/upstreams/{}/servers", escaped(upstream)), Some(body)).await
    }

    pub(crate) async fn remove(&self, upstream: &str, id: u64) -> anyhow::Result<Value> {
        self.ask(Method::DELETE, &format!("http/upstreams/{}/servers/{id}", escaped(upstream)), None).await
    }

    /// Holds an upstream for somebody, for so long; for no time gives it back.
    pub(crate) async fn hold(&self, upstream: &str, owner: &str, seconds: u64) -> anyhow::Result<Value> {
        let body = json!({"owner": owner, "seconds": seconds});
        self.ask(Method::POST, &format!("http/upstreams/{}/hold", escaped(upstream)), Some(&body)).await
    }

    /// Sends a request and reads its answer, or what the interface says is wrong.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let page = format!("/{VERSION}/{path}");
        let asked = self.0.send(method, &page, body.map(Value::to_string), ANSWER_MAX);
        let asked = tokio::time::timeout(PATIENCE, asked).await;
        let (status, bytes) =
            asked.unwrap_or_else(|_| Err(anyhow!("no answer within {} s", PATIENCE.as_secs()))).with_context(|| {
                format!(
                    "the api at {} does not answer: is the balancer running, with this configuration?",
                    self.shown()
                )
            })?;
        let value: Option<Value> = serde_json::from_slice(&bytes).ok();
        match (status, value) {
            (status, Some(value)) if status.is_success() => Ok(value),
            (status, Some(value)) if value["error"]["text"].is_string() => {
                let text = |field: &str| visible(value["error"][field].as_str().unwrap_or_default());
                Err(Refused { status, text: text("text"), code: text("code") }.into())
            }
            (StatusCode::UNAUTHORIZED, _) => {
                bail!("the api at {} wants a name and a password: --credentials FILE", self.shown())
            }
            (status, _) => bail!("{} answered {status}, and is no api: name it by --api", self.shown()),
        }
    }

    /// Where it is, for people.
    pub(crate) fn shown(&self) -> &Origin {
        self.0.origin()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn addresses_are_read() {
        let table = [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api"),
            ("http://[::1]:8080/status/", "http://[::1]:8080/status"),
            ("http://[::1]/", "http://[::1]/api"),
            ("unix:/run/api.sock", "unix:/run/api.sock:/api"),
            ("unix:/run/api.sock:/a/b/", "unix:/run/api.sock:/a/b"),
        ];
        for (text, expected) in table {
            assert_eq!(address(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["https://a.test", "http://a/api?x=1", "127.0.0.1:80"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("a b/c:80?x"), "a%20b%2Fc:80%3Fx");
    }
}
