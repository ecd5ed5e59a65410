//! A file on its way to the client: its head, whole or in parts, a piece at a time.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use route::Content;
use route::Recoding;
use rustix::fs::Stat;
use wire::{Known, encode, find};

use super::conditions::{self, Verdict};
use super::ranges::{self, Ranges};
use super::{append_validators, media_type, validators};
use crate::answer::{self, Answer};
use crate::downstream::{After, Downstream};
use crate::dress;
use crate::exchange::Exchange;
use crate::gzip::{self, Coding, Encoder};
use crate::limits::{FILE_PIECE, FILE_PIECES, GUNZIP_PIECE};
use crate::request::{Routed, Served};

/// How a file stands to one that lies compressed beside it (`gzip_static`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// There is none, or it is not asked for.
    Plain,
    /// There is one, which this client does not take.
    Varying,
    /// It is the compressed one.
    Packed,
}

/// What is sent of a file.
struct Plan {
    status: u16,
    media_type: Vec<u8>,
    /// Fields of the head, as lines.
    fields: Vec<u8>,
    parts: Vec<Part>,
    /// What follows the last part.
    end: Vec<u8>,
    coding: Coding,
    /// What it is converted by into another charset.
    recoding: Option<Arc<Recoding>>,
}

struct Part {
    /// What stands before it where it is one of several.
    head: Vec<u8>,
    range: Range<u64>,
}

/// Sends the file, or what of it is asked for.
pub(super) async fn send(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    file: &File,
    stat: &Stat,
    packing: Packing,
) -> Served {
    let plan = match plan(connection, exchange, routed, stat, packing) {
        Ok(plan) => plan,
        Err(status) => return Served::Status(status),
    };
    let is_framed = !gzip::ends_by_close(connection, exchange, routed, plan.coding);
    let keep_alive = connection.may_keep_alive(exchange, routed) && is_framed;
    let is_chunked = gzip::is_chunked(connection, exchange, routed);
    let encoder = Encoder::of(routed.finish.gzip.as_ref(), plan.coding, plan.recoding.clone(), is_chunked);
    let mut encoder = encoder.map(Box::new);
    let answer = Answer {
        coding: plan.coding,
        length: plan.length(),
        media_type: &plan.media_type,
        fields: &plan.fields,
        modified: u64::try_from(stat.st_mtime).ok(),
        ..Answer::new(plan.status, b"")
    };
    answer::build(connection, exchange, routed, &answer, keep_alive);
    let is_head = exchange.request.method.of(connection.head_bytes()) == b"HEAD";
    let parts = if is_head { &[][..] } else { &plan.parts };
    let written = write(connection, exchange, routed, file, (parts, &plan.end), encoder.as_deref_mut()).await;
    exchange.record.gzip = encoder.as_deref().map(Encoder::totals);
    Served::Done(match written {
        Ok(()) if keep_alive => After::KeepAlive,
        Ok(()) => After::Linger,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => connection.cut_off(routed),
        Err(error) => {
            match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    connection.log_failure(exchange, routed, "a file became shorter while it was sent", None);
                }
                io::ErrorKind::InvalidData => {
                    connection.log_failure(exchange, routed, &error.to_string(), None);
                }
                _ => {}
            }
            After::Drop
        }
    })
}

/// What the request's conditions and ranges make of the file; else the status to answer with.
fn plan(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    stat: &Stat,
    packing: Packing,
) -> Result<Plan, u16> {
    let settings = &routed.settings.files;
    let length = u64::try_from(stat.st_size).unwrap_or(0);
    let (modified, etag) = validators(stat, settings);
    let file = conditions::File { modified, etag: &etag, rule: settings.if_modified_since };
    let mut plan = Plan {
        status: exchange.record.detour.status_of(200),
        media_type: media_type(settings, &exchange.path).to_vec(),
        fields: Vec::new(),
        parts: vec![Part { head: Vec::new(), range: 0..length }],
        end: Vec::new(),
        coding: Coding::Plain,
        recoding: None,
    };
    if exchange.kept_fields.is_empty() && packing != Packing::Packed {
        plan.recoding = dress::recoding(connection, exchange, routed, (plan.status, &plan.media_type));
    }
    let (request, head) = (&exchange.request, connection.head_bytes());
    plan.coding = gzip::judge(connection, exchange, routed, || Content {
        status: plan.status,
        media_type: if exchange.kept_fields.is_empty() && packing != Packing::Packed { &plan.media_type } else { b"" },
        length: Some(length),
        has_modified: true,
        has_etag: !etag.is_empty(),
        ..Content::default()
    });
    match packing {
        Packing::Varying if plan.coding == Coding::Plain => plan.coding = Coding::Varying,
        Packing::Plain | Packing::Varying => {}
        Packing::Packed => match gzip::judge_packed(connection, exchange, routed) {
            Coding::Gunzip => plan.coding = Coding::Gunzip,
            _ => gzip::append_fields(routed, Coding::Gzip, &mut plan.fields),
        },
    }
    plan.coding = plan.coding.with_recoding(plan.recoding.is_some());
    // As in nginx, what takes the place of an error has no date, and no conditions.
    let dated = Some(modified).filter(|_| plan.status == 200);
    let verdict = dated.map_or(Verdict::Send, |_| conditions::judge(request, head, file));
    match verdict {
        Verdict::Send => {}
        Verdict::Failed => return Err(412),
        Verdict::NotModified => {
            plan.status = 304;
            plan.coding = Coding::Plain;
            plan.recoding = None;
            plan.parts.clear();
        }
    }
    let told = if plan.coding.is_recoded() { gzip::weak(&etag) } else { etag.clone() };
    append_validators(dated, &told, &mut plan.fields);
    let may_be_cut = plan.status == 200 && !plan.coding.is_recoded() && packing != Packing::Packed;
    if may_be_cut && settings.max_ranges > 0 {
        cut_to_ranges(connection, exchange, routed, file, &mut plan)?;
    }
    Ok(plan)
}

/// Leaves the parts that the request asks for; else the status to answer with.
fn cut_to_ranges(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    file: conditions::File<'_>,
    plan: &mut Plan,
) -> Result<(), u16> {
    let (request, head, length) = (&exchange.request, connection.head_bytes(), plan.length());
    let wanted = find(&request.fields, Known::Range).filter(|_| conditions::may_be_ranged(request, head, file));
    let most = routed.settings.files.max_ranges;
    match wanted.map_or(Ranges::Whole, |field| ranges::parse(field.value.of(head), length, most)) {
        Ranges::Whole => plan.fields.extend_from_slice(b"Accept-Ranges: bytes\r\n"),
        Ranges::Outside => {
            exchange.kept_fields.clear();
            exchange.kept_fields.extend_from_slice(format!("Content-Range: bytes */{length}\r\n").as_bytes());
            return Err(416);
        }
        Ranges::Parts(parts) => {
            let boundary = connection.thread.random.borrow_mut().number();
            if parts.len() > 1 && !plan.media_type.is_empty() {
                let mut media_type = plan.media_type.clone();
                dress::append_charset(connection, exchange, routed, (206, &plan.media_type), &mut media_type);
                plan.media_type = media_type;
            }
            plan.cut(parts, length, boundary);
        }
    }
    Ok(())
}

impl Plan {
    fn length(&self) -> u64 {
        let part = |part: &Part| part.head.len() as u64 + (part.range.end - part.range.start);
        self.parts.iter().map(part).sum::<u64>() + self.end.len() as u64
    }

    /// Leaves these parts of it.
    fn cut(&mut self, parts: Vec<Range<u64>>, length: u64, boundary: u64) {
        let place = |range: &Range<u64>| format!("Content-Range: bytes {}-{}/{length}\r\n", range.start, range.end - 1);
        self.status = 206;
        if let [range] = parts.as_slice() {
            self.fields.extend_from_slice(place(range).as_bytes());
            self.parts = vec![Part { head: Vec::new(), range: range.clone() }];
            return;
        }
        let mut before = format!("\r\n--{boundary:020}\r\n").into_bytes();
        if !self.media_type.is_empty() {
            encode::field(&mut before, b"Content-Type", &self.media_type);
        }
        let part = |range: Range<u64>| Part { head: [&before[..], place(&range).as_bytes(), b"\r\n"].concat(), range };
        self.parts = parts.into_iter().map(part).collect();
        self.end = format!("\r\n--{boundary:020}--\r\n").into_bytes();
        self.media_type = format!("multipart/byteranges; boundary={boundary:020}").into_bytes();
    }
}

/// Writes the head, which lies in `exchange.to_client`, and the parts behind it.
async fn write(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    file: &File,
    (parts, end): (&[Part], &[u8]),
    encoder: Option<&mut Encoder>,
) -> io::Result<()> {
    if let (Some(encoder), [part]) = (encoder, parts) {
        return write_compressed(connection, exchange, routed, file, part.range.clone(), encoder).await;
    }
    let mut pieces = 0;
    for (index, part) in parts.iter().enumerate() {
        exchange.to_client.extend_from_slice(&part.head);
        let is_last = index + 1 == parts.len();
        let mut at = part.range.start;
        while at < part.range.end {
            at += read(file, at..part.range.end, &mut exchange.to_client)?;
            if exchange.to_client.len() < FILE_PIECE {
                continue;
            }
            answer::write_some(connection, exchange, routed, is_last && end.is_empty() && at == part.range.end).await?;
            exchange.to_client.clear();
            pieces += 1;
            if pieces % FILE_PIECES == 0 {
                net::event_loop::yield_now().await;
            }
        }
    }
    if !parts.is_empty() {
        exchange.to_client.extend_from_slice(end);
    }
    answer::write(connection, exchange, routed).await
}

/// The same for a whole file that is compressed on its way.
async fn write_compressed(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    file: &File,
    range: Range<u64>,
    encoder: &mut Encoder,
) -> io::Result<()> {
    let mut at = range.start;
    let mut piece = Vec::with_capacity(FILE_PIECE);
    for pieces in 1.. {
        piece.clear();
        // Little that is unpacked may become much.
        let most = if encoder.unpacks() { range.end.min(at + GUNZIP_PIECE as u64) } else { range.end };
        at += read(file, at..most, &mut piece)?;
        let end = (at == range.end).then_some(&b""[..]);
        encoder.append(&piece, end, &mut exchange.to_client);
        if encoder.is_broken() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "inflate() failed: it is no gzip, or cut off"));
        }
        if end.is_some() {
            break;
        }
        answer::write_some(connection, exchange, routed, false).await?;
        exchange.to_client.clear();
        if pieces % FILE_PIECES == 0 {
            net::event_loop::yield_now().await;
        }
    }
    answer::write(connection, exchange, routed).await
}

/// Appends what is next of a file, as much as there is room for in a piece.
fn read(file: &File, range: Range<u64>, out: &mut Vec<u8>) -> io::Result<u64> {
    let start = out.len();
    let room = FILE_PIECE.saturating_sub(start).max(1);
    let wanted = usize::try_from(range.end - range.start).map_or(room, |left| left.min(room));
    out.resize(start + wanted, 0);
    let n = file.read_at(&mut out[start..], range.start)?;
    out.truncate(start + n);
    if n == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(n as u64) }
}
