//! Rows for HTTP/2, as frames: what a row is made of, and who plays it. The upstream's side is the same as everywhere.

use std::collections::VecDeque;
use std::fmt;
use std::net::TcpStream;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use super::run::{LOCATIONS, LOOK, Pace, Side, Upstream, at_both_paces};
use crate::support::balancer::{Balancer, PATIENCE};
use crate::support::frames::{DATA, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, frame};

/// The error codes of RFC 9113 7.
pub(super) const PROTOCOL_ERROR: u32 = 1;
pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
pub(super) const STREAM_CLOSED: u32 = 5;
pub(super) const FRAME_SIZE_ERROR: u32 = 6;

/// A rule and what goes over the wire when it is kept. The client has sent its preface and settings already.
#[derive(Debug)]
pub(super) struct Row {
    /// The section of the RFC, and the rule in a few words.
    pub(super) rule: &'static str,
    pub(super) moves: Vec<Move>,
}

/// One step on either side.
#[derive(Clone)]
pub(super) enum Move {
    /// The client sends these frames.
    Sends(Vec<u8>),
    /// A new connection to the upstream brings this.
    Sees(Vec<u8>),
    /// The upstream sends this over that connection.
    Answers(Vec<u8>),
    /// The upstream closes that connection.
    Hangs,
    /// The client gets this, settings and windows aside.
    Gets(Got),
    /// The client gets a page of this status on stream 1, with which the stream ends.
    Page(u16),
}

/// What the client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Got {
    /// HEADERS with a status: of which stream, and whether it ends with them.
    Head(u32, u16, bool),
    /// HEADERS without one.
    Trailers(u32),
    Data(u32, Vec<u8>, bool),
    Reset(u32, u32),
    /// The connection's end: its code, and the close.
    GoAway(u32),
    Pong([u8; 8]),
    /// A frame that nobody waits for.
    Other(u8),
    /// The close without a word.
    Closed,
}

impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sends(bytes) => write!(f, "the client sends {}", bytes.escape_ascii()),
            Self::Sees(bytes) => write!(f, "the upstream sees {}", bytes.escape_ascii()),
            Self::Answers(bytes) => write!(f, "the upstream answers {}", bytes.escape_ascii()),
            Self::Hangs => f.write_str("the upstream closes"),
            Self::Gets(got) => write!(f, "the client gets {got:?}"),
            Self::Page(status) => write!(f, "the client gets a page {status}"),
        }
    }
}

/// Plays each row twice, and fails with all the rows that were not kept.
pub(super) fn play(rows: &[Row]) {
    let upstream = Upstream::start();
    let http = LOCATIONS.replace("UPSTREAM", &upstream.address.to_string()).replace("LISTEN;", "LISTEN http2;");
    let balancer = Balancer::start(&http);
    at_both_paces(rows, |row| row.rule, |row, pace| Course::new(&balancer, &upstream, pace).run(row));
}

/// A row being played.
struct Course<'a> {
    upstream: &'a Upstream,
    pace: Pace,
    client: Client,
    links: Vec<Side>,
}

impl<'a> Course<'a> {
    fn new(balancer: &Balancer, upstream: &'a Upstream, pace: Pace) -> Self {
        let side = Side::new(TcpStream::connect(balancer.address()).expect("the balancer accepts"));
        Self { upstream, pace, client: Client { side, came: VecDeque::new() }, links: Vec::new() }
    }

    fn run(mut self, row: &Row) -> Result<(), String> {
        self.client.side.send(PREFACE, self.pace);
        // Heads come without references to earlier ones: HEADER_TABLE_SIZE is 0.
        self.client.side.send(&frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]), self.pace);
        let played = row.moves.iter().try_for_each(|step| self.step(step).map_err(|what| format!("{step:?}: {what}")));
        let ended = if played.is_ok() { self.end(row) } else { Ok(()) };
        drop((self.client, self.links));
        while self.upstream.accepted.try_recv().is_ok() {}
        played.and(ended)
    }

    fn step(&mut self, step: &Move) -> Result<(), String> {
        match step {
            Move::Sends(bytes) => self.client.side.send(bytes, self.pace),
            Move::Sees(bytes) => {
                let mut link = self.accept()?;
                let seen = link.expect(bytes, None);
                self.links.push(link);
                return seen;
            }
            Move::Answers(bytes) => self.link()?.send(bytes, Pace::Whole),
            Move::Hangs => self.link()?.finish(),
            Move::Gets(expected) => return self.get(expected),
            Move::Page(status) => {
                self.get(&Got::Head(1, *status, false))?;
                let mut page = self.client.next()?;
                while matches!(page, Got::Data(1, _, false)) {
                    page = self.client.next()?;
                }
                return if matches!(page, Got::Data(1, _, true)) { Ok(()) } else { Err(format!("got {page:?}")) };
            }
        }
        Ok(())
    }

    fn get(&mut self, expected: &Got) -> Result<(), String> {
        let got = self.client.next()?;
        if got == *expected { Ok(()) } else { Err(format!("got {got:?}")) }
    }

    /// Nothing may come that the row does not speak of: a PING behind all is answered next, or the close comes.
    fn end(&mut self, row: &Row) -> Result<(), String> {
        let last = match row.moves.last() {
            Some(Move::Gets(Got::Closed)) => None,
            Some(Move::Gets(Got::GoAway(_))) => Some(Got::Closed),
            _ => {
                self.client.side.send(&frame(PING, 0, 0, b"the last"), Pace::Whole);
                Some(Got::Pong(*b"the last"))
            }
        };
        if let Some(expected) = last {
            self.get(&expected).map_err(|what| format!("more for the client than expected: {what}"))?;
        }
        for link in &mut self.links {
            link.finish();
            link.expect_end().map_err(|what| format!("more for the upstream than expected: {what}"))?;
        }
        match self.upstream.accepted.try_recv() {
            Ok(stream) => Err(format!("one more request went to the upstream: {:?}", Side::new(stream).now())),
            Err(_) => Ok(()),
        }
    }

    fn link(&mut self) -> Result<&mut Side, String> {
        self.links.last_mut().ok_or_else(|| "the upstream has no connection".to_owned())
    }

    /// The next connection to the upstream, unless the client gets something first.
    fn accept(&mut self) -> Result<Side, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.upstream.accepted.recv_timeout(LOOK) {
                Ok(stream) => return Ok(Side::new(stream)),
                Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
                Err(error) => return Err(format!("no connection to the upstream: {error}")),
            }
            self.client.look();
            if let Some(got) = self.client.came.front() {
                return Err(format!("the client got something before the upstream did: {got:?}"));
            }
        }
    }
}

/// The client's end, which reads frames.
struct Client {
    side: Side,
    came: VecDeque<Got>,
}

impl Client {
    fn next(&mut self) -> Result<Got, String> {
        loop {
            self.read_frames();
            if let Some(got) = self.came.pop_front() {
                return Ok(got);
            }
            if self.side.is_ended {
                return Ok(Got::Closed);
            }
            self.side.more()?;
        }
    }

    /// Takes what has come, without waiting for it.
    fn look(&mut self) {
        while self.side.peek().is_some_and(|piece| !piece.is_empty()) && self.side.more().is_ok() {}
        self.read_frames();
    }

    fn read_frames(&mut self) {
        let bytes = &mut self.side.got;
        while let Some((head, rest)) = bytes.split_first_chunk::<9>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some(payload) = rest.get(..length) else { return };
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            self.came.extend(got(head[3], head[4], stream, payload));
            bytes.drain(..9 + length);
        }
    }
}

/// What a frame says; nothing of settings and windows.
fn got(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Option<Got> {
    const WINDOW_UPDATE: u8 = 8;
    let number = |from: usize| u32::from_be_bytes(payload[from..from + 4].try_into().expect("four bytes"));
    let ends = flags & END_STREAM != 0;
    match kind {
        SETTINGS | WINDOW_UPDATE => None,
        HEADERS => Some(status(payload).map_or(Got::Trailers(stream), |status| Got::Head(stream, status, ends))),
        DATA => Some(Got::Data(stream, payload.to_vec(), ends)),
        RST_STREAM => Some(Got::Reset(stream, number(0))),
        GOAWAY => Some(Got::GoAway(number(4))),
        PING => Some(Got::Pong(payload.try_into().expect("eight bytes"))),
        _ => Some(Got::Other(kind)),
    }
}

/// The status at the front of a block of fields: one that HPACK has a number for, or three digits.
fn status(mut block: &[u8]) -> Option<u16> {
    while let [0x20..=0x3f, rest @ ..] = block {
        block = rest;
    }
    match block {
        [index @ 0x88..=0x8e, ..] => Some([200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)]),
        [0x08 | 0x18 | 0x48, 3, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
        [0x08 | 0x18 | 0x48, length @ 0x82..=0xff, packed @ ..] => digits(packed.get(..usize::from(length & 0x7f))?),
        _ => None,
    }
}

/// Three digits in the code of RFC 7541 B, which has five bits for 0, 1 and 2, and six for the others.
fn digits(packed: &[u8]) -> Option<u16> {
    let bits: Vec<u16> =
        packed.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1))).collect();
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let take = |count: usize| Some(bits.get(at..at + count)?.iter().fold(0, |all, bit| all << 1 | bit));
        let (digit, length) = match take(5)? {
            short @ 0..=2 => (short, 5),
            _ => (take(6)?.checked_sub(0x19)? + 3, 6),
        };
        (number, at) = (number * 10 + digit, at + length);
    }
    Some(number)
}
