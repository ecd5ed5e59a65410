//! A short run of the mutation fuzzer, and every message of it that matters split at every byte.

#[path = "../examples/fuzz_heads/checks.rs"]
mod checks;
#[path = "../examples/fuzz_heads/heads.rs"]
mod heads;
#[path = "../examples/fuzz_heads/mutate.rs"]
mod mutate;

#[test]
fn mutated_messages() {
    let accepted = heads::run(40_000, 7);
    assert!((4_000..36_000).contains(&accepted), "{accepted} accepted: the changes are too small or too large");
}

#[test]
fn split_at_every_byte() {
    let requests: [&[u8]; 4] = [
        b"\r\nGET http://b:1/x?y HTTP/1.1\nHost: a\r\nX-A:\r\nConnection: x-a, close\r\n\r\nGET /",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: \xc3\xa9 \r\n\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z: 1\r\n\r\n",
    ];
    for (number, bytes) in requests.into_iter().enumerate() {
        for split in 0..=bytes.len() {
            assert_eq!(checks::check_request(bytes, split), number < 2);
        }
    }
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 5\nSet-Cookie: a=b; Path=/\r\n\r\nhello";
    for split in 0..=response.len() {
        assert!(checks::check_response(response, split));
    }
}
