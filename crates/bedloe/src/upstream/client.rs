//! A client of a balancer's `api`: one request a connection, over TCP or a unix socket.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::visible::visible;

/// How long an answer may take: the balancer is on this machine, or not far away.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read: an upstream may have some thousand servers, of some KiB each.
const ANSWER_MAX: usize = 64 << 20;
/// The version of the interface that is spoken.
const VERSION: u64 = 9;
const PATH: &str = "/api";

/// Where the interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) to: To,
    /// The path that it answers below, without a slash at its end.
    pub(crate) path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    /// Host and port.
    Tcp(String),
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let Self { to, path } = split(text, "--api")?;
        let path = match path.trim_end_matches('/') {
            "" => PATH.to_owned(),
            path => format!("/{}", path.trim_start_matches('/')),
        };
        Ok(Self { to, path })
    }
}

impl Address {
    /// Reads the address of a page, whose path is meant as it is written; without one it is `/`.
    pub(crate) fn page(text: &str) -> anyhow::Result<Self> {
        let Self { to, path } = split(text, "--url")?;
        let path = if path.is_empty() { "/".to_owned() } else { path };
        if path.parse::<PathAndQuery>().is_err() {
            bail!("`{path}` is no path of a page");
        }
        Ok(Self { to, path })
    }
}

/// `http://HOST[:PORT][/PATH]` or `unix:SOCKET[:/PATH]`, with the path as written.
fn split(text: &str, flag: &str) -> anyhow::Result<Address> {
    if let Some(rest) = text.strip_prefix("unix:").filter(|rest| !rest.is_empty()) {
        let (socket, path) = rest.split_at(rest.find(":/").unwrap_or(rest.len()));
        return Ok(Address { to: To::Unix(PathBuf::from(socket)), path: path.trim_start_matches(':').to_owned() });
    }
    if text.starts_with("https://") {
        bail!("{flag} takes http:// and unix:, not `{text}`: use the unix socket, or a tunnel");
    }
    let Some(rest) = text.strip_prefix("http://") else {
        bail!("{flag} takes http://HOST[:PORT][/PATH] or unix:SOCKET[:/PATH], not `{text}`");
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.is_empty() || authority.contains('@') {
        bail!("{flag} needs a host and no name and password before it: `{text}`");
    }
    let Some(host) = with_port(authority) else { bail!("`{authority}` in {flag} is no host, with or without a port") };
    Ok(Address { to: To::Tcp(host), path: path.to_owned() })
}

/// A host with its port, 80 where there is none.
fn with_port(authority: &str) -> Option<String> {
    let parsed: Authority = authority.parse().ok()?;
    let host = parsed.host();
    let behind = authority.strip_prefix(host).filter(|_| !host.is_empty())?;
    match behind.strip_prefix(':') {
        None => behind.is_empty().then(|| format!("{host}:80")),
        Some(port) => port.parse::<u16>().ok().filter(|port| *port > 0).map(|port| format!("{host}:{port}")),
    }
}

/// Reads `NAME:PASSWORD`, as a field has it.
pub(crate) fn credentials(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    if !line.contains(':') {
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
pub(crate) struct Client {
    address: Address,
    credentials: Option<String>,
}

impl Client {
    pub(crate) fn new(address: Address, credentials: Option<String>) -> Self {
        Self { address, credentials }
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask("GET", path, None).await
    }

    pub(crate) async fn patch(&self, upstream: &str, id: u64, body: &Value) -> anyhow::Result<Value> {
        self.ask("PATCH", &format!("http/upstreams/{}/servers/{id}", escaped(upstream)), Some(body)).await
    }

    pub(crate) async fn add(&self, upstream: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask("POST", &format!("http/upstreams/{}/servers", escaped(upstream)), Some(body)).await
    }

    pub(crate) async fn remove(&self, upstream: &str, id: u64) -> anyhow::Result<Value> {
        self.ask("DELETE", &format!("http/upstreams/{}/servers/{id}", escaped(upstream)), None).await
    }

    /// Holds an upstream for somebody, for so long; for no time gives it back.
    pub(crate) async fn hold(&self, upstream: &str, owner: &str, seconds: u64) -> anyhow::Result<Value> {
        let body = json!({"owner": owner, "seconds": seconds});
        self.ask("POST", &format!("http/upstreams/{}/hold", escaped(upstream)), Some(&body)).await
    }

    /// Sends a request and reads its answer, or what the interface says is wrong.
    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let asked = tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await;
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

    async fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<(StatusCode, Bytes)> {
        let (host, address) = match &self.address.to {
            To::Tcp(host) => (host.as_str(), self.address.path.as_str()),
            To::Unix(_) => ("localhost", self.address.path.as_str()),
        };
        let text = body.map(Value::to_string).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(format!("{address}/{VERSION}/{path}"));
        request = request.header("Host", host).header("Content-Type", "application/json");
        if let Some(credentials) = &self.credentials {
            request = request.header("Authorization", credentials);
        }
        let request = request.body(Full::new(Bytes::from(text)))?;
        match &self.address.to {
            To::Tcp(host) => exchange(TcpStream::connect(host.as_str()).await?, request).await,
            To::Unix(socket) => exchange(lab::watch::connect(socket).await?, request).await,
        }
    }

    /// Where it is, for people.
    pub(crate) fn shown(&self) -> String {
        match &self.address.to {
            To::Tcp(host) => format!("http://{host}{}", self.address.path),
            To::Unix(socket) => format!("unix:{}:{}", socket.display(), self.address.path),
        }
    }
}

/// The status that a server itself answers a GET with.
pub(crate) async fn status_of(server: &To, path: &str) -> anyhow::Result<StatusCode> {
    let host = match server {
        To::Tcp(host) => host.as_str(),
        To::Unix(_) => "localhost",
    };
    let request = Request::builder().uri(path).header("Host", host).header("Connection", "close");
    let request = request.body(Full::new(Bytes::new()))?;
    let (status, _) = match server {
        To::Tcp(host) => exchange(TcpStream::connect(host.as_str()).await?, request).await?,
        To::Unix(socket) => exchange(lab::watch::connect(socket).await?, request).await?,
    };
    Ok(status)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(|error| anyhow!(error))?;
    connection.abort();
    Ok((status, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn addresses_are_read() {
        let tcp = |host: &str, path: &str| Address { to: To::Tcp(host.to_owned()), path: path.to_owned() };
        let unix = |socket: &str, path: &str| Address { to: To::Unix(socket.into()), path: path.to_owned() };
        let table = [
            ("http://127.0.0.1:8080", tcp("127.0.0.1:8080", "/api")),
            ("http://localhost", tcp("localhost:80", "/api")),
            ("http://[::1]:8080/status/", tcp("[::1]:8080", "/status")),
            ("http://[::1]/", tcp("[::1]:80", "/api")),
            ("unix:/run/api.sock", unix("/run/api.sock", "/api")),
            ("unix:/run/api.sock:/a/b/", unix("/run/api.sock", "/a/b")),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Address>().unwrap(), expected, "{text}");
        }
        for text in ["", "unix:", "127.0.0.1:80", "https://a.test", "http://", "http://ann:secret@a.test/"]
            .into_iter()
            .chain(["http://a:99999/", "http://a:0/", "http://a:b/", "http://:80/", "http://a b/", "http://[::1/"])
        {
            assert!(text.parse::<Address>().is_err() && Address::page(text).is_err(), "{text}");
        }
        let table = [
            ("http://127.0.0.1:8080", tcp("127.0.0.1:8080", "/")),
            ("http://[::1]/", tcp("[::1]:80", "/")),
            ("http://a.test/x/y/?z=1", tcp("a.test:80", "/x/y/?z=1")),
            ("unix:/run/a.sock", unix("/run/a.sock", "/")),
            ("unix:/run/a.sock:/a/", unix("/run/a.sock", "/a/")),
        ];
        for (text, expected) in table {
            assert_eq!(Address::page(text).unwrap(), expected, "{text}");
        }
        assert!(Address::page("http://a.test/a b").is_err());
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("a b/c:80?x"), "a%20b%2Fc:80%3Fx");
    }
}
