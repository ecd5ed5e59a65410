//! `access_log` and `log_format`, compiled: whether a request has a line, and what stands in it.
//!
//! Left out: where lines go, and the format `combined`, which its caller writes without a list of pieces.

use conf::tree::{self, LogEscape};

use crate::fact::Facts;
use crate::map::{Maps, Scratch};
use crate::names::Names;
use crate::text::{Piece, Text};

/// An `access_log`.
#[derive(Debug)]
pub struct AccessLog {
    /// What stands in a line; `None` is `combined`.
    pub format: Option<LogFormat>,
    condition: Option<Text>,
}

/// A `log_format`.
#[derive(Debug, Clone)]
pub struct LogFormat {
    escape: LogEscape,
    text: Text,
}

impl AccessLog {
    pub(crate) fn compile(log: &tree::AccessLog, formats: &[tree::LogFormat], names: &Names) -> Self {
        let format =
            |format: &tree::LogFormat| LogFormat { escape: format.escape, text: Text::compile(&format.text, names) };
        Self {
            format: log.format.and_then(|index| formats.get(index)).map(format),
            condition: log.condition.as_ref().map(|condition| Text::compile(condition, names)),
        }
    }

    /// Whether a request has a line; `value` is room to render in.
    pub fn takes(&self, facts: &dyn Facts, maps: &Maps, scratch: &mut Scratch, value: &mut Vec<u8>) -> bool {
        let Some(condition) = &self.condition else { return true };
        value.clear();
        condition.render(facts, maps, scratch, value);
        !matches!(value.as_slice(), b"" | b"0")
    }
}

impl LogFormat {
    /// Appends a line and its end; `value` is room for what has to be escaped.
    pub fn append(
        &self,
        facts: &dyn Facts,
        maps: &Maps,
        scratch: &mut Scratch,
        value: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) {
        for piece in self.text.pieces() {
            if let Piece::Literal(bytes) = piece {
                out.extend_from_slice(bytes);
                continue;
            }
            let start = out.len();
            let is_there = piece.append(facts, maps, scratch, out);
            match self.escape {
                LogEscape::Default if !is_there => out.push(b'-'),
                LogEscape::Default => escape_from(start, out, value, is_plain, append_hexadecimal),
                LogEscape::Json => escape_from(start, out, value, is_plain_json, append_json),
                LogEscape::None => {}
            }
        }
        out.push(b'\n');
    }
}

/// Escapes what stands from `start` on, if it has to be.
fn escape_from(
    start: usize,
    out: &mut Vec<u8>,
    value: &mut Vec<u8>,
    is_plain: fn(u8) -> bool,
    append: fn(u8, &mut Vec<u8>),
) {
    let Some(first) = out[start..].iter().position(|byte| !is_plain(*byte)) else { return };
    value.clear();
    value.extend_from_slice(&out[start + first..]);
    out.truncate(start + first);
    for &byte in &*value {
        if is_plain(byte) { out.push(byte) } else { append(byte, out) }
    }
}

fn is_plain(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'
}

fn append_hexadecimal(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
}

/// Bytes beyond ASCII pass: they are UTF-8's, or the client's own.
fn is_plain_json(byte: u8) -> bool {
    byte >= b' ' && byte != b'"' && byte != b'\\'
}

fn append_json(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]),
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'A' + value - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Table, template};

    fn line(escape: LogEscape, text: &str, table: &'static [(&'static str, &'static str)]) -> String {
        let format = LogFormat { escape, text: Text::compile(&template(text), &Names::default()) };
        let (mut out, mut value) = (b"before ".to_vec(), Vec::new());
        format.append(&Table(table), &Maps::default(), &mut Scratch::default(), &mut value, &mut out);
        String::from_utf8_lossy(&out["before ".len()..]).into_owned()
    }

    #[test]
    fn values_are_escaped_and_texts_are_not() {
        const TABLE: &[(&str, &str)] = &[("args", "a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{7f}é"), ("uri", "/"), ("host", "")];
        let text = "\"\n$uri $args $host $status";
        let table = [
            (LogEscape::Default, "\"\n/ a\\x22b\\x5Cc\\x0A\\x0D\\x09\\x08\\x0C\\x01\\x7F\\xC3\\xA9  -\n"),
            (LogEscape::Json, "\"\n/ a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\u{7f}é  \n"),
            (LogEscape::None, "\"\n/ a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{7f}é  \n"),
        ];
        for (escape, expected) in table {
            assert_eq!(line(escape, text, TABLE), expected, "{escape:?}");
        }
    }

    #[test]
    fn a_condition_is_empty_or_0_or_holds() {
        for (value, expected) in [("", false), ("0", false), ("00", true), ("no", true)] {
            let condition = Some(Text::literal(value.as_bytes()));
            let log = AccessLog { format: None, condition };
            let (mut scratch, mut room) = (Scratch::default(), Vec::new());
            assert_eq!(log.takes(&Table(&[]), &Maps::default(), &mut scratch, &mut room), expected, "{value:?}");
        }
    }
}
