//! A client of one server, over TCP, TLS or a unix socket: agents, Liberty, the `api` of a balancer, pages that are
//! probed. Bounded in bytes here, in time by who asks. No redirects, no proxies, no compression.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use net::tls::{ClientOptions, Identity, name_to_ask_for, upstream_config};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, LocalSet};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// The longest answer to a probe.
const PROBED_MAX: usize = 64 << 20;

/// A server, and a path there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    to: To,
    /// As `Host` says it.
    authority: String,
    /// A page, or what is before the path of each page.
    pub(crate) path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum To {
    /// The host is without the brackets of an IPv6 address.
    Tcp {
        host: String,
        port: u16,
        is_tls: bool,
    },
    Unix(PathBuf),
}

impl Origin {
    pub(crate) fn tcp(address: SocketAddr, path: String) -> Self {
        let to = To::Tcp { host: address.ip().to_string(), port: address.port(), is_tls: false };
        Self { to, authority: address.to_string(), path }
    }

    pub(crate) fn unix(socket: PathBuf, path: String) -> Self {
        Self { to: To::Unix(socket), authority: "localhost".to_owned(), path }
    }

    /// Reads what `flag` says: a server without TLS, and a page there, whose path is meant as it is written; without
    /// one it is `/`.
    pub(crate) fn page(text: &str, flag: &str) -> anyhow::Result<Self> {
        let read = Self::read(text);
        let origin =
            read.map_err(|why| anyhow!("{flag} takes http://HOST[:PORT][/PATH] or unix:SOCKET[:/PATH]: {why:#}"))?;
        ensure!(!origin.is_tls(), "{flag} takes http:// and unix:, not `{text}`: use the unix socket, or a tunnel");
        Ok(origin)
    }

    /// The same below which all pages are: without a slash at its end.
    pub(crate) fn into_base(mut self) -> anyhow::Result<Self> {
        ensure!(!self.path.contains('?'), "no query goes into it: `{self}`");
        self.path.truncate(self.path.trim_end_matches('/').len());
        Ok(self)
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.to, To::Tcp { is_tls: true, .. })
    }

    /// Whether what it is sent can be read on its way to another host.
    pub(crate) fn is_in_the_clear(&self) -> bool {
        let To::Tcp { host, is_tls: false, .. } = &self.to else { return false };
        host != "localhost" && !host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.to, To::Unix(_))
    }

    /// Reads `http://HOST[:PORT][/PATH]`, the same with https, or `unix:SOCKET[:/PATH]`.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        if let Some(rest) = text.strip_prefix("unix:").filter(|rest| !rest.is_empty()) {
            let (socket, path) = rest.split_once(":/").unwrap_or((rest, ""));
            let path = format!("/{path}");
            ensure!(path.parse::<PathAndQuery>().is_ok(), "`{path}` is no path of a page");
            return Ok(Self::unix(socket.into(), path));
        }
        let uri: Uri = text.parse().with_context(|| format!("`{text}` is no URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => bail!("`{text}` begins with neither http:// nor https://"),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.with_context(|| format!("a host is missing in `{text}`"))?;
        ensure!(!authority.as_str().contains('@'), "no name and password go into a URL: `{text}`");
        let port = match authority.as_str().rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some(_) => authority.port_u16().filter(|port| *port > 0),
            None if is_tls => Some(443),
            None => Some(80),
        };
        let port = port.with_context(|| format!("the port in `{text}` is no number from 1 to 65535"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
        Ok(Self { to: To::Tcp { host, port, is_tls }, authority: authority.to_string(), path })
    }
}

/// `http://HOST[:PORT][/PATH]`, or the same with https, below which the pages are.
impl FromStr for Origin {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let origin = Self::read(text)?.into_base()?;
        ensure!(!origin.is_unix(), "want http:// or https://, not `{text}`");
        Ok(origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            To::Tcp { is_tls: true, .. } => write!(out, "https://{}{}", self.authority, self.path),
            To::Tcp { .. } => write!(out, "http://{}{}", self.authority, self.path),
            To::Unix(socket) => write!(out, "unix:{}:{}", socket.display(), self.path),
        }
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
    sender: SendRequest<Full<Bytes>>,
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
        let tls = if origin.is_tls() { Some(tls(authorities, identity)?) } else { None };
        let authorization = authorization.map(|value| HeaderValue::from_str(&value)).transpose()?;
        Ok(Self { origin, tls, authorization, kept: None })
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Gets a page of at most so many bytes, over a connection that is kept. One that turns out to be closed is
    /// replaced once.
    pub(crate) async fn get(&mut self, page: &str, bytes_max: usize) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = self.request(page)?;
        if let Some(mut kept) = self.kept.take().filter(|kept| !kept.sender.is_closed())
            && let Ok(answer) = kept.exchange(request.clone(), bytes_max).await
        {
            self.kept = Some(kept);
            return Ok(answer);
        }
        let mut connection = self.connect().await?;
        let answer = connection.exchange(request, bytes_max).await?;
        self.kept = Some(connection);
        Ok(answer)
    }

    /// Sends a request, with JSON or nothing as its body, over a connection of its own: it is sent once or not at all.
    pub(crate) async fn send(
        &self,
        method: Method,
        page: &str,
        json: Option<String>,
        bytes_max: usize,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = self.request(page)?;
        *request.method_mut() = method;
        if let Some(json) = json {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = json.into();
        }
        self.connect().await?.exchange(request, bytes_max).await
    }

    fn request(&self, page: &str) -> anyhow::Result<Request<Full<Bytes>>> {
        let target = format!("{}{page}", self.origin.path);
        let mut request = Request::get(target).header(HOST, &self.origin.authority).header(ACCEPT, "*/*");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        Ok(request.body(Full::default())?)
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let (host, port) = match &self.origin.to {
            To::Tcp { host, port, .. } => (host.as_str(), *port),
            To::Unix(socket) => {
                return Connection::over(lab::watch::connect(socket).await.context("cannot connect")?).await;
            }
        };
        let stream = TcpStream::connect((host, port)).await.context("cannot connect")?;
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Connection::over(stream).await,
            Some(tls) => {
                Connection::over(tls.connect(name_to_ask_for(host), stream).await.context("no TLS with it")?).await
            }
        }
    }
}

impl Connection {
    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> anyhow::Result<Self> {
        let (sender, driver) = handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, driver: tokio::spawn(driver) })
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>, most: usize) -> anyhow::Result<(StatusCode, Bytes)> {
        let page = request.uri().clone();
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), most).collect().await;
        let body = body
            .map_err(|error| anyhow!(error))
            .with_context(|| format!("{page} is cut off, or longer than {most} bytes"))?;
        Ok((status, body.to_bytes()))
    }
}

/// The status that a page is answered with.
pub(crate) async fn status_of(page: Origin) -> anyhow::Result<StatusCode> {
    let (status, _) = Client::new(page, Credentials::default())?.get("", PROBED_MAX).await?;
    Ok(status)
}

/// Runs what asks servers. A name is looked up on a thread of its own, which may take long to give up: whoever has
/// stopped asking is not kept by it.
pub(crate) fn run<F: Future>(runtime: Runtime, asking: F) -> F::Output {
    let done = LocalSet::new().block_on(&runtime, asking);
    runtime.shutdown_background();
    done
}

fn tls(authorities: Vec<CertificateDer<'static>>, identity: Option<Identity>) -> anyhow::Result<TlsConnector> {
    // An empty list is browsers' authorities.
    let options = ClientOptions { identity, ..ClientOptions::new(Some(authorities)) };
    Ok(TlsConnector::from(Arc::new(upstream_config(options)?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Origin, To};

    fn to(origin: &Origin) -> String {
        match &origin.to {
            To::Tcp { host, port, is_tls } => format!("{host} {port}{}", if *is_tls { " tls" } else { "" }),
            To::Unix(socket) => socket.display().to_string(),
        }
    }

    #[test]
    fn servers_are_read() {
        let table = [
            ("http://10.0.0.1:9101", "10.0.0.1 9101", ""),
            ("http://a.test/", "a.test 80", ""),
            ("https://a.test/node/", "a.test 443 tls", "/node"),
            ("https://[::1]:9101/a/b", "::1 9101 tls", "/a/b"),
            ("http://[::1]", "::1 80", ""),
        ];
        for (text, at, path) in table {
            let origin: Origin = text.parse().unwrap();
            assert_eq!((to(&origin).as_str(), origin.path.as_str()), (at, path), "{text}");
            assert_eq!(origin.to_string(), text.trim_end_matches('/'), "{text}");
        }
        for text in ["http://a/?q", "unix:/a"].iter().chain(&NONE) {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_read_on_its_way_is_known() {
        for (text, is_in_the_clear) in [
            ("http://127.0.0.9:9101", false),
            ("http://[::1]:9101", false),
            ("http://localhost", false),
            ("http://10.0.0.1:9101", true),
            ("http://localhost.test", true),
            ("https://10.0.0.1:9101", false),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().is_in_the_clear(), is_in_the_clear, "{text}");
        }
    }

    #[test]
    fn pages_are_read() {
        let table = [
            ("http://127.0.0.1:8080", "127.0.0.1 8080", "/"),
            ("http://[::1]/", "::1 80", "/"),
            ("http://a.test/x/y/?z=1", "a.test 80", "/x/y/?z=1"),
            ("unix:/run/a.sock", "/run/a.sock", "/"),
            ("unix:/run/a.sock:/a/", "/run/a.sock", "/a/"),
        ];
        for (text, at, path) in table {
            let origin = Origin::page(text, "--url").unwrap();
            assert_eq!((to(&origin).as_str(), origin.path.as_str()), (at, path), "{text}");
        }
        for text in ["https://a", "unix:", "unix:/a:/b c", "127.0.0.1:80"].iter().chain(&NONE) {
            let why = Origin::page(text, "--url").unwrap_err().to_string();
            assert!(why.starts_with("--url takes "), "{text}: {why}");
        }
    }

    const NONE: [&str; 11] = [
        "",
        "a",
        "ftp://a",
        "http://",
        "http://u:p@a",
        "http://a:0",
        "http://a:99999",
        "http://a:x",
        "http://:80/",
        "http://a b/",
        "http://[::1/",
    ];
}
