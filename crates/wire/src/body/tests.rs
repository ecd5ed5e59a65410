//! Bodies: literal chunks, limits, and any body in any pieces.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Body, BodyError, CHUNK_EXTENSION_MAX, Piece, TRAILER_BYTES_MAX, TRAILER_FIELDS_MAX};
use crate::{Framing, encode};

/// Reads a body that comes in pieces of at most `step` bytes: content, trailers, and what was left over.
fn read(framing: Framing, bytes: &[u8], step: usize) -> Result<(Vec<u8>, Vec<u8>, usize), BodyError> {
    let mut body = Body::new(framing);
    let (mut at, mut available, mut content) = (0, 0, Vec::new());
    while !body.ended() {
        let input = &bytes[at..available];
        let piece = body.next(input)?;
        assert!(piece.consumed <= input.len() && piece.data.end <= piece.consumed && piece.ended == body.ended());
        content.extend_from_slice(&input[piece.data]);
        at += piece.consumed;
        if piece.consumed == 0 && available == bytes.len() {
            body.end_of_stream()?;
        } else if piece.consumed == 0 {
            available = (available + step).min(bytes.len());
        }
    }
    Ok((content, body.trailers().to_vec(), bytes.len() - at))
}

/// Reads chunks in pieces of every size; they must all say the same.
#[track_caller]
fn read_chunks(bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>, usize), BodyError> {
    let whole = read(Framing::Chunked, bytes, bytes.len().max(1));
    for step in 1..bytes.len().min(70) {
        assert_eq!(read(Framing::Chunked, bytes, step), whole, "{step}: {}", bytes.escape_ascii());
    }
    whole
}

#[track_caller]
fn accepted(bytes: &str, content: &str, trailers: &str, rest: usize) {
    let expected = (content.as_bytes().to_vec(), trailers.as_bytes().to_vec(), rest);
    assert_eq!(read_chunks(bytes.as_bytes()), Ok(expected), "{bytes:?}");
}

#[test]
fn counted() {
    assert!(Body::new(Framing::None).ended() && Body::new(Framing::Length(0)).ended());
    let mut body = Body::new(Framing::Length(5));
    assert_eq!(body.remaining_hint(), Some(5));
    assert_eq!(body.next(b""), Ok(Piece { consumed: 0, data: 0..0, ended: false }));
    assert_eq!(body.next(b"abc"), Ok(Piece { consumed: 3, data: 0..3, ended: false }));
    assert_eq!(body.end_of_stream(), Err(BodyError::Truncated));
    assert_eq!(body.next(b"deGET /"), Ok(Piece { consumed: 2, data: 0..2, ended: true }));
    assert_eq!(body.next(b"GET /"), Ok(Piece { consumed: 0, data: 0..0, ended: true }));
    assert_eq!((body.remaining_hint(), body.end_of_stream()), (Some(0), Ok(())));
}

#[test]
fn until_close() {
    let mut body = Body::new(Framing::UntilClose);
    assert_eq!(body.next(b"abc"), Ok(Piece { consumed: 3, data: 0..3, ended: false }));
    assert_eq!(body.remaining_hint(), None);
    assert_eq!(body.end_of_stream(), Ok(()));
    assert!(body.ended());
}

#[test]
fn chunks() {
    accepted("0\r\n\r\n", "", "", 0);
    accepted("5\r\nhello\r\n0\r\n\r\nGET /", "hello", "", 5);
    accepted("5\r\nhello\r\n00b\r\n, \r\n0\r\n\r\n1\n\r\n000\r\n\r\n", "hello, \r\n0\r\n\r\n1\n", "", 0);
    accepted("A;a=b\r\n0123456789\r\n0 \t;x=\"y z\"\r\n\r\n", "0123456789", "", 0);
    let one_call = Body::new(Framing::Chunked).next(b"5\r\nhello\r\n0\r\n\r\nGET /");
    assert_eq!(one_call, Ok(Piece { consumed: 15, data: 3..8, ended: true }));
    let two_runs = Body::new(Framing::Chunked).next(b"1\r\na\r\n1\r\nb");
    assert_eq!(two_runs, Ok(Piece { consumed: 9, data: 3..4, ended: false }));
    let largest = Body::new(Framing::Chunked).next(b"7fffffffffffffff\r\nabc");
    assert_eq!(largest, Ok(Piece { consumed: 21, data: 18..21, ended: false }));
}

#[test]
fn broken_chunks() {
    use BodyError::*;
    let long_extension = format!("1;{}\r\n", "x".repeat(CHUNK_EXTENSION_MAX + 1));
    let cases = [
        ("\r\n", ChunkSize),
        (";a\r\n", ChunkSize),
        (" 5\r\n", ChunkSize),
        ("+5\r\n", ChunkSize),
        ("-1\r\n", ChunkSize),
        ("0x5\r\n", ChunkSize),
        ("5 \r\n", ChunkSize),
        ("5 5\r\n", ChunkSize),
        ("g\r\n", ChunkSize),
        ("8000000000000000\r\n", ChunkSize),
        ("10000000000000000\r\n", ChunkSize),
        ("00000000000000001\r\n", ChunkSize),
        ("5\n", ChunkEnd),
        ("5\rh", ChunkEnd),
        ("5;a\n", ChunkEnd),
        ("5;a\rb", ChunkEnd),
        ("5;\0\r\n", ChunkExtension),
        ("5;a\x7f\r\n", ChunkExtension),
        (&long_extension, ChunkExtension),
        ("1\r\nab", ChunkEnd),
        ("1\r\na\n", ChunkEnd),
        ("1\r\na\rb", ChunkEnd),
        ("0\n\n", ChunkEnd),
        ("0\r\n\n", Trailer),
        ("0\r\n\r\r\n", ChunkEnd),
        ("", Truncated),
        ("5", Truncated),
        ("5\r\nhell", Truncated),
        ("5\r\nhello\r\n", Truncated),
        ("0\r\n", Truncated),
        ("0\r\n\r", Truncated),
        ("0\r\nX: y\r\n", Truncated),
    ];
    for (bytes, error) in cases {
        assert_eq!(read_chunks(bytes.as_bytes()), Err(error), "{bytes:?}");
    }
}

#[test]
fn trailers() {
    accepted("1\r\na\r\n0\r\nX-Sum:  abc \t\r\nY:\r\n\r\nz", "a", "X-Sum: abc\r\nY: \r\n", 1);
    let dropped = "Content-Length: 5\r\ntransfer-encoding: chunked\r\nHost: a\r\nConnection: x\r\nTE: y\r\n\
        Trailer: z\r\nSet-Cookie: a=b\r\nAuthorization: x\r\nX-Forwarded-For: 1\r\n$WSRA: 1\r\nX_Y: 1\r\n\
        Content-Type: x\r\n";
    accepted(&format!("0\r\n{dropped}Etag: 1\r\n{dropped}\r\n"), "", "Etag: 1\r\n", 0);
    for line in ["X\r", ": x\r", "X : y\r", " X: y\r", "X: y", "X: y\rz\r", "X: \0\r", "X\u{e9}: y\r"] {
        assert_eq!(read_chunks(format!("0\r\n{line}\n\r\n").as_bytes()), Err(BodyError::Trailer), "{line:?}");
    }
}

#[test]
fn limits_of_trailers() {
    let fields = |count| format!("0\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert!(read_chunks(fields(TRAILER_FIELDS_MAX).as_bytes()).is_ok());
    assert_eq!(read_chunks(fields(TRAILER_FIELDS_MAX + 1).as_bytes()), Err(BodyError::Trailer));
    let of_bytes = |count: usize| format!("0\r\nHost: {}\r\n\r\n", "y".repeat(count - "Host: \r\n".len()));
    assert!(read_chunks(of_bytes(TRAILER_BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(read_chunks(of_bytes(TRAILER_BYTES_MAX + 1).as_bytes()), Err(BodyError::Trailer));
}

proptest! {
    #[test]
    fn what_is_encoded_is_read(
        chunks in vec(vec(any::<u8>(), 1..300), 0..8),
        rest in vec(any::<u8>(), 0..9),
        step in 1..400_usize,
    ) {
        let mut bytes = Vec::new();
        for chunk in &chunks {
            encode::chunk_start(&mut bytes, chunk.len() as u64);
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(encode::CHUNK_END);
        }
        bytes.extend_from_slice(encode::LAST_CHUNK);
        bytes.extend_from_slice(&rest);
        prop_assert_eq!(read(Framing::Chunked, &bytes, step), Ok((chunks.concat(), Vec::new(), rest.len())));
    }

    #[test]
    fn any_bytes_in_any_pieces(bytes in "[0-9a-f;:x \r\n\t]{0,40}", step in 1..40_usize) {
        let whole = read(Framing::Chunked, bytes.as_bytes(), 100);
        prop_assert_eq!(read(Framing::Chunked, bytes.as_bytes(), step), whole);
    }
}
