//! Lines of heads and trailers that are kept for variables: what was sent to the client, what the last upstream server
//! answered. Kept only where a configuration has such a variable ([`route::Keeps`]).

/// Lines of one request; all of it keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The head that the client was sent, as far as it goes.
    pub(crate) sent: Vec<u8>,
    /// The head of the last upstream server's answer.
    pub(crate) upstream: Vec<u8>,
    /// What followed the body.
    pub(crate) trailers: Vec<u8>,
    /// The request's body.
    pub(crate) body: Vec<u8>,
}

impl Lines {
    pub(crate) fn clear(&mut self) {
        let Self { sent, upstream, trailers, body } = self;
        [sent, upstream, trailers].into_iter().for_each(Vec::clear);
        // Bodies can be large, and their memory is not kept.
        *body = Vec::new();
    }
}

/// Puts other lines in the place of those that were kept.
pub(crate) fn keep(kept: &mut Vec<u8>, lines: &[u8]) {
    kept.clear();
    kept.extend_from_slice(lines);
}

/// Whether a field has the name that a variable says: hyphens of the variable stand for underscores of the field too.
pub(crate) fn is_named(field: &[u8], wanted: &str) -> bool {
    field.len() == wanted.len()
        && field
            .iter()
            .zip(wanted.as_bytes())
            .all(|(byte, wanted)| byte.to_ascii_lowercase() == *wanted || (*byte == b'_' && *wanted == b'-'))
}

/// Appends the values of a name, joined as nginx does it; false where there is none.
pub(crate) fn append(lines: &[u8], name: &str, out: &mut Vec<u8>) -> bool {
    let mut found = false;
    for value in values(lines, |field| is_named(field, name)) {
        if found {
            out.extend_from_slice(b", ");
        }
        found = true;
        out.extend_from_slice(value);
    }
    found
}

/// Appends the value of a cookie that lines set.
pub(crate) fn append_cookie(lines: &[u8], name: &str, out: &mut Vec<u8>) -> bool {
    let found = values(lines, |field| field.eq_ignore_ascii_case(b"set-cookie")).find_map(|value| {
        let pair = value.split(|byte| *byte == b';').next().unwrap_or_default();
        route::cookie(pair, name.as_bytes())
    });
    out.extend_from_slice(found.unwrap_or_default());
    found.is_some()
}

/// Values of the fields whose name is meant; a line without a colon, such as the first, is none.
fn values(lines: &[u8], is_meant: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = &[u8]> {
    lines.split(|byte| *byte == b'\n').filter_map(move |line| {
        let colon = memchr::memchr(b':', line)?;
        is_meant(&line[..colon]).then(|| line[colon + 1..].trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nX-A: b\r\nSet-Cookie: c=d; Path=/\r\nx_a:  e \r\nSet-Cookie: f=\r\n\r\n";

    fn text(append: impl Fn(&mut Vec<u8>) -> bool) -> Option<String> {
        let mut out = Vec::new();
        append(&mut out).then(|| String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn fields_and_cookies_are_found_by_name() {
        let fields = [("x-a", Some("b, e")), ("set-cookie", Some("c=d; Path=/, f=")), ("x", None), ("http/1.1", None)];
        for (name, expected) in fields {
            assert_eq!(text(|out| append(HEAD, name, out)).as_deref(), expected, "{name}");
        }
        for (name, expected) in [("c", Some("d")), ("C", Some("d")), ("f", Some("")), ("path", None)] {
            assert_eq!(text(|out| append_cookie(HEAD, name, out)).as_deref(), expected, "{name}");
        }
    }
}
