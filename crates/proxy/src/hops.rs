//! `Max-Forwards` (RFC 9110 7.6.2): how many more hops an OPTIONS may take. TRACE, which has it too, is not served.

use wire::{Field, Known, RequestHead};

/// What the field says when it goes on: one hop less. None for any other field, and where it does not count: in
/// requests of other methods, and where it is no number.
pub(crate) fn left(request: &RequestHead, head: &[u8], field: &Field) -> Option<u64> {
    if field.known == Known::MaxForwards {
        count(request, head, field).map(|hops| hops.saturating_sub(1))
    } else {
        None
    }
}

/// Whether the request may go no further than here.
pub(crate) fn are_used_up(request: &RequestHead, head: &[u8]) -> bool {
    is_counted(request, head)
        && wire::find(&request.fields, Known::MaxForwards).is_some_and(|field| count(request, head, field) == Some(0))
}

fn count(request: &RequestHead, head: &[u8], field: &Field) -> Option<u64> {
    let text = field.value.of(head);
    let is_number = is_counted(request, head) && !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    // Whoever writes more digits than fit means no limit.
    is_number.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

fn is_counted(request: &RequestHead, head: &[u8]) -> bool {
    request.method.of(head) == b"OPTIONS"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_options_count() {
        let cases = [
            ("OPTIONS", "10", Some(9), false),
            ("OPTIONS", "1", Some(0), false),
            ("OPTIONS", "0", Some(0), true),
            ("OPTIONS", "007", Some(6), false),
            ("OPTIONS", "", None, false),
            ("OPTIONS", "-1", None, false),
            ("OPTIONS", "99999999999999999999999", None, false),
            ("GET", "0", None, false),
        ];
        for (method, value, expected, used_up) in cases {
            let head = format!("{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: {value}\r\n\r\n");
            let mut request = RequestHead::new();
            assert!(request.parse(head.as_bytes(), &wire::Limits::default()).is_ok_and(|length| length.is_some()));
            let field = *wire::find(&request.fields, Known::MaxForwards).expect("it was written");
            assert_eq!(left(&request, head.as_bytes(), &field), expected, "{head}");
            assert_eq!(are_used_up(&request, head.as_bytes()), used_up, "{head}");
        }
    }
}
