//! Makes messages out of good ones by small changes, from a seed, and has them checked one by one.

use super::checks::{check_chunks, check_request, check_response};
use super::mutate::{Random, mutate};

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
/// Checks that many messages; how many of them were accepted.
pub(crate) fn run(count: u64, seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut message = Vec::new();
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
