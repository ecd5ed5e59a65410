//! Lines of `name: value` as HTTP/2's fields: heads of answers, and trailers.
//!
//! An answer's head is written as for HTTP/1.1 but for what concerns the connection, and becomes fields here: which
//! fields pass, which are hidden or added, is decided in one place for both.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The fields of lines that were written here or have passed `wire`. A line without a colon is a status line: left out.
pub(super) fn fields(lines: &[u8]) -> HeaderMap {
    let count = memchr::memchr_iter(b'\n', lines).count();
    let mut fields = HeaderMap::with_capacity(count);
    // One copy that all values share, instead of one each.
    let shared = Bytes::copy_from_slice(lines);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', lines) {
        let line = &lines[start..end];
        if let Some(colon) = memchr::memchr(b':', line) {
            let value = line[colon + 1..].trim_ascii();
            let from = if value.is_empty() { 0 } else { value.as_ptr().addr() - lines.as_ptr().addr() };
            let value = HeaderValue::from_maybe_shared(shared.slice(from..from + value.len()));
            // What `wire` takes is within what HTTP/2 may carry, and a head has fewer fields than a map can hold.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), value) {
                let _ = fields.try_append(name, value);
            }
        }
        start = end + 1;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_fields() {
        let map = fields(b"HTTP/1.1 200 OK\r\nServer: bedloe\r\nX-A:1 \r\nx-a: 2\r\nEmpty:\r\nX-Time: 12:30\r\n");
        let fields: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: &[(&str, &[u8])] =
            &[("server", b"bedloe"), ("x-a", b"1"), ("x-a", b"2"), ("empty", b""), ("x-time", b"12:30")];
        assert_eq!(fields, expected);
    }
}
