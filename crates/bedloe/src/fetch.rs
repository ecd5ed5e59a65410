//! A client that gets pages of one server again and again over one connection that is kept: agents, Liberty. Bounded in
//! bytes here, in time by who asks. No redirects, no proxies, no compression.

use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use net::tls::{ClientOptions, Identity, name_to_ask_for, upstream_config};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// A server, and the path below which its pages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) is_tls: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// As `Host` says it.
    authority: String,
    /// Without a slash at its end.
    pub(crate) path: String,
}

impl FromStr for Origin {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let uri: Uri = text.parse().with_context(|| format!("`{text}` is no URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => bail!("want http:// or https://, not `{text}`"),
        };
        let authority =
            uri.authority().filter(|authority| !authority.host().is_empty()).context("a host is missing")?;
        ensure!(!authority.as_str().contains('@'), "no password goes into a URL: `{text}`");
        ensure!(uri.query().is_none(), "no query goes into it: `{text}`");
        let port = match authority.as_str().rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some(_) => {
                authority.port_u16().filter(|port| *port > 0).with_context(|| format!("`{text}` has no port"))?
            }
            None if is_tls => 443,
            None => 80,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { is_tls, host, port, authority: authority.to_string(), path })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(out, "{scheme}://{}{}", self.authority, self.path)
    }
}

/// How a server is trusted and what it is shown.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    /// The value of `Authorization`.
    pub(crate) authorization: Option<String>,
    /// Authorities that its certificate must be of; those that browsers trust where there are none.
    pub(crate) authorities: Vec<CertificateDer<'static>>,
    pub(crate) identity: Option<Identity>,
}

/// The client of one server.
pub(crate) struct Client {
    origin: Origin,
    tls: Option<TlsConnector>,
    authorization: Option<HeaderValue>,
    kept: Option<Connection>,
}

struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<hyper::Result<()>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    pub(crate) fn new(origin: Origin, credentials: Credentials) -> anyhow::Result<Self> {
        let Credentials { authorization, authorities, identity } = credentials;
        let tls = if origin.is_tls { Some(tls(authorities, identity)?) } else { None };
        let authorization = authorization.map(|value| HeaderValue::from_str(&value)).transpose()?;
        Ok(Self { origin, tls, authorization, kept: None })
    }

    /// Gets a page of at most so many bytes. A kept connection that turns out to be closed is replaced once.
    pub(crate) async fn get(&mut self, page: &str, bytes_max: usize) -> anyhow::Result<(StatusCode, Bytes)> {
        if let Some(kept) = self.kept.take().filter(|kept| !kept.sender.is_closed())
            && let Ok(answer) = self.ask(kept, page, bytes_max).await
        {
            return Ok(answer);
        }
        let connection = self.connect().await?;
        self.ask(connection, page, bytes_max).await
    }

    async fn ask(
        &mut self,
        mut connection: Connection,
        page: &str,
        most: usize,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let target = format!("{}{page}", self.origin.path);
        let mut request = Request::get(target).header(HOST, &self.origin.authority).header(ACCEPT, "*/*");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        connection.sender.ready().await?;
        let answer = connection.sender.send_request(request.body(Empty::new())?).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), most).collect().await;
        let body = body
            .map_err(|error| anyhow!(error))
            .with_context(|| format!("{page} is cut off, or longer than {most} bytes"))?;
        self.kept = Some(connection);
        Ok((status, body.to_bytes()))
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let stream =
            TcpStream::connect((self.origin.host.as_str(), self.origin.port)).await.context("cannot connect")?;
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => spoken_to(stream).await,
            Some(tls) => {
                let stream = tls.connect(name_to_ask_for(&self.origin.host), stream).await;
                spoken_to(stream.context("no TLS with it")?).await
            }
        }
    }
}

async fn spoken_to(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> anyhow::Result<Connection> {
    let (sender, driver) = handshake(TokioIo::new(stream)).await?;
    Ok(Connection { sender, driver: tokio::spawn(driver) })
}

fn tls(authorities: Vec<CertificateDer<'static>>, identity: Option<Identity>) -> anyhow::Result<TlsConnector> {
    let options = ClientOptions {
        tls12: true,
        tls13: true,
        server_name: true,
        // An empty list is browsers' authorities.
        trusted: Some(authorities),
        revoked: Vec::new(),
        identity,
        suites: None,
        suites13: None,
    };
    Ok(TlsConnector::from(Arc::new(upstream_config(options)?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Origin;

    #[test]
    fn urls_are_read() {
        let table = [
            ("http://10.0.0.1:9101", (false, "10.0.0.1", 9101, "")),
            ("http://a.test/", (false, "a.test", 80, "")),
            ("https://a.test/node/", (true, "a.test", 443, "/node")),
            ("https://[::1]:9101/a/b", (true, "::1", 9101, "/a/b")),
            ("http://[::1]", (false, "::1", 80, "")),
        ];
        for (text, (is_tls, host, port, path)) in table {
            let origin: Origin = text.parse().unwrap();
            assert_eq!((origin.is_tls, origin.host.as_str(), origin.port), (is_tls, host, port), "{text}");
            assert_eq!(origin.path, path, "{text}");
            assert_eq!(origin.to_string(), text.trim_end_matches('/'), "{text}");
        }
        for text in [
            "",
            "a",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://a:0",
            "http://a:99999",
            "http://a:x",
            "http://a/?q",
            "unix:/a",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
