//! Answers compressed on their way to the client: whether one is, and the bytes.
//!
//! A compressor takes some 260 KiB while an answer is under way; a thread keeps a few for the next ones. What was put
//! in leaves at the latest when there is no more at hand, so that a server's events arrive one by one.

use std::cell::RefCell;
use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};
use route::{Asking, Content, Gzip, Recoder, Recoding};
use wire::{Known, Version, encode, find};

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::gunzip::Unpacker;
use crate::limits::GZIPS_KEPT;
use crate::request::Routed;

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// It goes as it is.
    Plain,
    /// It goes as it is, to this client.
    Varying,
    Gzip,
    /// It comes packed, and goes unpacked.
    Gunzip,
    /// It goes in another charset.
    Recoded,
    /// The same, to this client.
    RecodedVarying,
}

impl Coding {
    /// Whether the bytes are others than those of whoever answers.
    pub(crate) fn is_recoded(self) -> bool {
        !matches!(self, Self::Plain | Self::Varying)
    }

    /// The same for an answer that is converted, where it is.
    pub(crate) fn with_recoding(self, is_converted: bool) -> Self {
        match self {
            Self::Plain if is_converted => Self::Recoded,
            Self::Varying if is_converted => Self::RecodedVarying,
            other => other,
        }
    }
}

/// The bytes of one answer.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// With the level that it was made for.
    compress: Option<(u32, Compress)>,
    /// What unpacks, where that is what is wanted.
    unpack: Option<Unpacker>,
    /// What converts, in between.
    recode: Option<Recoder>,
    is_chunked: bool,
    /// Content went in that may not have come out.
    is_held: bool,
    is_ended: bool,
    out: Vec<u8>,
}

/// log2 of the window, and the sign that the format is gzip's.
const WINDOW_BITS: u8 = 15;
/// What a step of the compressor may write.
const STEP: usize = 16 * 1024;

thread_local! {
    static KEPT: RefCell<Vec<(u32, Compress)>> = const { RefCell::new(Vec::new()) };
}

/// Decides on an answer by what it is; `content` is asked for only where something may be compressed.
pub(crate) fn judge<'c>(
    connection: &Downstream,
    exchange: &Exchange,
    routed: &Routed<'_>,
    content: impl FnOnce() -> Content<'c>,
) -> Coding {
    let Some(rule) = routed.finish.gzip.as_ref().filter(|rule| rule.is_on) else { return Coding::Plain };
    let content = content();
    if !rule.is_for(&content) {
        Coding::Plain
    } else if is_taken(connection, exchange, routed, rule, &content) {
        Coding::Gzip
    } else {
        Coding::Varying
    }
}

/// Decides on an answer that comes packed.
pub(crate) fn judge_packed(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>) -> Coding {
    match &routed.finish.gzip {
        Some(rule) if rule.unpacks => {
            let is_taken = is_taken(connection, exchange, routed, rule, &Content::default());
            if is_taken { Coding::Varying } else { Coding::Gunzip }
        }
        _ => Coding::Plain,
    }
}

/// Whether this client takes it.
pub(crate) fn is_taken(
    connection: &Downstream,
    exchange: &Exchange,
    routed: &Routed<'_>,
    rule: &Gzip,
    content: &Content<'_>,
) -> bool {
    let (request, head) = (&exchange.request, connection.head_bytes());
    let value = |known| find(&request.fields, known).map(|field| field.value.of(head));
    let asking = Asking {
        accepts: value(Known::AcceptEncoding).unwrap_or_default(),
        agent: value(Known::UserAgent).unwrap_or_default(),
        is_proxied: value(Known::Via).is_some(),
        is_authorized: value(Known::Authorization).is_some(),
        is_http10: request.version == Version::Http10,
    };
    rule.is_taken(&asking, content, &routed.site.patterns)
}

/// Appends what tells of the coding: `Content-Encoding`, and `Vary` where that is asked for.
pub(crate) fn append_fields(routed: &Routed<'_>, coding: Coding, out: &mut Vec<u8>) {
    if coding == Coding::Gzip {
        out.extend_from_slice(b"Content-Encoding: gzip\r\n");
    }
    if !matches!(coding, Coding::Plain | Coding::Recoded) && routed.finish.gzip.as_ref().is_some_and(|rule| rule.varies)
    {
        out.extend_from_slice(b"Vary: Accept-Encoding\r\n");
    }
}

/// Whether an answer to this request whose length is not known goes in chunks.
pub(crate) fn is_chunked(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>) -> bool {
    let is_head = exchange.request.method.of(connection.head_bytes()) == b"HEAD";
    !is_head && exchange.request.version == Version::Http11 && routed.settings.chunked_transfer_encoding
}

/// Whether the end of such an answer is that of its connection.
pub(crate) fn ends_by_close(connection: &Downstream, exchange: &Exchange, routed: &Routed<'_>, coding: Coding) -> bool {
    coding.is_recoded()
        && exchange.request.version != Version::Http2
        && exchange.request.method.of(connection.head_bytes()) != b"HEAD"
        && !is_chunked(connection, exchange, routed)
}

/// A tag that says: the same, but not byte for byte.
pub(crate) fn weak(tag: &[u8]) -> Vec<u8> {
    if tag.starts_with(b"\"") { [b"W/", tag].concat() } else { tag.to_vec() }
}

impl Encoder {
    pub(crate) fn new(level: u32, is_chunked: bool) -> Self {
        let kept = KEPT.with_borrow_mut(|kept| {
            let index = kept.iter().position(|(of, _)| *of == level)?;
            Some(kept.swap_remove(index))
        });
        let new = || (level, Compress::new_gzip(Compression::new(level), WINDOW_BITS));
        Self {
            compress: Some(kept.unwrap_or_else(new)),
            unpack: None,
            recode: None,
            is_chunked,
            is_held: false,
            is_ended: false,
            out: Vec::new(),
        }
    }

    /// One that does not compress: it unpacks, or passes on what it gets.
    fn plain(unpack: Option<Unpacker>, is_chunked: bool) -> Self {
        Self { compress: None, unpack, recode: None, is_chunked, is_held: false, is_ended: false, out: Vec::new() }
    }

    /// One for what becomes of an answer, if anything does.
    pub(crate) fn of(
        rule: Option<&Gzip>,
        coding: Coding,
        recoding: Option<Arc<Recoding>>,
        is_chunked: bool,
    ) -> Option<Self> {
        let mut encoder = match (coding, rule) {
            (Coding::Gzip, Some(rule)) => Self::new(rule.level, is_chunked),
            (Coding::Gunzip, _) => Self::plain(Some(Unpacker::new()), is_chunked),
            _ if recoding.is_some() => Self::plain(None, is_chunked),
            _ => return None,
        };
        encoder.recode = recoding.map(Recoder::new);
        Some(encoder)
    }

    /// Whether what was to be unpacked was none of gzip's, or was cut off.
    pub(crate) fn is_broken(&self) -> bool {
        self.unpack.as_ref().is_some_and(Unpacker::is_broken)
    }

    /// Whether little that goes in may come out as much.
    pub(crate) fn unpacks(&self) -> bool {
        self.unpack.is_some()
    }

    /// Puts content in, and appends what comes out of it. With `end` it was the last, and `trailers` follow.
    pub(crate) fn append(&mut self, data: &[u8], end: Option<&[u8]>, out: &mut Vec<u8>) {
        let flush = if end.is_some() { FlushCompress::Finish } else { FlushCompress::None };
        self.is_held |= !data.is_empty();
        self.step(data, flush);
        self.take(out);
        if let Some(trailers) = end.filter(|_| self.is_chunked) {
            out.extend_from_slice(encode::LAST_CHUNK_BEFORE_TRAILERS);
            out.extend_from_slice(trailers);
            out.extend_from_slice(encode::HEAD_END);
        }
        self.is_ended |= end.is_some();
    }

    /// Appends what was held back; whether there was anything.
    pub(crate) fn flush(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.is_held || self.is_ended {
            return false;
        }
        self.is_held = false;
        self.step(b"", FlushCompress::Sync);
        self.take(out)
    }

    /// Bytes that were put in and that came out so far.
    pub(crate) fn totals(&self) -> (u64, u64) {
        self.compress.as_ref().map_or((0, 0), |(_, compress)| (compress.total_in(), compress.total_out()))
    }

    fn step(&mut self, data: &[u8], flush: FlushCompress) {
        let is_end = matches!(flush, FlushCompress::Finish);
        let (mut unpacked, mut recoded) = (Vec::new(), Vec::new());
        let mut rest = data;
        if let Some(unpack) = &mut self.unpack {
            unpack.append(rest, is_end, &mut unpacked);
            rest = &unpacked;
        }
        if let Some(recode) = &mut self.recode {
            recode.append(rest, is_end, &mut recoded);
            rest = &recoded;
        }
        let Some((_, compress)) = &mut self.compress else { return self.out.extend_from_slice(rest) };
        loop {
            let (before_in, before_out) = (compress.total_in(), compress.total_out());
            let start = self.out.len();
            self.out.resize(start + STEP, 0);
            // It fails for want of room alone, and there is room.
            let status = compress.compress(rest, &mut self.out[start..], flush);
            let taken = usize::try_from(compress.total_in() - before_in).unwrap_or(0);
            let made = usize::try_from(compress.total_out() - before_out).unwrap_or(0);
            self.out.truncate(start + made);
            rest = &rest[taken.min(rest.len())..];
            // A step that has filled its room may have more to say.
            let is_done = rest.is_empty() && made < STEP;
            if is_done || status.is_err() || matches!(status, Ok(flate2::Status::StreamEnd)) {
                return;
            }
        }
    }

    /// Moves what came out; whether there was anything.
    fn take(&mut self, out: &mut Vec<u8>) -> bool {
        if self.out.is_empty() {
            return false;
        }
        if self.is_chunked {
            encode::chunk_start(out, self.out.len() as u64);
        }
        out.extend_from_slice(&self.out);
        if self.is_chunked {
            out.extend_from_slice(encode::CHUNK_END);
        }
        self.out.clear();
        true
    }
}

impl Drop for Encoder {
    /// The thread keeps a few for the next ones. Not one that was left off: zlib-rs 0.6.8 forgets all at a reset but
    /// the bits that have not made a byte yet, which would then stand in the next client's answer.
    fn drop(&mut self) {
        let Some((level, mut compress)) = self.compress.take().filter(|_| self.is_ended) else { return };
        compress.reset();
        // A thread that ends drops its answers after what it keeps.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < GZIPS_KEPT {
                kept.push((level, compress));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn what_goes_in_comes_out() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for round in 0..3 {
            for size in [1, 7, 1000, 100_000, 2_000_000] {
                let mut encoder = Encoder::new(1 + round, false);
                let mut out = Vec::new();
                let mut pieces = text.chunks(size).take(500).peekable();
                let mut expected = Vec::new();
                while let Some(piece) = pieces.next() {
                    expected.extend_from_slice(piece);
                    encoder.append(piece, pieces.peek().is_none().then_some(b""), &mut out);
                }
                assert_eq!(unpacked(&out), expected, "{size}");
            }
        }
    }

    #[test]
    fn what_was_left_off_is_not_in_the_next_answer() {
        let left_off: Vec<u8> = (0..300_u32).map(|n| (n * n % 251) as u8).collect();
        for length in 1..=left_off.len() {
            let mut left = Encoder::new(1, false);
            left.append(&left_off[..length], None, &mut Vec::new());
            left.flush(&mut Vec::new());
            left.append(&left_off[..length], None, &mut Vec::new());
            drop(left);
            for flushes in [false, true] {
                let (mut encoder, mut out) = (Encoder::new(1, false), Vec::new());
                encoder.append(b"an answer", None, &mut out);
                if flushes {
                    encoder.flush(&mut out);
                }
                encoder.append(b"", Some(b""), &mut out);
                assert_eq!(unpacked(&out), b"an answer", "{length} {flushes}");
            }
        }
    }

    #[test]
    fn what_is_held_back_can_be_flushed() {
        let mut encoder = Encoder::new(1, true);
        let mut out = Vec::new();
        encoder.append(b"an event", None, &mut out);
        let before = out.len();
        assert!(encoder.flush(&mut out));
        assert!(out.len() > before);
        assert!(!encoder.flush(&mut out), "twice");
        encoder.append(b"", Some(b"X: y\r\n"), &mut out);
        assert!(out.ends_with(b"0\r\nX: y\r\n\r\n"));
    }
}
