//! A short run of mutated connections in pieces, and good ones cut at every byte.

#[path = "../examples/fuzz_streams/make.rs"]
mod make;
#[path = "../examples/fuzz_heads/mutate.rs"]
mod mutate;
#[path = "../examples/fuzz_streams/plain.rs"]
mod plain;
#[path = "../examples/fuzz_streams/streams.rs"]
mod streams;

#[test]
fn mutated_connections() {
    let accepted = make::run(40_000, 7);
    assert!((8_000..36_000).contains(&accepted), "{accepted} whole: the changes are too small or too large");
}

#[test]
fn pieces_of_every_length() {
    let requests = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\nT: 1\r\n\r\n\
        \r\nPUT / HTTP/1.1\nHost: a\nContent-Length: 3\n\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer =
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let chunks = b"0000A;x\r\n0123456789\r\n0 ;y\r\nT: 1\r\n\r\n";
    for step in 0..=200 {
        assert_eq!(streams::check_requests(requests, &[step]), 3, "{step}");
        assert!(streams::check_answer(answer, false, &[step]), "{step}");
        assert!(streams::check_chunks(chunks, &[step]), "{step}");
    }
}

#[test]
fn what_the_plain_reader_refuses() {
    for chunks in
        [&b"3\nabc\r\n"[..], b"3\r\nabcd\r\n", b"g\r\n", b"8000000000000000\r\n", b"0\r\nX : 1\r\n\r\n", b"3 x\r\n"]
    {
        assert_eq!(plain::body(wire::Framing::Chunked, chunks), Err(plain::Fault::Wrong), "{}", chunks.escape_ascii());
        assert!(!streams::check_chunks(chunks, &[0]));
    }
}
