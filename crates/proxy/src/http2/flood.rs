//! Floods of cheap frames: resets, pings, settings and the like, each of which costs us more than the client.
//!
//! h2 limits what a message can grow to (header list, CONTINUATION, streams), but not how often frames come that make
//! no message. So the frame headers are read along here, nine bytes each, and counted against allowances that refill
//! with time. No payload is looked at, and nothing is decided but when it is too much.

use crate::limits::{
    HTTP2_OTHER_BURST, HTTP2_OTHER_PER_S, HTTP2_PING_BURST, HTTP2_PING_PER_S, HTTP2_RESET_BURST, HTTP2_RESET_PER_S,
    HTTP2_SENT_PER_FRAME, HTTP2_SETTINGS_BURST, HTTP2_SETTINGS_PER_S,
};

/// What a client overdid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flood {
    Resets,
    Pings,
    Settings,
    Others,
}

impl Flood {
    /// For the log.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Resets => "client reset too many HTTP/2 streams: connection closed",
            Self::Pings => "client sent too many HTTP/2 PING frames: connection closed",
            Self::Settings => "client sent too many HTTP/2 SETTINGS frames: connection closed",
            Self::Others => "client sent too many HTTP/2 frames beside requests: connection closed",
        }
    }
}

/// The client's connection preface, which comes before the first frame.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const FRAME_HEAD: usize = 9;

/// Reads the frame headers of what a client sends.
#[derive(Debug)]
pub(super) struct Scanner {
    head: [u8; FRAME_HEAD],
    have: usize,
    /// Bytes of the preface, or of a payload, still to come.
    skip: usize,
    /// A head of a request has begun, and the frame with its end has not come.
    is_in_head: bool,
    /// Frames that began, but for those that go on with a head.
    begun: u64,
    resets: Allowance,
    pings: Allowance,
    settings: Allowance,
    others: Allowance,
}

/// So many at once, and so many a second.
#[derive(Debug)]
struct Allowance {
    left: u64,
    burst: u64,
    per_s: u64,
    refilled_ms: u64,
}

impl Allowance {
    fn new(burst: u64, per_s: u64, now_ms: u64) -> Self {
        Self { left: burst, burst, per_s, refilled_ms: now_ms }
    }

    fn take(&mut self, now_ms: u64) -> bool {
        if self.left == 0 {
            let refill = now_ms.saturating_sub(self.refilled_ms).saturating_mul(self.per_s) / 1_000;
            if refill > 0 {
                self.left = refill.min(self.burst);
                self.refilled_ms = now_ms;
            }
        }
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => return false,
        };
        true
    }

    fn give(&mut self, more: u64) {
        self.left = self.left.saturating_add(more).min(self.burst);
    }
}

impl Scanner {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            head: [0; FRAME_HEAD],
            have: 0,
            skip: PREFACE.len(),
            is_in_head: false,
            begun: 0,
            resets: Allowance::new(HTTP2_RESET_BURST, HTTP2_RESET_PER_S, now_ms),
            pings: Allowance::new(HTTP2_PING_BURST, HTTP2_PING_PER_S, now_ms),
            settings: Allowance::new(HTTP2_SETTINGS_BURST, HTTP2_SETTINGS_PER_S, now_ms),
            others: Allowance::new(HTTP2_OTHER_BURST, HTTP2_OTHER_PER_S, now_ms),
        }
    }

    /// Counts the frames that begin in `bytes`; `sent` is how much went to the client since the last call, for a
    /// client that takes much may say so often.
    pub(super) fn take(&mut self, mut bytes: &[u8], sent: u64, now_ms: u64) -> Result<(), Flood> {
        self.others.give(sent / HTTP2_SENT_PER_FRAME);
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let n = (FRAME_HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + n].copy_from_slice(&bytes[..n]);
            self.have += n;
            bytes = &bytes[n..];
            if self.have == FRAME_HEAD {
                self.have = 0;
                let [a, b, c, kind, flags, ..] = self.head;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.count(kind, flags, now_ms)?;
            }
        }
        Ok(())
    }

    /// Whether a request's head, or a frame other than DATA, has begun and not ended.
    pub(super) fn is_in_between(&self) -> bool {
        const DATA: u8 = 0;
        self.is_in_head || self.have > 0 || (self.skip > 0 && self.head[3] != DATA)
    }

    /// Changes when another frame or head begins: what is in between then is not what was.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    fn count(&mut self, kind: u8, flags: u8, now_ms: u64) -> Result<(), Flood> {
        const END_HEADERS: u8 = 4;
        const ACK: u8 = 1;
        const CONTINUATION: u8 = 9;
        self.begun += u64::from(kind != CONTINUATION);
        let (allowance, flood) = match kind {
            // DATA is flow-controlled, and h2 limits small frames of it.
            0 => return Ok(()),
            // HEADERS and CONTINUATION: h2 limits the length and the number.
            1 | CONTINUATION => {
                self.is_in_head = flags & END_HEADERS == 0;
                return Ok(());
            }
            3 => (&mut self.resets, Flood::Resets),
            4 if flags & ACK == 0 => (&mut self.settings, Flood::Settings),
            6 if flags & ACK == 0 => (&mut self.pings, Flood::Pings),
            _ => (&mut self.others, Flood::Others),
        };
        if allowance.take(now_ms) { Ok(()) } else { Err(flood) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        bytes.resize(FRAME_HEAD + payload, 0xff);
        bytes
    }

    fn started() -> Scanner {
        let mut scanner = Scanner::new(0);
        scanner.take(PREFACE, 0, 0).unwrap();
        scanner
    }

    #[test]
    fn each_kind_has_its_allowance_that_refills() {
        for (kind, burst, per_s, flood) in [
            (3, HTTP2_RESET_BURST, HTTP2_RESET_PER_S, Flood::Resets),
            (4, HTTP2_SETTINGS_BURST, HTTP2_SETTINGS_PER_S, Flood::Settings),
            (6, HTTP2_PING_BURST, HTTP2_PING_PER_S, Flood::Pings),
            (8, HTTP2_OTHER_BURST, HTTP2_OTHER_PER_S, Flood::Others),
            (2, HTTP2_OTHER_BURST, HTTP2_OTHER_PER_S, Flood::Others),
            (0xfa, HTTP2_OTHER_BURST, HTTP2_OTHER_PER_S, Flood::Others),
        ] {
            let mut scanner = started();
            let one = frame(kind, 0, 0);
            for _ in 0..burst {
                assert_eq!(scanner.take(&one, 0, 0), Ok(()), "{kind}");
            }
            assert_eq!(scanner.take(&one, 0, 0), Err(flood), "{kind}");
            for _ in 0..per_s.min(burst) {
                assert_eq!(scanner.take(&one, 0, 1_000), Ok(()), "{kind}");
            }
            assert_eq!(scanner.take(&one, 0, 1_000), Err(flood), "{kind}");
        }
    }

    #[test]
    fn answers_to_our_own_frames_and_messages_are_free() {
        let mut scanner = started();
        for (kind, flags) in [(0, 0), (1, 5), (9, 4)] {
            for _ in 0..2 * HTTP2_OTHER_BURST {
                scanner.take(&frame(kind, flags, 3), 0, 0).unwrap();
            }
        }
    }

    #[test]
    fn who_takes_much_may_say_so_often() {
        let mut scanner = started();
        for _ in 0..10 * HTTP2_OTHER_BURST {
            scanner.take(&frame(8, 0, 4), HTTP2_SENT_PER_FRAME, 0).unwrap();
        }
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(1, 0, 20));
        bytes.extend(frame(9, 4, 0));
        bytes.extend(frame(0, 1, 100));
        for size in [1, 2, 8, 9, 10, 31, bytes.len()] {
            let mut scanner = Scanner::new(0);
            for piece in bytes.chunks(size) {
                scanner.take(piece, 0, 0).unwrap();
            }
            assert!(!scanner.is_in_between(), "{size}");
            scanner.take(&frame(1, 0, 2), 0, 0).unwrap();
            assert!(scanner.is_in_between(), "{size}");
        }
    }
}
