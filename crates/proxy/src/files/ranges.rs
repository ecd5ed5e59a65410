//! `Range: bytes=...` (RFC 9110 14.2), read as nginx reads it.

use std::ops::Range;

/// Ranges of one answer whatever `max_ranges` says: each is a few bytes of memory, and nobody needs so many.
const RANGES_MAX: usize = 1024;

/// What a `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ranges {
    /// All of it: there is no range, or what is written means nothing, or asks for more than there is.
    Whole,
    /// Nothing of it is there: 416.
    Outside,
    /// These parts, at least one.
    Parts(Vec<Range<u64>>),
}

/// Reads the field for content of this length.
pub(super) fn parse(value: &[u8], length: u64, most: u64) -> Ranges {
    let most = usize::try_from(most).unwrap_or(RANGES_MAX).min(RANGES_MAX);
    let unit = value.get(..6).is_some_and(|unit| unit.eq_ignore_ascii_case(b"bytes="));
    if !unit || value.len() == 6 {
        return Ranges::Whole;
    }
    let mut parts = Vec::new();
    let mut total: u64 = 0;
    for written in value[6..].split(|byte| *byte == b',') {
        let Some(range) = one(written.trim_ascii(), length) else { return Ranges::Outside };
        if range.start < range.end {
            total = total.saturating_add(range.end - range.start);
            if parts.len() == most {
                return Ranges::Whole;
            }
            parts.push(range);
        } else if range.start == 0 {
            return Ranges::Whole;
        }
    }
    match parts.is_empty() {
        true => Ranges::Outside,
        false if total > length => Ranges::Whole,
        false => Ranges::Parts(parts),
    }
}

/// `A-B`, `A-` or `-N`; an empty range where nothing of it is there, `None` where it is none.
fn one(written: &[u8], length: u64) -> Option<Range<u64>> {
    let dash = memchr::memchr(b'-', written)?;
    let (first, last) = (written[..dash].trim_ascii(), written[dash + 1..].trim_ascii());
    if first.is_empty() {
        return Some(length.saturating_sub(number(last)?)..length);
    }
    let start = number(first)?;
    let end = if last.is_empty() { length } else { number(last)?.saturating_add(1).min(length) };
    Some(start..end)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // What nginx cannot count it refuses.
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number| i64::try_from(*number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_nginx_reads_them() {
        use Ranges::{Outside, Whole};
        let parts = |ranges: &[(u64, u64)]| Ranges::Parts(ranges.iter().map(|(start, end)| *start..*end).collect());
        let table = [
            ("bytes=0-4", parts(&[(0, 5)])),
            ("bytes=5-", parts(&[(5, 10)])),
            ("bytes=-3", parts(&[(7, 10)])),
            ("bytes=8-99", parts(&[(8, 10)])),
            ("bytes=0-0, 2-3 ,-1", parts(&[(0, 1), (2, 4), (9, 10)])),
            ("Bytes=1-1", parts(&[(1, 2)])),
            ("bytes=20-30,1-1", parts(&[(1, 2)])),
            ("bytes=0-9", parts(&[(0, 10)])),
            ("bytes=0-8,0-8", Whole),
            ("bytes=1-2,3-4,5-6,7-8", Whole),
            ("bytes=-99", parts(&[(0, 10)])),
            ("bytes=10-", Outside),
            ("bytes=-0", Outside),
            ("bytes=x", Outside),
            ("bytes=5", Outside),
            ("bytes=1-x", Outside),
            ("bytes=99999999999999999999-", Outside),
            ("bytes=", Whole),
            ("lines=1-2", Whole),
            ("", Whole),
        ];
        for (value, expected) in table {
            assert_eq!(parse(value.as_bytes(), 10, 3), expected, "{value}");
        }
        assert_eq!(parse(b"bytes=0-0", 0, 3), Whole);
    }
}
