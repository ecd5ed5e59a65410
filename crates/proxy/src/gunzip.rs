//! Answers that are unpacked on their way (`gunzip`): the bytes of one.

use flate2::{Decompress, FlushDecompress, Status};

/// log2 of the window, and the sign that the format is gzip's.
const WINDOW_BITS: u8 = 15;
/// What a step may make.
const STEP: usize = 16 * 1024;

/// What unpacks an answer.
#[derive(Debug)]
pub(crate) struct Unpacker {
    inner: Decompress,
    /// Something of what is packed is still to come.
    is_within: bool,
    is_broken: bool,
}

impl Unpacker {
    pub(crate) fn new() -> Self {
        Self { inner: Decompress::new_gzip(WINDOW_BITS), is_within: false, is_broken: false }
    }

    /// Puts bytes in, and appends what comes out; with `is_end` they were the last.
    pub(crate) fn append(&mut self, data: &[u8], is_end: bool, out: &mut Vec<u8>) {
        let mut rest = data;
        while !rest.is_empty() && !self.is_broken {
            self.is_within = true;
            let (before_in, before_out) = (self.inner.total_in(), self.inner.total_out());
            let start = out.len();
            out.resize(start + STEP, 0);
            let status = self.inner.decompress(rest, &mut out[start..], FlushDecompress::None);
            let taken = usize::try_from(self.inner.total_in() - before_in).unwrap_or(0);
            let made = usize::try_from(self.inner.total_out() - before_out).unwrap_or(0);
            out.truncate(start + made);
            rest = &rest[taken.min(rest.len())..];
            match status {
                // Several may stand one behind the other (RFC 1952 2.2).
                Ok(Status::StreamEnd) => {
                    self.inner = Decompress::new_gzip(WINDOW_BITS);
                    self.is_within = false;
                }
                Ok(_) if taken > 0 || made > 0 => {}
                _ => self.is_broken = true,
            }
        }
        self.drain(out);
        self.is_broken |= is_end && self.is_within;
    }

    /// What the last step had no room for.
    fn drain(&mut self, out: &mut Vec<u8>) {
        while self.is_within && !self.is_broken {
            let before = self.inner.total_out();
            let start = out.len();
            out.resize(start + STEP, 0);
            let status = self.inner.decompress(b"", &mut out[start..], FlushDecompress::None);
            let made = usize::try_from(self.inner.total_out() - before).unwrap_or(0);
            out.truncate(start + made);
            if matches!(status, Ok(Status::StreamEnd)) {
                self.inner = Decompress::new_gzip(WINDOW_BITS);
                self.is_within = false;
            }
            if made == 0 {
                return;
            }
        }
    }

    /// Whether it was none of gzip's, or was cut off.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::new(6));
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn what_was_packed_comes_out_however_it_comes() {
        let text: Vec<u8> = (0..50_000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        let zeros = vec![0; 1 << 20];
        for (whole, expected) in [
            (packed(&text), text.clone()),
            ([packed(b"one "), packed(b"two")].concat(), b"one two".to_vec()),
            (packed(&zeros), zeros.clone()),
            (packed(b""), Vec::new()),
        ] {
            for size in [1, 7, 1000, whole.len()] {
                let (mut unpacker, mut out) = (Unpacker::new(), Vec::new());
                for piece in whole.chunks(size) {
                    unpacker.append(piece, false, &mut out);
                }
                unpacker.append(b"", true, &mut out);
                assert!(!unpacker.is_broken(), "{size}");
                assert!(out == expected, "{size}: {} bytes of {}", out.len(), expected.len());
            }
        }
    }

    #[test]
    fn what_is_none_is_told() {
        let whole = packed(b"some text, and some more of it");
        for broken in [&b"plain text"[..], &whole[..whole.len() - 1], &[&whole[..], b"x"].concat()] {
            let (mut unpacker, mut out) = (Unpacker::new(), Vec::new());
            unpacker.append(broken, true, &mut out);
            assert!(unpacker.is_broken(), "{}", broken.escape_ascii());
        }
    }
}
