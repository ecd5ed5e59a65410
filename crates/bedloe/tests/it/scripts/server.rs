//! The server that scripts ask, in the clear and over TLS, by HTTP/1.1 and HTTP/2: what it answers is in the path.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// `a text that was compressed`, by brotli, zlib and zstd.
const BR: &[u8] = b"\x1b\x19\x00\xe8\xa5\x40\xc2\xb2\x10\x49\x82\xa9\x25\xae\xea\x9f\x1f\x87\x74\x02";
const DEFLATE: &[u8] = b"\x78\x9c\x4b\x54\x28\x49\xad\x28\x51\x28\xc9\x48\x2c\x51\x28\x4f\x2c\x56\x48\xce\xcf\
    \x2d\x28\x4a\x2d\x2e\x4e\x4d\x01\x00\x80\x40\x09\xd8";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x04\x58\xd1\x00\x00a text that was compressed\x38\x71\x15\x78";

/// What paths into JSON are tried on.
const JSON: &str = r#"{"a":[{"b":1,"n":"x"},{"b":2,"n":"y"}],"t":"text","num":1.50,"tr":true,"nu":null,
    "o":{"x":{"y":"z"}}}"#;

/// A server that is gone once this is dropped.
pub(super) struct Server {
    plain: SocketAddr,
    tls: SocketAddr,
    /// Where its certificate is, and a client's with its key.
    folder: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// A request.
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// `HTTP/1.1` or `HTTP/2.0`, and whether the client has shown a certificate.
    version: &'static str,
    has_certificate: bool,
    /// The number of its connection.
    connection: u64,
}

/// Status, fields and body.
type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

impl Server {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let acceptor = acceptor(folder.path());
        let (tell, told) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = listen(acceptor, tell) => {}
                    _ = stopped => {}
                }
            });
        });
        let (plain, tls) = told.recv().unwrap();
        Self { plain, tls, folder, stop: Some(stop), thread: Some(thread) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.plain)
    }

    pub(super) fn host(&self) -> String {
        self.plain.to_string()
    }

    pub(super) fn tls_url(&self) -> String {
        format!("https://localhost:{}", self.tls.port())
    }

    pub(super) fn tls_host(&self) -> String {
        format!("localhost:{}", self.tls.port())
    }

    /// Its certificate.
    pub(super) fn authority(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    /// Where `client.pem` and `client.key` are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Makes certificates, and takes clients that show one and clients that do not.
fn acceptor(folder: &Path) -> TlsAcceptor {
    let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (server, client) = (made("localhost"), made("client"));
    std::fs::write(folder.join("server.pem"), server.cert.pem()).unwrap();
    std::fs::write(folder.join("client.pem"), client.cert.pem()).unwrap();
    std::fs::write(folder.join("client.key"), client.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(client.cert.der().clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.allow_unauthenticated().build().unwrap();
    let key = PrivateKeyDer::try_from(server.signing_key.serialize_der()).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![server.cert.der().clone()];
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn listen(acceptor: TlsAcceptor, tell: std::sync::mpsc::Sender<(SocketAddr, SocketAddr)>) {
    let (plain, tls) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    tell.send((plain.local_addr().unwrap(), tls.local_addr().unwrap())).unwrap();
    for connection in 1.. {
        tokio::select! {
            accepted = plain.accept() => {
                let (stream, _) = accepted.unwrap();
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, connection, false));
            }
            accepted = tls.accept() => {
                tokio::spawn(serve_tls(accepted.unwrap().0, acceptor.clone(), connection));
            }
        }
    }
}

async fn serve_tls(stream: TcpStream, acceptor: TlsAcceptor, connection: u64) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let stream = acceptor.accept(stream).await.ok()?;
    let session = stream.get_ref().1;
    let has_certificate = session.peer_certificates().is_some();
    if session.alpn_protocol() == Some(b"h2") {
        serve_http2(stream, connection, has_certificate).await
    } else {
        serve(stream, connection, has_certificate).await
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite, connection: u64, has_certificate: bool) -> Option<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(Box::pin(reader));
    loop {
        let request = Request { connection, has_certificate, ..read(&mut reader).await? };
        let (status, fields, body) = answer(&request).await?;
        let has_body = !matches!(status, 204 | 304);
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = if has_body { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        let mut bytes = format!("HTTP/1.1 {status} Said So\r\n{fields}{length}\r\n").into_bytes();
        if has_body && request.method != "HEAD" {
            bytes.extend_from_slice(&body);
        }
        writer.write_all(&bytes).await.ok()?;
        writer.flush().await.ok()?;
    }
}

async fn serve_http2(
    stream: tokio_rustls::server::TlsStream<TcpStream>,
    connection: u64,
    has_certificate: bool,
) -> Option<()> {
    let mut streams = h2::server::handshake(stream).await.ok()?;
    while let Some(accepted) = streams.accept().await {
        let (request, mut respond) = accepted.ok()?;
        tokio::spawn(async move {
            let (head, mut incoming) = request.into_parts();
            let mut body = Vec::new();
            while let Some(piece) = incoming.data().await {
                let piece = piece.ok()?;
                incoming.flow_control().release_capacity(piece.len()).ok()?;
                body.extend_from_slice(&piece);
            }
            let headers = head.headers.iter();
            let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()));
            let request = Request {
                method: head.method.to_string(),
                target: head.uri.path_and_query()?.to_string(),
                headers: headers.collect(),
                body,
                version: "HTTP/2.0",
                has_certificate,
                connection,
            };
            let Some((status, fields, body)) = answer(&request).await else {
                respond.send_reset(h2::Reason::INTERNAL_ERROR);
                return None;
            };
            let mut response = http::Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(name, value);
            }
            let is_empty = body.is_empty() || request.method == "HEAD";
            let mut stream = respond.send_response(response.body(()).ok()?, is_empty).ok()?;
            if !is_empty {
                stream.send_data(Bytes::from(body), true).ok()?;
            }
            Some(())
        });
    }
    Some(())
}

async fn read(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).await.ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim_start().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).await.ok()?;
    Some(Request { method, target, headers, body, version: "HTTP/1.1", has_certificate: false, connection: 0 })
}

/// What there is at a path; `None` closes the connection, or resets the stream.
async fn answer(request: &Request) -> Option<Answer> {
    let path = request.target.split('?').next().unwrap_or_default();
    let (first, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let number = || rest.parse::<u64>().unwrap_or(0);
    let location = |to: String| vec![("Location", to)];
    Some(match first {
        "status" => (u16::try_from(number()).unwrap(), Vec::new(), format!("status {rest}").into()),
        "redirect" if number() > 1 => (302, location(format!("/redirect/{}", number() - 1)), "on".into()),
        "redirect" => (302, location("/echo".into()), "on".into()),
        "moved" => (u16::try_from(number()).unwrap(), location("../echo?moved".into()), Vec::new()),
        "to" => (302, location(query(request)), "on".into()),
        "cookies" => {
            let lines = query(request).split('&').map(|line| ("Set-Cookie", line.to_owned())).collect();
            (200, lines, "set".into())
        }
        "json" => (200, Vec::new(), JSON.into()),
        "sleep" => {
            tokio::time::sleep(Duration::from_millis(number())).await;
            (200, Vec::new(), "slept".into())
        }
        "bytes" => (200, Vec::new(), vec![b'x'; usize::try_from(number()).unwrap()]),
        "cookie" => {
            let (name, value) = rest.split_once('/').unwrap_or((rest, ""));
            let cookies = [format!("{name}={value}; Path=/"), "other=1; Path=/only; HttpOnly".to_owned()];
            (200, cookies.map(|cookie| ("Set-Cookie", cookie)).to_vec(), "set".into())
        }
        "gzip" => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(b"a text that was compressed").unwrap();
            (200, vec![("Content-Encoding", "gzip".into())], gzip.finish().unwrap())
        }
        "coding" => {
            let bytes = [("br", BR), ("deflate", DEFLATE), ("zstd", ZSTD)].into_iter().find(|(name, _)| *name == rest);
            (200, vec![("Content-Encoding", rest.to_owned())], bytes?.1.to_vec())
        }
        "digest" => digest(request, rest),
        // Which connection it came over, how, and whose.
        "connection" => {
            let Request { version, has_certificate, connection, .. } = request;
            (200, Vec::new(), format!("{version} {has_certificate} {connection}").into())
        }
        "module" => {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scripts/cases/remote").join(rest);
            match std::fs::read(file) {
                Ok(text) => (200, vec![("Content-Type", "text/javascript".into())], text),
                Err(_) => (404, Vec::new(), "no such module".into()),
            }
        }
        "text" => {
            let fields = [("X-One", "1"), ("x-many", "a"), ("X-MANY", "b")];
            (200, fields.map(|(name, value)| (name, value.to_owned())).to_vec(), "plain text".into())
        }
        "close" => return None,
        _ => (200, vec![("Content-Type", "application/json".into())], echo(request).into()),
    })
}

/// What stands behind the question mark, with its spaces.
fn query(request: &Request) -> String {
    request.target.split_once('?').map_or("", |(_, query)| query).replace("%20", " ")
}

/// Asks for a digest, by the oldest form of it or a newer one; of what comes back only its form is looked at.
fn digest(request: &Request, kind: &str) -> Answer {
    let given = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let parts = ["Digest ", "username=\"user\"", "realm=\"a place\"", "nonce=\"n1\"", "response=\""];
    if let Some((_, line)) = given.filter(|(_, line)| parts.iter().all(|part| line.contains(part))) {
        return (200, Vec::new(), format!("in, with {}", if line.contains("qop=") { "qop" } else { "no qop" }).into());
    }
    let qop = if kind == "old" { "" } else { ", qop=\"auth\", algorithm=MD5, opaque=\"o\"" };
    let challenge = format!("Digest realm=\"a place\", nonce=\"n1\"{qop}");
    (401, vec![("WWW-Authenticate", challenge)], "out".into())
}

fn echo(request: &Request) -> String {
    let ours = ["user-agent", "host"];
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| !ours.contains(&name.as_str()))
        .collect();
    headers.sort();
    let headers: serde_json::Map<String, serde_json::Value> =
        headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    let body = String::from_utf8_lossy(&request.body);
    json!({ "method": request.method, "target": request.target, "headers": headers, "body": body }).to_string()
}
