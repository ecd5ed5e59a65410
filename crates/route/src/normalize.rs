//! The path that locations are compared with: percent-decoded, slashes merged, dot segments resolved.

/// The path is malformed: a wrong escape, a NUL, or dot segments that lead above the root. The answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPath;

/// Cuts a request target in origin form into its path and its arguments, without the `?`. A `#` and what follows it is
/// no part of either: browsers send none, and nginx drops it.
pub fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    let target = &target[..memchr::memchr(b'#', target).unwrap_or(target.len())];
    match memchr::memchr(b'?', target) {
        Some(mark) => (&target[..mark], &target[mark + 1..]),
        None => (target, b""),
    }
}

/// Reads the address of an internal redirect (`X-Accel-Redirect`): its normalized path goes to `path`, its arguments to
/// `args`. Both are cleared first.
///
/// # Errors
/// When the path is malformed or leads upwards, or the arguments would break a request line.
pub fn internal_target(value: &[u8], path: &mut Vec<u8>, args: &mut Vec<u8>) -> Result<(), BadPath> {
    let (raw, given) = split_target(value);
    let leads_up = raw.split(|byte| *byte == b'/').any(|segment| segment == b"..");
    if leads_up || given.iter().any(|byte| !byte.is_ascii_graphic()) {
        return Err(BadPath);
    }
    let mut scratch = Vec::new();
    path.clear();
    path.extend_from_slice(normalize(raw, true, &mut scratch)?);
    args.clear();
    args.extend_from_slice(given);
    Ok(())
}

/// Normalizes the path of a request target (without `?` and what follows), as nginx does with `merge_slashes on`
/// (`merges`) or off.
/// Returns the input itself when there is nothing to do, else the result in `scratch`, which is cleared first.
///
/// # Errors
/// When the path is malformed.
pub fn normalize<'a>(path: &'a [u8], merges: bool, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], BadPath> {
    if path.first() != Some(&b'/') {
        return Err(BadPath);
    }
    if is_normal(path) {
        return Ok(path);
    }
    scratch.clear();
    let mut rest = path;
    while let Some(byte) = next_byte(&mut rest)? {
        if byte == b'/' {
            let is_dropped = end_segment(scratch)?;
            // The slash of a dropped segment goes with it; others merge with one before them.
            if !is_dropped && (!merges || scratch.last() != Some(&b'/')) {
                scratch.push(b'/');
            }
        } else {
            scratch.push(byte);
        }
    }
    end_segment(scratch)?;
    Ok(scratch)
}

/// Whether there is nothing to do: no escape, no `#` or NUL, and neither slash nor dot behind a slash. Eight bytes at a
/// time; the first byte is a slash.
fn is_normal(path: &[u8]) -> bool {
    let (words, rest) = path.as_chunks::<8>();
    // The highest bit says whether the byte before was a slash.
    let mut slash_before = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let slashes = exactly(word, b'/');
        let special = exactly(word, b'%') | exactly(word, b'#') | exactly(word, b'\0');
        let behind_slash = slashes << 8 | slash_before >> 56;
        if special | (behind_slash & (slashes | exactly(word, b'.'))) != 0 {
            return false;
        }
        slash_before = slashes;
    }
    let mut after_slash = slash_before >> 63 != 0;
    for &byte in rest {
        match byte {
            b'%' | b'#' | b'\0' => return false,
            b'/' | b'.' if after_slash => return false,
            _ => after_slash = byte == b'/',
        }
    }
    true
}

/// The high bit of each byte that is this one.
fn exactly(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let difference = word ^ (0x0101_0101_0101_0101 * u64::from(byte));
    !(((difference & LOW) + LOW) | difference | LOW)
}

/// The next byte of the path, decoded. An escaped slash or dot counts as a plain one, as in nginx. A `#` ends the path.
fn next_byte(rest: &mut &[u8]) -> Result<Option<u8>, BadPath> {
    let byte = match **rest {
        [] | [b'#', ..] => return Ok(None),
        [b'%', high, low, ..] => {
            *rest = &rest[3..];
            hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low).ok_or(BadPath)?
        }
        [b'%', ..] => return Err(BadPath),
        [byte, ..] => {
            *rest = &rest[1..];
            byte
        }
    };
    if byte == 0 { Err(BadPath) } else { Ok(Some(byte)) }
}

/// At a segment's end: drops a `.`, and a `..` with the segment before it. Both leave the slash that came before. Says
/// whether it has.
fn end_segment(path: &mut Vec<u8>) -> Result<bool, BadPath> {
    if path.ends_with(b"/.") {
        path.pop();
        Ok(true)
    } else if path.ends_with(b"/..") {
        path.truncate(path.len() - 3);
        let parent = path.iter().rposition(|&byte| byte == b'/').ok_or(BadPath)?;
        path.truncate(parent + 1);
        Ok(true)
    } else {
        Ok(false)
    }
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    fn check(path: &str, expected: Option<&str>) {
        let mut scratch = b"left over".to_vec();
        let result = normalize(path.as_bytes(), true, &mut scratch).ok().map(<[u8]>::to_vec);
        assert_eq!(result, expected.map(|path| path.as_bytes().to_vec()), "{path}");
    }

    #[test]
    fn internal_redirects_have_a_path_and_arguments() {
        let table: [(&str, Option<(&str, &str)>); 8] = [
            ("/a", Some(("/a", ""))),
            ("/%61 b?x=%20", Some(("/a b", "x=%20"))),
            ("//a/./b", Some(("/a/b", ""))),
            ("/a/../b", None),
            ("..", None),
            ("a", None),
            ("/a?x y", None),
            ("", None),
        ];
        for (value, expected) in table {
            let (mut path, mut args) = (b"old".to_vec(), b"old".to_vec());
            let found = internal_target(value.as_bytes(), &mut path, &mut args).ok();
            let expected = expected.map(|(path, args)| (path.as_bytes().to_vec(), args.as_bytes().to_vec()));
            assert_eq!(found.map(|()| (path, args)), expected, "{value}");
        }
    }

    #[test]
    fn paths_are_normalized_as_nginx_does() {
        let table = [
            ("/", "/"),
            ("/a/b.c", "/a/b.c"),
            ("//a///b/", "/a/b/"),
            ("/a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/../b", "/b"),
            ("/a/b/../../c", "/c"),
            ("/a//../b", "/b"),
            ("/.hidden", "/.hidden"),
            ("/...", "/..."),
            ("/a/..b", "/a/..b"),
            ("/%61", "/a"),
            ("/%2e%2E/", ""),
            ("/a/%2e%2e/b", "/b"),
            ("/a%2Fb", "/a/b"),
            ("/a%2f%2fb", "/a/b"),
            ("/a%2f..%2fb", "/b"),
            ("/a%3Fb", "/a?b"),
            ("/a%23b", "/a#b"),
            ("/a#b/../..", "/a"),
            ("/100%25", "/100%"),
            ("/%252e%252e/", "/%2e%2e/"),
            ("/a+b", "/a+b"),
            ("/caf%C3%A9", "/café"),
            ("/234567//a", "/234567/a"),
            ("/23456//89", "/23456/89"),
            ("/234567/./b", "/234567/b"),
            ("/234567/8/../b", "/234567/b"),
            ("/23456789%2e", "/23456789."),
        ];
        for (path, expected) in table {
            check(path, Some(expected).filter(|path| !path.is_empty()));
        }
    }

    #[test]
    fn slashes_may_stay_as_they_are() {
        let table = [
            ("//a///b/", "//a///b/"),
            ("/a//./b", "/a//b"),
            ("/a//../b", "/a/b"),
            ("/a/./b//", "/a/b//"),
            ("/a%2f%2fb", "/a//b"),
            ("/a//..", "/a/"),
            ("/a/..//b", "//b"),
        ];
        for (path, expected) in table {
            let mut scratch = Vec::new();
            let found = normalize(path.as_bytes(), false, &mut scratch).unwrap();
            assert_eq!(String::from_utf8_lossy(found), expected, "{path}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for path in
            ["", "a", "*", "/..", "/../a", "/a/../..", "/a/../../b", "/%", "/%4", "/%zz", "/%00", "/a%2f..%2f.."]
        {
            check(path, None);
        }
    }

    #[test]
    fn a_normal_path_is_not_copied() {
        let path = b"/accounts-external/api/hello.v1/x..y";
        assert_eq!(normalize(path, true, &mut Vec::new()).unwrap().as_ptr(), path.as_ptr());
    }

    proptest! {
        #[test]
        fn results_have_no_empty_or_dot_segments(path in "/[a/.%2eEfF#]{0,24}") {
            let mut scratch = Vec::new();
            if let Ok(path) = normalize(path.as_bytes(), true, &mut scratch) {
                prop_assert_eq!(path.first(), Some(&b'/'));
                let segments: Vec<_> = path[1..].split(|&byte| byte == b'/').collect();
                let (last, before) = segments.split_last().unwrap();
                prop_assert!(*last != b"." && *last != b"..");
                prop_assert!(before.iter().all(|segment| !segment.is_empty() && *segment != b"." && *segment != b".."));
            }
        }

        #[test]
        fn arbitrary_bytes_end(path in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = normalize(&path, true, &mut Vec::new());
        }
    }
}
