//! The upstream's answer on its way to the client.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use net::{Buffer, Stream};
use route::{AnswerRule, Recoding};
use wire::{Body, BodyError, Framing, Known, Version, encode};

use crate::answer::{self, end_head};
use crate::channel::Channel;
use crate::downstream::Downstream;
use crate::dress;
use crate::exchange::Exchange;
use crate::gzip::{self, Coding, Encoder};
use crate::limits::{COALESCE, GUNZIP_PIECE};
use crate::pace::Pace;
use crate::request::Routed;
use crate::upstream::fields;
use crate::upstream::upload::append_piece;

/// An answer on its way. Memory is bounded: no more is read from the upstream than the client has taken.
#[derive(Debug)]
pub(crate) struct Relay {
    body: Body,
    is_chunked: bool,
    /// Compresses what goes to the client.
    gzip: Option<Box<Encoder>>,
    /// Whether an answer that is whole may be sent when the other tasks of the turn have run: the connection goes on.
    may_wait: bool,
    /// How much of `exchange.to_client` is written.
    written: usize,
    /// `limit_rate`.
    pace: Option<Box<Pace>>,
    /// Content at the front of the upstream's bytes that is on its way, and framing behind it.
    segment: usize,
    skip: usize,
    /// Waits for the client to take bytes, not for the upstream.
    pub(crate) waits_for_client: bool,
    /// Bytes that went to the client.
    pub(crate) sent: u64,
    /// Bytes that came from the upstream behind what came with the head.
    pub(crate) received: u64,
}

/// Why an answer ended early.
#[derive(Debug)]
pub(crate) enum RelayError {
    /// The client's connection broke, or the client went away.
    Client,
    /// The client took nothing for `send_timeout`.
    ClientTimedOut,
    /// The upstream's connection broke or closed.
    Upstream(io::Error),
    /// The answer's body is malformed or cut off.
    Malformed(BodyError),
}

impl Relay {
    /// Writes the answer's head, and what is here of its body, to `exchange.to_client`. The answer's own head lies at
    /// the front of the upstream's bytes and is gone afterwards.
    pub(crate) fn start(
        connection: &mut Downstream,
        exchange: &mut Exchange,
        routed: &Routed<'_>,
        rule: &AnswerRule,
        head_length: usize,
        pace: Option<Box<Pace>>,
    ) -> Result<(Self, bool), RelayError> {
        let is_head = exchange.request.method.of(connection.head_bytes()) == b"HEAD";
        let framing = exchange.response.framing;
        let is_touched = routed.finish.gzip.is_some() || routed.finish.charset.is_some();
        let (coding, recoding) = if is_touched { coding(connection, exchange, routed) } else { (Coding::Plain, None) };
        let has_length = matches!(framing, Framing::None | Framing::Length(_)) && (!coding.is_recoded() || is_head);
        let may_chunk = exchange.request.version == Version::Http11 && routed.settings.chunked_transfer_encoding;
        let has_body = !is_head && framing != Framing::None;
        let trailers = (has_body && !routed.finish.trailers.is_empty())
            .then(|| trailers(connection, exchange, routed))
            .flatten()
            .filter(|_| may_chunk || exchange.request.version == Version::Http2);
        let has_length = has_length && (trailers.is_none() || !may_chunk);
        let is_chunked = !has_length && may_chunk && !is_head;
        let ends_by_close = !has_length && !is_chunked;
        let keep_alive = !ends_by_close && connection.may_keep_alive(exchange, routed);
        build_head(connection, exchange, routed, rule, Shape { is_head, is_chunked, coding });
        exchange.from_upstream.consume(head_length);
        let mut body = Body::new(framing);
        if let Some(trailers) = &trailers {
            body.add_trailers(trailers);
        }
        let mut relay = Self {
            body,
            is_chunked,
            gzip: Encoder::of(routed.finish.gzip.as_ref(), coding, recoding, is_chunked)
                .filter(|_| !is_head)
                .map(Box::new),
            may_wait: keep_alive && pace.is_none(),
            pace,
            written: 0,
            segment: 0,
            skip: 0,
            waits_for_client: false,
            sent: 0,
            received: 0,
        };
        if let Channel::Http2(stream) = &mut connection.channel {
            if routed.site.keeps.sent {
                exchange.record.keep_sent(&exchange.to_client);
            }
            let head = &mut exchange.to_client;
            let is_all = relay.body.ended() && relay.body.trailers().is_empty();
            relay.sent = stream.send_head(exchange.record.status, head, is_all);
            exchange.record.head_bytes = relay.sent;
            head.clear();
            // Its content goes from where it is, without being gathered first.
            return Ok((relay, true));
        }
        end_head(&mut exchange.to_client, keep_alive, routed.settings.keepalive_header_s);
        exchange.record.head_bytes = exchange.to_client.len() as u64;
        if routed.site.keeps.sent {
            exchange.record.keep_sent(&exchange.to_client);
        }
        if relay.is_chunked && relay.gzip.is_none() && relay.body.ended() {
            append_piece(&mut exchange.to_client, b"", &relay.body, true);
        }
        while exchange.to_client.len() < COALESCE && relay.copy_piece(exchange)? {}
        Ok((relay, keep_alive))
    }

    /// Moves on as far as both sides allow; ready when the whole answer is with the client.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Channel,
        upstream: &mut Stream,
        exchange: &mut Exchange,
    ) -> Poll<Result<(), RelayError>> {
        loop {
            self.waits_for_client = true;
            ready!(self.poll_send(cx, client, exchange)).map_err(|_| RelayError::Client)?;
            if self.body.ended() {
                return client.poll_end(cx, self.body.trailers()).map_err(|_| RelayError::Client);
            }
            if self.next_piece(exchange)? {
                continue;
            }
            self.waits_for_client = false;
            // What TLS holds back of earlier pieces must not wait for the next one.
            let _ = client.poll_flush(cx).map_err(|_| RelayError::Client)?;
            exchange.from_upstream.compact();
            let read = upstream.poll_read(cx, &mut exchange.from_upstream);
            if let Some(gzip) = &mut self.gzip
                && read.is_pending()
                && gzip.flush(&mut exchange.to_client)
            {
                continue;
            }
            let n = ready!(read).map_err(RelayError::Upstream)?;
            self.received += n as u64;
            if n == 0 {
                self.body.end_of_stream().map_err(RelayError::Malformed)?;
                if let Some(gzip) = &mut self.gzip {
                    gzip.append(b"", Some(self.body.trailers()), &mut exchange.to_client);
                    unbroken(gzip)?;
                } else if self.is_chunked {
                    append_piece(&mut exchange.to_client, b"", &self.body, true);
                }
            }
        }
    }

    /// Takes what is here of a body that nobody is to get.
    pub(crate) fn put_away(&mut self, exchange: &mut Exchange) {
        exchange.to_client.clear();
        while self.body.next(exchange.from_upstream.data()).is_ok_and(|piece| {
            exchange.from_upstream.consume(piece.consumed);
            piece.consumed > 0
        }) {}
    }

    /// What followed the body.
    pub(crate) fn trailers(&self) -> &[u8] {
        self.body.trailers()
    }

    /// Bytes that gzip has got and made.
    pub(crate) fn compressed(&self) -> Option<(u64, u64)> {
        self.gzip.as_ref().filter(|gzip| !gzip.unpacks()).map(|gzip| gzip.totals())
    }

    /// Whether the upstream's answer was read to its end.
    pub(crate) fn is_read(&self) -> bool {
        self.body.ended()
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut Channel,
        exchange: &mut Exchange,
    ) -> Poll<io::Result<()>> {
        let is_whole = self.may_wait && self.written == 0 && self.segment == 0 && self.body.ended();
        if is_whole && client.write_later(&exchange.to_client) {
            self.written = exchange.to_client.len();
            self.sent += self.written as u64;
        }
        while self.written < exchange.to_client.len() {
            let most = ready!(self.poll_room(cx, exchange.to_client.len() - self.written));
            let n = ready!(client.poll_write(cx, &exchange.to_client[self.written..][..most], false))?;
            self.written += n;
            self.sent += n as u64;
        }
        exchange.to_client.clear();
        self.written = 0;
        while self.segment > 0 {
            let most = ready!(self.poll_room(cx, self.segment));
            let is_last = most == self.segment && self.body.ended() && self.body.trailers().is_empty();
            let n = ready!(client.poll_write_front(cx, &mut exchange.from_upstream, most, is_last))?;
            self.segment -= n;
            self.sent += n as u64;
        }
        exchange.from_upstream.consume(std::mem::take(&mut self.skip));
        Poll::Ready(Ok(()))
    }

    /// How much of `wanted` may be sent now.
    fn poll_room(&self, cx: &mut Context<'_>, wanted: usize) -> Poll<usize> {
        match &self.pace {
            None => Poll::Ready(wanted),
            Some(pace) => pace.poll_room(cx, self.sent, wanted),
        }
    }

    /// Whether it waits for its time rather than for anybody.
    pub(crate) fn is_paced(&self) -> bool {
        self.pace.as_ref().is_some_and(|pace| pace.room(self.sent) == 0)
    }

    /// Finds the next piece of the body among what is here: chunks are copied, plain content is left where it is.
    fn next_piece(&mut self, exchange: &mut Exchange) -> Result<bool, RelayError> {
        if self.is_chunked || self.gzip.is_some() {
            return self.copy_piece(exchange);
        }
        let piece = self.body.next(exchange.from_upstream.data()).map_err(RelayError::Malformed)?;
        exchange.from_upstream.consume(piece.data.start);
        self.segment = piece.data.len();
        self.skip = piece.consumed - piece.data.end;
        Ok(piece.consumed > 0)
    }

    fn copy_piece(&mut self, exchange: &mut Exchange) -> Result<bool, RelayError> {
        let from: &mut Buffer = &mut exchange.from_upstream;
        if self.body.ended() {
            return Ok(false);
        }
        // Little that is unpacked may become much.
        let unpacks = self.gzip.as_ref().is_some_and(|gzip| gzip.unpacks());
        let most = if unpacks { from.len().min(GUNZIP_PIECE) } else { from.len() };
        let piece = match self.body.next(&from.data()[..most]).map_err(RelayError::Malformed)? {
            piece if piece.consumed == 0 && most < from.len() => {
                self.body.next(from.data()).map_err(RelayError::Malformed)?
            }
            piece => piece,
        };
        if piece.consumed == 0 {
            return Ok(false);
        }
        let data = &from.data()[piece.data.clone()];
        match &mut self.gzip {
            None => append_piece(&mut exchange.to_client, data, &self.body, self.is_chunked),
            Some(gzip) => {
                let end = self.body.ended().then(|| self.body.trailers());
                gzip.append(data, end, &mut exchange.to_client);
                unbroken(gzip)?;
            }
        }
        from.consume(piece.consumed);
        Ok(true)
    }
}

/// An error where what a server has sent as gzip is none.
fn unbroken(gzip: &Encoder) -> Result<(), RelayError> {
    let error = || RelayError::Upstream(io::Error::other("inflate() failed: it is no gzip, or cut off"));
    if gzip.is_broken() { Err(error()) } else { Ok(()) }
}

/// The lines that follow the body (`add_trailer`); as in nginx there may be none of them in the end.
fn trailers(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> Option<Vec<u8>> {
    let mut lines = None;
    for trailer in routed.finish.trailers(exchange.record.detour.status_of(exchange.response.status)) {
        let lines: &mut Vec<u8> = lines.get_or_insert_default();
        let start = lines.len();
        lines.extend_from_slice(&trailer.prefix);
        let value = lines.len();
        answer::render(connection, exchange, routed, &trailer.value, lines);
        if lines.len() == value || encode::breaks_line(&lines[value..]) {
            lines.truncate(start);
        } else {
            lines.extend_from_slice(b"\r\n");
        }
    }
    lines
}

/// What is known of an answer before its head is written.
#[derive(Clone, Copy)]
struct Shape {
    is_head: bool,
    is_chunked: bool,
    coding: Coding,
}

/// Whether the answer at hand is compressed; if so its tag becomes a weak one.
fn coding(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>) -> (Coding, Option<Arc<Recoding>>) {
    let status = exchange.record.detour.status_of(exchange.response.status);
    let is_packed = |exchange: &Exchange| {
        let field = wire::find(&exchange.response.fields, Known::ContentEncoding);
        field.is_some_and(|field| field.value.of(exchange.from_upstream.data()).eq_ignore_ascii_case(b"gzip"))
    };
    let coding = match gzip::judge(connection, exchange, routed, || fields::content(exchange, status)) {
        Coding::Plain if is_packed(exchange) && !matches!(status, 204 | 304) => {
            gzip::judge_packed(connection, exchange, routed)
        }
        coding => coding,
    };
    let value = |exchange: &Exchange, known| {
        let field = wire::find(&exchange.response.fields, known)?;
        Some(field.value.of(exchange.from_upstream.data()).to_vec())
    };
    let is_packed = coding != Coding::Gunzip && value(exchange, Known::ContentEncoding).is_some();
    let media_type = value(exchange, Known::ContentType).filter(|_| !is_packed);
    let recoding =
        media_type.and_then(|media_type| dress::recoding(connection, exchange, routed, (status, &media_type)));
    let tag = exchange.response.fields.iter().position(|field| field.known == Known::Etag);
    if let Some(index) = tag.filter(|_| coding.is_recoded()) {
        let weak = gzip::weak(exchange.response.fields[index].value.of(exchange.from_upstream.data()));
        fields::rewrite(exchange, index, weak);
    }
    (coding.with_recoding(recoding.is_some()), recoding)
}

/// Writes the answer's head but for what concerns the connection.
fn build_head(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &AnswerRule,
    Shape { is_head, is_chunked, coding }: Shape,
) {
    let dress = if routed.finish.dresses { dress::of_answer(connection, exchange, routed) } else { Vec::new() };
    let is_dated = !dress.is_empty();
    let Exchange { response, to_client: out, from_upstream, record, kept_fields, rewritten, .. } = exchange;
    record.status = record.detour.status_of(response.status);
    out.clear();
    let head = from_upstream.data();
    fields::start(out, record.status, response, head, rule, &mut connection.thread.dates.borrow_mut());
    let mut rewritten = rewritten.iter().peekable();
    for (index, field) in response.fields.iter().enumerate() {
        let new = rewritten.next_if(|(number, _)| *number == index);
        let is_replaced = routed.finish.replaces && routed.finish.is_replaced(field.name.of(head), record.status);
        let is_replaced = is_replaced || (is_dated && matches!(field.known, Known::Expires | Known::CacheControl));
        let is_replaced = is_replaced || (coding.is_recoded() && field.known == Known::AcceptRanges);
        let is_replaced = is_replaced || (coding == Coding::Gunzip && field.known == Known::ContentEncoding);
        if !fields::passes(field, head, rule) || is_replaced {
            continue;
        }
        match new {
            None => encode::copied_field(out, head, field),
            Some((_, value)) => encode::field(out, field.name.of(head), value),
        }
    }
    out.extend_from_slice(&dress);
    gzip::append_fields(routed, coding, out);
    if !kept_fields.is_empty() {
        fields::add_kept(out, kept_fields, |known| wire::find(&response.fields, known).is_some());
    }
    let is_unmeasured = coding.is_recoded() || is_chunked;
    match if is_unmeasured { Framing::UntilClose } else { response.framing } {
        Framing::Length(length) => length_field(out, length),
        Framing::None if response.status == 204 => {}
        // The length that a HEAD or a 304 speaks of is not this answer's, but the client wants to know it.
        Framing::None if is_head || response.status == 304 => {
            if let Some(field) = wire::find(&response.fields, Known::ContentLength) {
                encode::copied_field(out, head, field);
            }
        }
        // `proxy_method HEAD` for a client that asked otherwise: it would wait for as much as the server told of.
        Framing::None => length_field(out, 0),
        Framing::Chunked | Framing::UntilClose if is_chunked => {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        Framing::Chunked | Framing::UntilClose => {}
    }
    if !routed.finish.headers.is_empty() {
        let mut out = std::mem::take(&mut exchange.to_client);
        answer::add_fields(connection, exchange, routed, exchange.record.status, &mut out);
        exchange.to_client = out;
    }
}

fn length_field(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    encode::decimal(out, length);
    out.extend_from_slice(b"\r\n");
}
