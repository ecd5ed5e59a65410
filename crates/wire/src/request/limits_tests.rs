//! Limits of a head, whole and in pieces, and the use of one value for many heads.

use crate::{FIELDS_MAX, LINE_BYTES_MAX, Limits, Refusal, RequestHead};

fn parse(bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
    RequestHead::new().parse(bytes, limits)
}

/// Gives the bytes one after the other, as a slow client would.
fn trickle(bytes: &[u8], limits: &Limits) -> Result<Option<usize>, Refusal> {
    let mut head = RequestHead::new();
    for end in 1..bytes.len() {
        match head.parse(&bytes[..end], limits) {
            Ok(None) => {}
            early => return early,
        }
    }
    head.parse(bytes, limits)
}

#[track_caller]
fn check(bytes: &[u8], limits: &Limits, expected: Result<(), Refusal>) {
    let expected = expected.map(|()| Some(bytes.len()));
    assert_eq!(parse(bytes, limits), expected);
    assert_eq!(trickle(bytes, limits), expected);
}

#[test]
fn lines() {
    let limits = Limits::default();
    let line_of = |length: usize| {
        let around = "GET / HTTP/1.1\r\n".len();
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length - around))
    };
    check(line_of(LINE_BYTES_MAX).as_bytes(), &limits, Ok(()));
    check(line_of(LINE_BYTES_MAX + 1).as_bytes(), &limits, Err(Refusal::RequestLineTooLong));
    let field_of = |length: usize| {
        let around = "X: \r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(length - around))
    };
    check(field_of(LINE_BYTES_MAX).as_bytes(), &limits, Ok(()));
    check(field_of(LINE_BYTES_MAX + 1).as_bytes(), &limits, Err(Refusal::FieldTooLong));
}

#[test]
fn heads_without_an_end() {
    let limits = Limits::default();
    assert_eq!(parse(&[b'a'; LINE_BYTES_MAX], &limits), Ok(None));
    assert_eq!(parse(&[b'a'; LINE_BYTES_MAX + 1], &limits), Err(Refusal::RequestLineTooLong));
    let endless = format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X: 0123456789012345678901234567890123\r\n".repeat(2000));
    assert_eq!(parse(endless.as_bytes(), &limits), Err(Refusal::TooManyFields));
    assert_eq!(trickle(endless.as_bytes(), &limits), Err(Refusal::HeadTooLarge));
}

#[test]
fn the_head() {
    let limits = Limits { head: 100, line: 60, fields: 10 };
    let head_of = |length: usize| {
        let around = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\nY: \r\n\r\n".len();
        let (x, y) = ((length - around) / 2, (length - around).div_ceil(2));
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\nY: {}\r\n\r\n", "x".repeat(x), "y".repeat(y))
    };
    check(head_of(100).as_bytes(), &limits, Ok(()));
    check(head_of(101).as_bytes(), &limits, Err(Refusal::HeadTooLarge));
}

#[test]
fn the_number_of_fields() {
    let head_of = |fields: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(fields - 1));
    let ten = Limits { fields: 10, ..Limits::default() };
    check(head_of(10).as_bytes(), &ten, Ok(()));
    check(head_of(11).as_bytes(), &ten, Err(Refusal::TooManyFields));
    let most = Limits::default();
    for fields in [63, 64, 65, FIELDS_MAX] {
        check(head_of(fields).as_bytes(), &most, Ok(()));
    }
    check(head_of(FIELDS_MAX + 1).as_bytes(), &most, Err(Refusal::TooManyFields));
    check(head_of(FIELDS_MAX + 1).as_bytes(), &Limits { fields: 5000, ..most }, Err(Refusal::TooManyFields));
}

#[test]
fn one_value_reads_many_heads() {
    let limits = Limits::default();
    let mut head = RequestHead::new();
    let first = b"GET /first HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    assert_eq!(head.parse(&first[..20], &limits), Ok(None));
    assert_eq!(head.parse(first, &limits), Ok(Some(first.len())));
    assert_eq!(head.fields.len(), 2);
    let room = head.fields.capacity();
    let second = b"GET / HTTP/1.1\r\nHost: b\r\n\r\nGET";
    assert_eq!(head.parse(second, &limits), Ok(Some(second.len() - 3)));
    assert_eq!((head.fields.len(), head.fields.capacity()), (1, room));
    assert_eq!(head.parse(&second[..10], &limits), Ok(None));
    head.clear();
    assert_eq!(head.parse(b"BAD\0", &limits), Err(Refusal::Method));
    assert_eq!(head.parse(first, &limits), Ok(Some(first.len())));
}

#[test]
fn nonsense_is_refused_before_its_end() {
    assert_eq!(parse(b"GET / HTTP/1.1\r\nHost : a\r\nX: y", &Limits::default()), Err(Refusal::SpaceBeforeColon));
    assert_eq!(parse(b"hello\r\n", &Limits::default()), Err(Refusal::RequestLine));
}
