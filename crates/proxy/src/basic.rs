//! The user's name in `Authorization: Basic`, for `$remote_user`. Whether it is right is not asked here.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, PAD_INDIFFERENT};

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

/// Decodes base64 (RFC 4648), with or without its padding, behind what is there.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    LENIENT.decode_vec(text, out).is_ok()
}

/// As nginx reads it: bits that are left over at the end are nobody's.
static LENIENT: GeneralPurpose = GeneralPurpose::new(&STANDARD, PAD_INDIFFERENT.with_decode_allow_trailing_bits(true));

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
            (b"Basic YTo", Some(b"a")),
            (b"Basic YTp=", Some(b"a")),
            (b"Basic _zo=", None),
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
