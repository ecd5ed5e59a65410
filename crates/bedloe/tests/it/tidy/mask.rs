//! Blanks the comments and literals of a Rust source, so that rules that look for words and braces see code alone.
//! Every byte keeps its place. It is no parser: it knows where comments and literals begin and end, and nothing else.

/// The source with comments, strings and characters replaced by spaces; line breaks stay.
pub(super) fn code(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let comment = comment_length(&bytes[at..]);
        let literal = if comment == 0 { literal_length(bytes, at) } else { 0 };
        let length = comment.max(literal).max(1);
        let run = &bytes[at..at + length];
        if comment > 0 || literal > 0 {
            out.extend(run.iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
        } else {
            out.extend_from_slice(run);
        }
        at += length;
    }
    String::from_utf8(out).expect("only whole comments and literals are replaced")
}

/// How long the comment is that begins here; 0 where none does.
fn comment_length(rest: &[u8]) -> usize {
    if rest.starts_with(b"//") {
        return rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    }
    if !rest.starts_with(b"/*") {
        return 0;
    }
    let (mut at, mut depth) = (2, 1);
    while at < rest.len() && depth > 0 {
        match &rest[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    at
}

/// How long the literal is that begins at `at`; 0 where none does.
fn literal_length(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest[0] {
        b'"' => quoted_length(rest),
        b'\'' => character_length(rest),
        b'r' if !continues_word(bytes, at) => raw_length(rest),
        _ => 0,
    }
}

/// Whether the byte at `at` is in the middle of a word; `b` and `c` before a quote are part of the literal.
fn continues_word(bytes: &[u8], at: usize) -> bool {
    let word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    match at.checked_sub(1).map(|before| bytes[before]) {
        Some(b'b' | b'c') => at >= 2 && word(bytes[at - 2]),
        Some(byte) => word(byte),
        None => false,
    }
}

fn quoted_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character literal, told from a lifetime by its closing quote.
fn character_length(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|&byte| byte == b'\'');
        return close.map_or(0, |close| close + 4);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)]);
    let first = match text {
        Ok(text) => text.chars().next(),
        Err(error) => {
            let whole = &rest[1..=error.valid_up_to()];
            std::str::from_utf8(whole).ok().and_then(|text| text.chars().next())
        }
    };
    let length = first.map_or(0, char::len_utf8);
    if length > 0 && rest.get(1 + length) == Some(&b'\'') { length + 2 } else { 0 }
}

/// A raw string: `r`, hashes, a quote, anything, a quote and as many hashes.
fn raw_length(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = 2 + hashes;
    let end = rest[body..].windows(close.len()).position(|window| window == close);
    end.map_or(rest.len(), |end| body + end + close.len())
}

#[test]
fn blanks_what_is_not_code() {
    let cases = [
        ("a // b {\nc", "a c"),
        ("a /* b /* c */ d */ e", "a e"),
        ("f(\"x { \\\" }\", 1)", "f( , 1)"),
        ("let c = '{'; let l: &'a str;", "let c = ; let l: &'a str;"),
        ("x '\\'' '\\u{1F600}' 'ü' b'\\\\' y", "x b y"),
        ("r#\"a \" { \"# + r\"b\" + bar", "+ + bar"),
        ("br\"{\" for r in x", "b for r in x"),
        ("\"{ never closed", ""),
    ];
    for (source, expected) in cases {
        let masked = code(source);
        assert_eq!(masked.len(), source.len(), "{source}");
        assert_eq!(masked.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{source}");
    }
}
