//! One HTTP/2 stream as the way to and from a client: the request's body in, the answer out.
//!
//! The body is given on in the form that the synthesised head announced: as it is where a length was told, in chunks
//! else, with the trailers behind the last one. The answer's pieces go as far as the client's windows let them, and no
//! further: what does not fit stays with the caller, who then reads no more from the upstream.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Response, StatusCode};
use net::Buffer;
use wire::encode;

use crate::http2::head;
use crate::http2::piece::Piece;
use crate::http2::request::Content;
use crate::limits::HTTP2_COPY_BELOW;

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream {
    body: RecvStream,
    /// DATA that came and did not fit where it was wanted yet.
    held: Bytes,
    coming: Coming,
    answer: Answer,
}

/// What is still to come of the request.
#[derive(Debug)]
enum Coming {
    Nothing,
    /// So many bytes, then the stream's end.
    Counted(u64),
    Chunks,
}

/// Where the answer stands.
#[derive(Debug)]
enum Answer {
    /// Nothing of it was sent.
    Due(SendResponse<Piece>),
    /// Its head is out.
    Begun(SendStream<Piece>),
    /// All of it is out, or it was given up.
    Done,
}

/// Room that a chunk takes beside its content: up to eight digits and two line ends.
const CHUNK_OVERHEAD: usize = 12;

impl Stream {
    pub(super) fn new(body: RecvStream, respond: SendResponse<Piece>) -> Self {
        Self { body, held: Bytes::new(), coming: Coming::Nothing, answer: Answer::Due(respond) }
    }

    /// What the head announced.
    pub(super) fn expect(&mut self, content: Content) {
        self.coming = match content {
            Content::None => Coming::Nothing,
            Content::Counted(length) => Coming::Counted(length),
            Content::Open => Coming::Chunks,
        };
    }

    /// Waits for the end of a body that must be empty; an error if anything comes.
    pub(super) fn poll_nothing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(bytes) = ready!(self.body.poll_data(cx)) {
            if !bytes.map_err(io::Error::other)?.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        }
        self.coming = Coming::Nothing;
        Poll::Ready(Ok(()))
    }

    /// Reads on in the request's body. An error is a stream that was reset, by the client or for its faults.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut Buffer) -> Poll<io::Result<usize>> {
        match self.coming {
            Coming::Nothing => Poll::Ready(Ok(0)),
            Coming::Counted(left) => self.poll_counted(cx, into, left),
            Coming::Chunks => self.poll_chunk(cx, into),
        }
    }

    /// The last bytes are held back until the stream has ended: an upstream must not have the whole of a request that
    /// goes on (RFC 9113 8.1.1), and h2 resets the stream if it does.
    fn poll_counted(&mut self, cx: &mut Context<'_>, into: &mut Buffer, left: u64) -> Poll<io::Result<usize>> {
        loop {
            if self.held.is_empty() {
                match ready!(self.body.poll_data(cx)) {
                    Some(bytes) => self.held = bytes.map_err(io::Error::other)?,
                    None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                }
            } else if self.held.len() as u64 >= left && !self.body.is_end_stream() {
                match ready!(self.body.poll_data(cx)) {
                    Some(Ok(more)) if more.is_empty() => {}
                    None => break,
                    Some(_) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                }
            } else {
                break;
            }
        }
        let n = into.append(&self.held);
        self.taken(n)?;
        self.coming = if n as u64 >= left { Coming::Nothing } else { Coming::Counted(left - n as u64) };
        Poll::Ready(Ok(n))
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, into: &mut Buffer) -> Poll<io::Result<usize>> {
        while self.held.is_empty() {
            match ready!(self.body.poll_data(cx)) {
                Some(bytes) => self.held = bytes.map_err(io::Error::other)?,
                None => return self.poll_last_chunk(cx, into),
            }
        }
        let room = into.reserve(2 * CHUNK_OVERHEAD).map_or(0, |room| room.len() - CHUNK_OVERHEAD);
        let n = self.held.len().min(room);
        let mut start = Vec::with_capacity(CHUNK_OVERHEAD);
        encode::chunk_start(&mut start, n as u64);
        let before = into.len();
        into.append(&start);
        into.append(&self.held[..n]);
        into.append(encode::CHUNK_END);
        self.taken(n)?;
        Poll::Ready(Ok(into.len() - before))
    }

    fn poll_last_chunk(&mut self, cx: &mut Context<'_>, into: &mut Buffer) -> Poll<io::Result<usize>> {
        let trailers = ready!(self.body.poll_trailers(cx)).map_err(io::Error::other)?;
        let mut end = encode::LAST_CHUNK_BEFORE_TRAILERS.to_vec();
        for (name, value) in trailers.iter().flatten() {
            encode::field(&mut end, name.as_str().as_bytes(), value.as_bytes());
        }
        end.extend_from_slice(encode::HEAD_END);
        let Some(room) = into.reserve(end.len()) else { return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into())) };
        room[..end.len()].copy_from_slice(&end);
        into.filled(end.len());
        self.coming = Coming::Nothing;
        Poll::Ready(Ok(end.len()))
    }

    /// Bytes are with whoever wanted them: the client may send as many more.
    fn taken(&mut self, n: usize) -> io::Result<()> {
        self.held.advance(n);
        self.body.flow_control().release_capacity(n).map_err(io::Error::other)
    }

    /// Sends `100 Continue`.
    pub(crate) fn send_continue(&mut self) -> io::Result<()> {
        let Answer::Due(respond) = &mut self.answer else { return Ok(()) };
        let mut interim = Response::new(());
        *interim.status_mut() = StatusCode::CONTINUE;
        respond.send_informational(interim).map_err(io::Error::other)
    }

    /// Sends the answer's head, written as lines; `is_all` when nothing follows. Returns how much it is at the most: h2
    /// does not tell what it makes of it. If the stream was reset, what is sent next fails.
    pub(crate) fn send_head(&mut self, status: u16, lines: &[u8], is_all: bool) -> u64 {
        if let Answer::Due(respond) = &mut self.answer {
            let mut head = Response::new(());
            *head.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            *head.headers_mut() = head::fields(lines);
            let begun = respond.send_response(head, is_all);
            self.answer = begun.ok().filter(|_| !is_all).map_or(Answer::Done, Answer::Begun);
        }
        lines.len() as u64
    }

    /// Sends as much of `bytes` as the client's windows let; `is_last` when nothing follows them.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8], is_last: bool) -> Poll<io::Result<usize>> {
        let n = ready!(self.poll_room(cx, bytes.len()))?;
        let piece = Piece::Copy(Bytes::copy_from_slice(&bytes[..n]));
        self.send_piece(piece, is_last && n == bytes.len())?;
        Poll::Ready(Ok(n))
    }

    /// [`Stream::poll_write`] of the first `length` bytes of a buffer, which are then gone from it. Large ones are not
    /// copied if they are all that is there.
    pub(crate) fn poll_write_front(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Buffer,
        length: usize,
        is_last: bool,
    ) -> Poll<io::Result<usize>> {
        let n = ready!(self.poll_room(cx, length))?;
        let piece = if n == from.len() && n >= HTTP2_COPY_BELOW {
            Piece::Block { buffer: std::mem::take(from), length: n }
        } else {
            let copy = Bytes::copy_from_slice(&from.data()[..n]);
            from.consume(n);
            Piece::Copy(copy)
        };
        self.send_piece(piece, is_last && n == length)?;
        Poll::Ready(Ok(n))
    }

    /// Ends the answer, with `trailers` as lines; nothing if its last piece has done so.
    pub(crate) fn send_end(&mut self, trailers: &[u8]) -> io::Result<()> {
        let Answer::Begun(stream) = &mut self.answer else { return Ok(()) };
        let sent = if trailers.is_empty() {
            stream.send_data(Piece::empty(), true)
        } else {
            stream.send_trailers(head::fields(trailers))
        };
        self.answer = Answer::Done;
        sent.map_err(io::Error::other)
    }

    /// Whether the client reset the stream or is gone.
    pub(crate) fn is_gone(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.answer {
            Answer::Due(respond) => respond.poll_reset(cx).is_ready(),
            Answer::Begun(stream) => stream.poll_reset(cx).is_ready(),
            Answer::Done => false,
        }
    }

    /// Whether the client has sent all of its request: if not, h2 tells it to stop when this is dropped.
    pub(super) fn is_body_read(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Gives up an answer that is not all out.
    pub(crate) fn give_up(&mut self) {
        match &mut self.answer {
            Answer::Due(respond) => respond.send_reset(Reason::CANCEL),
            Answer::Begun(stream) => stream.send_reset(Reason::INTERNAL_ERROR),
            Answer::Done => {}
        }
        self.answer = Answer::Done;
    }

    /// How much of `wanted` the client's windows let out now; at least one byte, or none is wanted.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        let Answer::Begun(stream) = &mut self.answer else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        stream.reserve_capacity(wanted);
        loop {
            let room = stream.capacity();
            if room > 0 || wanted == 0 {
                return Poll::Ready(Ok(room.min(wanted)));
            }
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }

    fn send_piece(&mut self, piece: Piece, is_last: bool) -> io::Result<()> {
        let Answer::Begun(stream) = &mut self.answer else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let sent = stream.send_data(piece, is_last);
        if is_last {
            self.answer = Answer::Done;
        }
        sent.map_err(io::Error::other)
    }
}
