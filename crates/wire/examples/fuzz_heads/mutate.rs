//! Small changes to messages, chosen by numbers from a seed.

/// What is put in: the bytes and words that rules are about.
const WORDS: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"#",
    b"\x7f",
    b"\xff",
    b"\x0b",
    b"Content-Length: 5\r\n",
    b"Content-Length: 6\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: a\r\n",
    b"chunked",
    b"Transfer-Encoding: gzip\r\n",
    b" chunked, ",
    b"Connection: close\r\n",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"\r\n ",
    b"+",
    b"http://a",
    b"X: y\r\n",
    b"ffffffffffffffff",
    b"0\r\n\r\n",
    b"00000",
    b"100-continue",
    b"\xc3\xa9",
];
/// Bytes of the longest message: far over what one change adds, so that the work is bounded.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Changes one thing.
pub(crate) fn mutate(message: &mut Vec<u8>, seeds: &[&[u8]], random: &mut Random) {
    let at = random.below(message.len() + 1);
    let end = at + random.below((message.len() - at).min(24) + 1);
    match random.below(7) {
        0 if at < message.len() => message[at] ^= 1 << random.below(8),
        1 if at < message.len() => message[at] = random.below(256) as u8,
        2 => drop(message.drain(at..end)),
        3 => insert(message, at, seeds[random.below(seeds.len())]),
        4 => {
            let copy = message[at..end].to_vec();
            insert(message, random.below(at + 1), &copy);
        }
        5 => message.truncate(at),
        _ => insert(message, at, WORDS[random.below(WORDS.len())]),
    }
}

fn insert(message: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if message.len() + bytes.len() <= MESSAGE_BYTES_MAX {
        message.splice(at..at, bytes.iter().copied());
    }
}

/// Marsaglia's xorshift, 64 bits: repeatable, and good enough to choose changes.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize * bound) >> 32
    }
}
