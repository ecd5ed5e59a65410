//! An HTTP/2 client that is not our own, for requests that are in order.

use std::future::poll_fn;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::balancer::PATIENCE;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(|value| value.to_str().ok())
    }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) requests: SendRequest<Bytes>,
}

/// Runs a test's client.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("in time") })
}

impl Client {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self::with(address, &mut h2::client::Builder::new()).await
    }

    pub(crate) async fn with(address: SocketAddr, builder: &mut h2::client::Builder) -> Self {
        Self::behind(address, &[], builder).await
    }

    /// The same behind what a proxy sends first, in pieces.
    pub(crate) async fn behind(address: SocketAddr, first: &[&[u8]], builder: &mut h2::client::Builder) -> Self {
        let mut tcp = TcpStream::connect(address).await.expect("a connection");
        tcp.set_nodelay(true).expect("an option");
        for piece in first {
            tcp.write_all(piece).await.expect("it reads");
        }
        let (requests, connection) = builder.handshake(tcp).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { requests }
    }

    /// Sends a request without a body.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path), None).await.expect("an answer")
    }

    /// Sends a request, with these pieces as its body if there are any.
    pub(crate) async fn ask(&self, request: Request<()>, body: Option<&[&str]>) -> Result<Answer, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let (answer, mut stream) = requests.send_request(request, body.is_none())?;
        for piece in body.unwrap_or_default() {
            stream.send_data(Bytes::copy_from_slice(piece.as_bytes()), false)?;
        }
        if body.is_some() {
            stream.send_data(Bytes::new(), true)?;
        }
        let (head, body) = answer.await?.into_parts();
        let (body, trailers) = whole(body).await?;
        Ok(Answer { status: head.status.as_u16(), fields: head.headers, body, trailers })
    }
}

/// Reads a body to its end.
pub(crate) async fn whole(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut all = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        all.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    Ok((all, body.trailers().await?))
}

/// Sends as the windows let; how much was sent before the stream was reset, if it was.
pub(crate) async fn send_all(stream: &mut SendStream<Bytes>, length: usize) -> usize {
    let mut sent = 0;
    while sent < length {
        stream.reserve_capacity((length - sent).min(64 * 1024));
        match poll_fn(|cx| stream.poll_capacity(cx)).await {
            Some(Ok(room)) => {
                let n = room.min(length - sent);
                if stream.send_data(vec![b'x'; n].into(), n == length - sent).is_err() {
                    return sent;
                }
                sent += n;
            }
            _ => return sent,
        }
    }
    sent
}

/// A request to the host `a`.
pub(crate) fn request(method: &str, path: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("http://a{path}")).body(()).expect("a request")
}
