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
