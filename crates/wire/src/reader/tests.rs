//! The reader beside httparse, a reader of heads that many use: what one takes, the other takes alike.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use proptest::prelude::*;

use crate::{FIELDS_MAX, Limits, RequestHead, ResponseHead, Version};

type Parts = (Vec<u8>, Vec<u8>, Version, Vec<(Vec<u8>, Vec<u8>)>, usize);

fn ours(bytes: &[u8]) -> Option<Parts> {
    let mut head = RequestHead::new();
    let length = head.parse(bytes, &Limits::default()).ok()??;
    let fields = head.fields.iter().map(|field| (field.name.of(bytes).to_vec(), field.value.of(bytes).to_vec()));
    Some((head.method.of(bytes).to_vec(), head.target.of(bytes).to_vec(), head.version, fields.collect(), length))
}

fn theirs(bytes: &[u8]) -> Option<Parts> {
    let mut slots = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut slots);
    let httparse::Status::Complete(length) = request.parse(bytes).ok()? else { return None };
    let version = if request.version == Some(0) { Version::Http10 } else { Version::Http11 };
    let fields = request.headers.iter().map(|header| (header.name.as_bytes().to_vec(), header.value.to_vec()));
    let (method, target) = (request.method.unwrap().as_bytes().to_vec(), request.path.unwrap().as_bytes().to_vec());
    Some((method, target, version, fields.collect(), length))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn requests_are_read_as_httparse_reads_them(
        method in "[A-Z!a-z]{1,9}", target in "/[ -~é]{0,20}", end in "(\r\n|\n)",
        fields in proptest::collection::vec("[A-Za-z_$-]{1,24}: {0,2}[ -~é\t]{0,40}(\r\n|\n)", 0..12),
    ) {
        let bytes = format!("{method} {target} HTTP/1.1{end}Host: a\r\n{}{end}", fields.concat()).into_bytes();
        if let Some(parts) = ours(&bytes) {
            prop_assert_eq!(theirs(&bytes), Some(parts));
        }
        for cut in 0..bytes.len() {
            prop_assert_eq!(ours(&bytes[..cut]), None);
        }
    }

    #[test]
    fn what_httparse_refuses_is_refused(
        start in "(GET /a HTTP/1.1\r\nHost: a\r\n|GET / HTTP/1.0\n|)", bytes in "[A-Za-z: \t\r\n\0\u{7f}/.,1é]{0,60}",
    ) {
        let bytes = format!("{start}{bytes}\r\n\r\n").into_bytes();
        if let Some((.., length)) = ours(&bytes) {
            let skipped = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            prop_assert!(theirs(&bytes[skipped..length]).is_some());
        }
    }

    #[test]
    fn answers_are_read_as_httparse_reads_them(
        line in "HTTP/1.[01] [1-9][0-9]{2}( [ -~]{0,20})?", bytes in "([A-Za-z_-]{1,12}:[ -~\t]{0,24}\r\n){0,6}",
    ) {
        let bytes = format!("{line}\r\n{bytes}\r\n").into_bytes();
        let mut head = ResponseHead::new();
        if let Ok(Some(length)) = head.parse(&bytes, false, &Limits::default()) {
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut slots);
            prop_assert_eq!(response.parse(&bytes), Ok(httparse::Status::Complete(length)));
            prop_assert_eq!(response.code, Some(head.status));
            prop_assert_eq!(response.reason.unwrap().as_bytes(), head.reason.of(&bytes));
            let values = response.headers.iter().map(|header| (header.name.as_bytes(), header.value));
            prop_assert!(values.eq(head.fields.iter().map(|field| (field.name.of(&bytes), field.value.of(&bytes)))));
        }
    }
}
