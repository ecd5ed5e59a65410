//! HTTP/2 to servers that choose it: one connection that carries many requests at a time.
//!
//! h2 speaks the protocol; a request comes as HTTP/1.1 writes it and an answer's head is kept in the same form, so that
//! everything else has one form of a message. Left out: HTTP/2 without TLS, which k6 does not speak either, and push.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use http::{HeaderName, HeaderValue, Request, Response, Uri};
use net::{Deadline, event_loop};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::Version;

use crate::exchange::{Answer, Connection, LARGEST_BODY, Lap, Message, Part};
use crate::failure::Failure;
use crate::metric::{TagsId, Who};
use crate::origin::Origin;

/// Bytes of an answer that may be under way before they are taken: as Go's client has it.
const STREAM_WINDOW: u32 = 4 << 20;
/// The same for all answers of a connection.
const CONNECTION_WINDOW: u32 = 1 << 30;
/// Bytes gathered before they are written.
const GATHER: usize = 16 << 10;
/// Fields that say something of one connection of HTTP/1.1, or that have another form here (RFC 9113 8.2.2).
const LEFT_OUT: [&str; 6] = ["connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// A connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) origin: Arc<Origin>,
    remote: SocketAddr,
    tls: &'static str,
    suite: &'static str,
    send: SendRequest<Bytes>,
    /// Where its bytes are counted.
    account: Rc<Cell<(TagsId, Who)>>,
}

impl Session {
    /// Begins a connection whose server has chosen HTTP/2.
    pub(crate) async fn open(connection: Connection, deadline: &Deadline) -> Result<Self, Failure> {
        let (origin, remote) = (Arc::clone(&connection.origin), connection.remote);
        let (tls, suite) = connection.tls();
        let account = Rc::new(Cell::new(connection.account));
        let socket = Socket { connection, output: Vec::new(), written: 0, account: Rc::clone(&account) };
        let mut builder = Builder::new();
        builder.initial_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW).enable_push(false);
        let handshake = builder.handshake::<_, Bytes>(socket);
        let (send, connection) = tokio::select! {
            shaken = handshake => shaken.map_err(|error| failure(&error))?,
            () = poll_fn(|cx| deadline.poll_passed(cx)) => return Err(Failure::timeout()),
        };
        // It ends once nobody has the connection or a request over it any more.
        event_loop::spawn(async move { drop(connection.await) });
        Ok(Self { origin, remote, tls, suite, send, account })
    }

    /// Whether a request can be sent over it; `None` where the server takes no more.
    pub(crate) async fn ready(&self, deadline: &Deadline) -> Result<Option<SendRequest<Bytes>>, Failure> {
        tokio::select! {
            ready = self.send.clone().ready() => Ok(ready.ok()),
            () = poll_fn(|cx| deadline.poll_passed(cx)) => Err(Failure::timeout()),
        }
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) async fn exchange(
        &self,
        mut send: SendRequest<Bytes>,
        message: &Message<'_>,
        deadline: &Deadline,
        lap: &mut Lap,
        answer: &mut Option<Answer>,
    ) -> Result<u16, Failure> {
        let (request, body) = request(message.bytes).ok_or_else(|| Failure::other("the request is not for HTTP/2"))?;
        if let Some(answer) = answer {
            (answer.remote, answer.tls, answer.suite) = (Some(self.remote), self.tls, self.suite);
        }
        lap.part = Part::Sending;
        let (response, mut stream) = send.send_request(request, body.is_empty()).map_err(|error| failure(&error))?;
        if !body.is_empty() {
            stream.send_data(body, true).map_err(|error| failure(&error))?;
        }
        lap.timings.sending = lap.split();
        lap.part = Part::Waiting;
        let response = tokio::select! {
            response = response => response.map_err(|error| failure(&error))?,
            () = poll_fn(|cx| deadline.poll_passed(cx)) => return Err(Failure::timeout()),
        };
        lap.timings.waiting = lap.split();
        lap.part = Part::Receiving;
        let (status, mut incoming) = (response.status().as_u16(), keep_head(response, answer));
        loop {
            let piece = tokio::select! {
                piece = incoming.data() => piece,
                () = poll_fn(|cx| deadline.poll_passed(cx)) => return Err(Failure::timeout()),
            };
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|error| failure(&error))?;
            let _ = incoming.flow_control().release_capacity(piece.len());
            if let Some(answer) = answer {
                if answer.body.len() + piece.len() > LARGEST_BODY {
                    return Err(Failure::other("the body of the answer is larger than 256 MiB"));
                }
                answer.body.extend_from_slice(&piece);
            }
        }
        lap.timings.receiving = lap.split();
        Ok(status)
    }

    /// Whose bytes go over it from here on.
    pub(crate) fn account(&self, account: (TagsId, Who)) {
        self.account.set(account);
    }
}

/// A request and its body, of one as HTTP/1.1 writes it.
fn request(bytes: &[u8]) -> Option<(Request<()>, Bytes)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = bytes[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut words = lines.next()?.split(|byte| *byte == b' ');
    let (method, path) = (words.next()?, words.next()?);
    let fields: Vec<(HeaderName, HeaderValue)> = lines
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            Some((HeaderName::from_bytes(&line[..colon]).ok()?, value))
        })
        .collect::<Option<_>>()?;
    let (_, host) = fields.iter().find(|(name, _)| name == "host")?;
    let uri = Uri::builder().scheme("https").authority(host.as_bytes()).path_and_query(path).build().ok()?;
    let mut request = Request::builder().method(method).uri(uri).body(()).ok()?;
    for (name, value) in fields.into_iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())) {
        request.headers_mut().append(name, value);
    }
    Some((request, Bytes::copy_from_slice(&bytes[end + 4..])))
}

/// Keeps the head of an answer in the form of HTTP/1.1.
fn keep_head(response: Response<RecvStream>, answer: &mut Option<Answer>) -> RecvStream {
    let (head, incoming) = response.into_parts();
    if let Some(answer) = answer {
        let reason = head.status.canonical_reason().unwrap_or_default();
        answer.head = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16()).into_bytes();
        for (name, value) in &head.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                answer.head.extend_from_slice(part);
            }
        }
        answer.head.extend_from_slice(b"\r\n");
        answer.version = Version::Http2;
        answer.sets_cookies = head.headers.contains_key(http::header::SET_COOKIE);
        answer.is_encoded = head.headers.contains_key(http::header::CONTENT_ENCODING);
    }
    incoming
}

/// Under k6's codes: those of the protocol's errors are counted on from one for each kind.
fn failure(error: &h2::Error) -> Failure {
    if let Some(io) = error.get_io() {
        return Failure::io(io);
    }
    let base = if error.is_reset() {
        1631
    } else if error.is_go_away() && error.is_remote() {
        1611
    } else {
        1651
    };
    let reason = error.reason().map_or(0, u32::from);
    let code = u16::try_from(reason).ok().filter(|reason| *reason < 14).map_or(base - 1, |reason| base + reason);
    Failure { code, text: format!("HTTP/2: {error}") }
}

/// The connection as h2 reads and writes it.
#[derive(Debug)]
struct Socket {
    connection: Connection,
    /// What is gathered, and how much of it is written.
    output: Vec<u8>,
    written: usize,
    account: Rc<Cell<(TagsId, Who)>>,
}

impl Socket {
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.output.len() {
            self.written += ready!(self.connection.stream.poll_write(cx, &self.output[self.written..]))?;
        }
        self.output.clear();
        self.written = 0;
        let flushed = self.connection.stream.poll_flush(cx);
        self.count();
        flushed
    }

    fn count(&mut self) {
        self.connection.account = self.account.get();
        self.connection.count();
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Connection { stream, buffer, .. } = &mut this.connection;
        if buffer.is_empty() {
            let read = stream.poll_read(cx, buffer);
            if read.is_pending() {
                buffer.release_if_empty();
            }
            ready!(read)?;
        }
        let length = buffer.len().min(into.remaining());
        into.put_slice(&buffer.data()[..length]);
        buffer.consume(length);
        buffer.release_if_empty();
        this.count();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.output.len() >= GATHER {
            ready!(this.poll_drain(cx))?;
        }
        this.output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        this.connection.stream.queue_close();
        this.connection.stream.poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn requests_take_the_form_of_http2() {
        let bytes =
            b"POST /a?b HTTP/1.1\r\nHost: x.y:8443\r\nConnection: close\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nhi";
        let (request, body) = request(bytes).unwrap();
        assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", "https://x.y:8443/a?b"));
        let names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!((names, &*body), (vec!["x-one", "content-length"], &b"hi"[..]));
        assert!(super::request(b"GET / HTTP/1.1\r\n\r\n").is_none(), "without a host");
    }

    #[test]
    fn errors_have_k6s_codes() {
        let reset = h2::Error::from(h2::Reason::INTERNAL_ERROR);
        assert_eq!(failure(&reset).code, 1653);
    }
}
