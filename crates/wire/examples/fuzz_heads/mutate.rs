//! Makes messages out of good ones by small changes, from a seed.

use super::checks::{check_chunks, check_request, check_response};

/// Good messages, each with something that a parser decides on.
const REQUESTS: &[&[u8]] = &[
    b"GET /accounts-external/api/hello HTTP/1.1\r\nHost: lab.example:8443\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
    b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nCookie: JSESSIONID=0000abc:s1\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"GET http://user.example:80/p?q HTTP/1.1\r\nHost: other\r\nConnection: close, X-A\r\nX-A: 1\r\n\r\n",
    b"\r\nOPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTE: trailers\r\n\r\n",
    b"GET / HTTP/1.0\nConnection: keep-alive\nX-Empty:\n$WSRA: 1\nX_Y: \t z \n\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nProxy-Connection: keep-alive\r\n\r\n",
];
const RESPONSES: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nDate: x\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 503\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\nEtag: \"x\"\nSet-Cookie: JSESSIONID=0000abc:s1; Path=/; HttpOnly\n\n",
];
const CHUNKS: &[&[u8]] = &[
    b"5\r\nhello\r\n10;a=b\r\n0123456789abcdef\r\n0\r\n\r\n",
    b"1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\nGET / HTTP/1.1\r\n",
];
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

/// Checks that many messages; how many of them were accepted.
pub(crate) fn run(count: u64, seed: u64) -> u64 {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut message = Vec::with_capacity(2 * MESSAGE_BYTES_MAX);
    let mut accepted = 0;
    for number in 0..count {
        let (seeds, check): (_, fn(&[u8], usize) -> bool) = match number % 8 {
            0..=3 => (REQUESTS, check_request),
            4..=6 => (RESPONSES, check_response),
            _ => (CHUNKS, check_chunks),
        };
        message.clear();
        message.extend_from_slice(seeds[random.below(seeds.len())]);
        for _ in 0..random.below(4) {
            mutate(&mut message, seeds, &mut random);
        }
        let split = random.below(message.len() + 1);
        accepted += u64::from(check(&message, split));
    }
    accepted
}

fn mutate(message: &mut Vec<u8>, seeds: &[&[u8]], random: &mut Random) {
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
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as usize * bound) >> 32
    }
}
