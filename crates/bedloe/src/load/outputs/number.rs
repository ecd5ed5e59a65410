//! Numbers and texts as k6 writes them into its JSON.

use std::io::{self, Write};

/// The shortest digits that mean the number, with an exponent below 0.0001 and from a million on: Go's `%g`.
pub(super) fn write_number(out: &mut dyn Write, value: f64) -> io::Result<()> {
    if value == 0.0 {
        return out.write_all(if value.is_sign_negative() { b"-0" } else { b"0" });
    }
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return out.write_all(text.as_bytes()) };
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&power) {
        return write!(out, "{value}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    write!(out, "{digits}e{sign}{:02}", power.abs())
}

/// A text in quotes, of which HTML could be no part.
pub(super) fn write_text(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let rest = &text.as_bytes()[at..];
        let escaped: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            // JavaScript once took these two for ends of lines.
            0xe2 if rest.starts_with("\u{2028}".as_bytes()) => b"\\u2028",
            0xe2 if rest.starts_with("\u{2029}".as_bytes()) => b"\\u2029",
            b'<' | b'>' | b'&' | 0..0x20 => &[],
            _ => continue,
        };
        out.write_all(&text.as_bytes()[from..at])?;
        if escaped.is_empty() {
            write!(out, "\\u{byte:04x}")?;
        } else {
            out.write_all(escaped)?;
        }
        from = at + if byte == 0xe2 { 3 } else { 1 };
    }
    out.write_all(&text.as_bytes()[from..])?;
    out.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn numbers_and_texts_are_gos() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.956_31, "0.95631"),
            (1_103.572_954, "1103.572954"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.000_012_34, "1.234e-05"),
            (1e-7, "1e-07"),
            (999_999.0, "999999"),
            (1_234_567.5, "1.2345675e+06"),
            (1e21, "1e+21"),
            (-3.5, "-3.5"),
        ] {
            let mut out = Vec::new();
            write_number(&mut out, value).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        let mut out = Vec::new();
        write_text(&mut out, "ä<b>&\"\\\n\u{1}\u{2028}€").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), r#""ä\u003cb\u003e\u0026\"\\\n\u0001\u2028€""#);
    }
}
