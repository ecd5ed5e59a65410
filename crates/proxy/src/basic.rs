//! The user's name in `Authorization: Basic`, for `$remote_user`. Whether it is right is not asked here.

/// Appends the name; false where the field is none of Basic authentication's.
pub(crate) fn append_user(field: &[u8], out: &mut Vec<u8>) -> bool {
    let Some((scheme, rest)) = field.split_at_checked(5) else { return false };
    if !scheme.eq_ignore_ascii_case(b"basic") || rest.first() != Some(&b' ') {
        return false;
    }
    let start = out.len();
    if !decode(rest.trim_ascii(), out) {
        out.truncate(start);
        return false;
    }
    // The name ends with the first colon; without one it is no name.
    match memchr::memchr(b':', &out[start..]) {
        Some(colon) => out.truncate(start + colon),
        None => {
            out.truncate(start);
            return false;
        }
    }
    out.len() > start
}

/// Decodes base64 (RFC 4648), with or without its padding.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let text = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if text.len() % 4 == 1 {
        return false;
    }
    let (mut bits, mut count) = (0_u32, 0);
    for &byte in text {
        let Some(value) = value_of(byte) else { return false };
        (bits, count) = (bits << 6 | u32::from(value), count + 6);
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
        }
    }
    true
}

fn value_of(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::append_user;

    #[test]
    fn names_are_found() {
        let table: &[(&[u8], Option<&[u8]>)] = &[
            (b"Basic YTpi", Some(b"a")),
            (b"basic  dXNlcjpwYXNzOndvcmQ=", Some(b"user")),
            (b"Basic Og==", None),
            (b"Basic YQ==", None),
            (b"Basic Y", None),
            (b"Basic ?", None),
            (b"Bearer YTpi", None),
            (b"Basic", None),
            (b"", None),
        ];
        for (field, expected) in table {
            let mut out = b"x".to_vec();
            let found = append_user(field, &mut out).then(|| out[1..].to_vec());
            assert_eq!((found.as_deref(), out[0]), (*expected, b'x'), "{}", field.escape_ascii());
        }
    }
}
