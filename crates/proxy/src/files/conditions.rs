//! Whether a request wants the file as it is now (RFC 9110 13): `If-Match`, `If-None-Match`, `If-Modified-Since`,
//! `If-Unmodified-Since`, `If-Range`, in nginx's order and with its words for what "modified" means.

use conf::tree::IfModifiedSince;
use wire::{Known, RequestHead, date, find};

/// What the conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The file is sent.
    Send,
    /// The client has it: 304.
    NotModified,
    /// It is not the one that the client means: 412.
    Failed,
}

/// A file as its conditions see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    /// Seconds since 1970.
    pub(super) modified: u64,
    /// With its quotes; empty where there is none.
    pub(super) etag: &'a [u8],
    pub(super) rule: IfModifiedSince,
}

/// Judges a request by its fields; `head` is what they lie in.
pub(super) fn judge(request: &RequestHead, head: &[u8], file: File<'_>) -> Verdict {
    let value = |known| find(&request.fields, known).map(|field| field.value.of(head));
    let since = value(Known::IfModifiedSince);
    let none_match = value(Known::IfNoneMatch);
    if value(Known::IfUnmodifiedSince).is_some_and(|at| date::parse(at).is_none_or(|at| at < file.modified)) {
        return Verdict::Failed;
    }
    if value(Known::IfMatch).is_some_and(|list| !is_listed(list, file.etag, false)) {
        return Verdict::Failed;
    }
    let is_modified = since.is_some_and(|since| is_modified(since, file));
    let is_other = none_match.is_some_and(|list| !is_listed(list, file.etag, true));
    if (since.is_none() && none_match.is_none()) || is_modified || is_other {
        return Verdict::Send;
    }
    Verdict::NotModified
}

/// Whether ranges of the file may be sent: it is the one that `If-Range` speaks of.
pub(super) fn may_be_ranged(request: &RequestHead, head: &[u8], file: File<'_>) -> bool {
    let Some(value) = find(&request.fields, Known::IfRange).map(|field| field.value.of(head)) else { return true };
    if value.len() >= 2 && value.ends_with(b"\"") {
        return value == file.etag;
    }
    date::parse(value) == Some(file.modified)
}

fn is_modified(since: &[u8], file: File<'_>) -> bool {
    match (file.rule, date::parse(since)) {
        (IfModifiedSince::Off, _) | (_, None) => true,
        (IfModifiedSince::Exact, Some(since)) => since != file.modified,
        (IfModifiedSince::Before, Some(since)) => since < file.modified,
    }
}

/// Whether a list of tags has this one, or is `*`. A weak one is the same only where that is enough.
fn is_listed(list: &[u8], etag: &[u8], weak: bool) -> bool {
    if list == b"*" {
        return true;
    }
    if etag.is_empty() {
        return false;
    }
    let bare = |tag: &'_ [u8]| -> Vec<u8> {
        let tag = tag.trim_ascii();
        tag.strip_prefix(b"W/").filter(|_| weak).unwrap_or(tag).to_vec()
    };
    list.split(|byte| *byte == b',').any(|tag| bare(tag) == bare(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    const LATER: &str = "Tue, 14 Nov 2023 22:13:21 GMT";
    const EARLIER: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
    const MODIFIED: u64 = 1_700_000_000;

    fn with<T>(
        fields: &[(&str, &str)],
        rule: IfModifiedSince,
        judge: impl Fn(&RequestHead, &[u8], File<'_>) -> T,
    ) -> T {
        let mut text = String::from("GET / HTTP/1.1\r\nHost: a\r\n");
        for (name, value) in fields {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let mut request = RequestHead::new();
        request.parse(text.as_bytes(), &wire::Limits::default()).unwrap();
        judge(&request, text.as_bytes(), File { modified: MODIFIED, etag: b"\"x-1\"", rule })
    }

    #[test]
    fn requests_have_conditions() {
        use Verdict::{Failed, NotModified, Send};
        let table: [(&[(&str, &str)], Verdict); 14] = [
            (&[], Send),
            (&[("If-Modified-Since", DATE)], NotModified),
            (&[("If-Modified-Since", LATER)], Send),
            (&[("If-Modified-Since", "x")], Send),
            (&[("If-None-Match", "\"x-1\"")], NotModified),
            (&[("If-None-Match", "\"y\", W/\"x-1\"")], NotModified),
            (&[("If-None-Match", "*")], NotModified),
            (&[("If-None-Match", "\"y\"")], Send),
            (&[("If-None-Match", "\"y\""), ("If-Modified-Since", DATE)], Send),
            (&[("If-Match", "\"x-1\"")], Send),
            (&[("If-Match", "W/\"x-1\"")], Failed),
            (&[("If-Match", "\"y\"")], Failed),
            (&[("If-Unmodified-Since", DATE)], Send),
            (&[("If-Unmodified-Since", EARLIER)], Failed),
        ];
        for (fields, expected) in table {
            assert_eq!(with(fields, IfModifiedSince::Exact, judge), expected, "{fields:?}");
        }
        let since = |rule, date| with(&[("If-Modified-Since", date)], rule, judge);
        assert_eq!(since(IfModifiedSince::Off, DATE), Send);
        assert_eq!(since(IfModifiedSince::Before, LATER), NotModified);
        assert_eq!(since(IfModifiedSince::Before, EARLIER), Send);
    }

    #[test]
    fn ranges_have_a_condition() {
        for (value, expected) in [("\"x-1\"", true), ("\"y\"", false), (DATE, true), (LATER, false), ("x", false)] {
            assert_eq!(with(&[("If-Range", value)], IfModifiedSince::Exact, may_be_ranged), expected, "{value}");
        }
    }
}
