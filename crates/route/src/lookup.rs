//! Finding a cookie in a Cookie field and an argument in a query, as `$cookie_NAME` and `$arg_NAME` do.

/// The value of a cookie in one Cookie field; names are compared without regard to case.
pub fn cookie<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    field.split(|&byte| byte == b';').find_map(|pair| value(pair.trim_ascii(), name)).map(<[u8]>::trim_ascii)
}

/// The value of an argument in a query (without `?`), undecoded; names are compared without regard to case.
pub fn argument<'a>(args: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    args.split(|&byte| byte == b'&').find_map(|pair| value(pair, name))
}

fn value<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = pair.split_at_checked(name.len())?;
    if found.eq_ignore_ascii_case(name) { rest.strip_prefix(b"=") } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_without_regard_to_case() {
        let field: &[u8] = b"a=1; JSESSIONID=0000abc:s1 ;xJSESSIONID=no; b=; c";
        let table: &[(&str, Option<&[u8]>)] = &[
            ("a", Some(b"1")),
            ("jsessionid", Some(b"0000abc:s1")),
            ("b", Some(b"")),
            ("c", None),
            ("A", Some(b"1")),
            ("missing", None),
        ];
        for (name, value) in table {
            assert_eq!(cookie(field, name.as_bytes()), *value, "{name}");
        }
    }

    #[test]
    fn arguments_are_found_undecoded() {
        let args: &[u8] = b"ab=1&b=2%20&B=3&empty=&flag&c=4=5";
        let table: &[(&str, Option<&[u8]>)] =
            &[("b", Some(b"2%20")), ("empty", Some(b"")), ("flag", None), ("C", Some(b"4=5")), ("a", None)];
        for (name, value) in table {
            assert_eq!(argument(args, name.as_bytes()), *value, "{name}");
        }
    }
}
