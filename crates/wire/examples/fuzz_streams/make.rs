//! Makes connections' bytes out of good messages by small changes, from a seed, and has them checked.

use super::mutate::{Random, mutate};
use super::streams::{check_answer, check_chunks, check_requests};

const REQUESTS: &[&[u8]] = &[
    b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"PUT /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
    b"\r\nGET /e HTTP/1.0\nConnection: keep-alive\n\n",
    b"POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\nxx",
    b"DELETE /g HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
];
const ANSWERS: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a\r\n!\r\n0\r\nT: 1\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nup to the end",
    b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
];
const CHUNKS: &[&[u8]] = &[
    b"5\r\nhello\r\n10;a=b\r\n0123456789abcdef\r\n0\r\n\r\n",
    b"1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nETag: \"x\"\r\n\r\nGET / HTTP/1.1\r\n",
    b"00000000000000001 \t;x=\"y z\"\r\na\r\n000\r\nT:\r\nU: \t v \t\r\n\r\n",
    // Two extensions that only together are too long.
    b"1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n\
      1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nb\r\n0\r\n\r\n",
    b"3\r\n\r\n0\r\n2\r\n\r\n\r\n0\r\n\r\n",
];
/// Messages of one kind on a connection, at most.
const MESSAGES_MAX: usize = 4;

/// Checks that many connections; how many of them had a message that was whole.
pub(crate) fn run(count: u64, seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let (mut bytes, mut steps) = (Vec::new(), Vec::new());
    let mut accepted = 0;
    for number in 0..count {
        let (seeds, messages) = match number % 4 {
            0 | 1 => (REQUESTS, 1 + random.below(MESSAGES_MAX)),
            2 => (ANSWERS, 1),
            _ => (CHUNKS, 1),
        };
        bytes.clear();
        for _ in 0..messages {
            bytes.extend_from_slice(seeds[random.below(seeds.len())]);
        }
        for _ in 0..random.below(4) {
            mutate(&mut bytes, seeds, &mut random);
        }
        let longest = [1, 4, 16, 64][random.below(4)];
        steps.clear();
        steps.extend((0..1 + random.below(5)).map(|_| random.below(longest) as u8));
        accepted += u64::from(match number % 4 {
            0 | 1 => check_requests(&bytes, &steps) > 0,
            2 => check_answer(&bytes, random.below(8) == 0, &steps),
            _ => check_chunks(&bytes, &steps),
        });
    }
    accepted
}
