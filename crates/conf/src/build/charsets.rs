//! `charset_map A B { BYTE BYTES; ... }`.

use super::cx::Cx;
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::tree::CharsetMap;

/// Bytes of a character of UTF-8 (RFC 3629 3).
const UTF8_MAX: usize = 4;

/// Builds all of them; each is for both ways.
pub(super) fn all<'n>(nodes: impl Iterator<Item = &'n Node>, cx: &mut Cx<'_>) -> Vec<CharsetMap> {
    let mut all: Vec<CharsetMap> = Vec::new();
    for node in nodes {
        let Some(map) = build(node, cx) else { continue };
        let ends = |map: &CharsetMap| [map.from.clone().min(map.to.clone()), map.from.clone().max(map.to.clone())];
        if all.iter().any(|other| ends(other) == ends(&map)) {
            let message = format!("there are two \"charset_map\" between \"{}\" and \"{}\"", map.from, map.to);
            cx.report(Diagnostic::error("duplicate-directive", &node.name.place, message));
        } else {
            all.push(map);
        }
    }
    all
}

/// Builds one; none if its head is wrong.
fn build(node: &Node, cx: &mut Cx<'_>) -> Option<CharsetMap> {
    let [from, to] = node.args.as_slice() else { return None };
    if from.text.eq_ignore_ascii_case(&to.text) {
        let message = format!("a \"charset_map\" from \"{}\" to itself", from.shown());
        cx.report(Diagnostic::error("invalid-value", &to.place, message));
        return None;
    }
    let is_utf8 = to.text.eq_ignore_ascii_case("utf-8");
    let mut pairs = Vec::new();
    for entry in node.block.iter().flatten() {
        match pair(entry, is_utf8) {
            Ok(pair) => pairs.push(pair),
            Err(wrong) => cx.report(wrong),
        }
    }
    Some(CharsetMap { from: from.text.to_ascii_lowercase(), to: to.text.to_ascii_lowercase(), is_utf8, pairs })
}

fn pair(entry: &Node, is_utf8: bool) -> Result<(u8, Vec<u8>), Diagnostic> {
    let [value] = entry.args.as_slice() else {
        let message = format!("a byte has one value, not {}", entry.args.len());
        return Err(Diagnostic::error("wrong-arguments", &entry.name.place, message));
    };
    let byte = match bytes(&entry.name)?.as_slice() {
        [byte] => *byte,
        _ => return Err(invalid(&entry.name, "it is one byte: two hexadecimal digits")),
    };
    let bytes = bytes(value)?;
    if is_utf8 && (bytes.len() > UTF8_MAX || !is_one_character(&bytes)) {
        return Err(invalid(value, "it is no character of UTF-8"));
    }
    if !is_utf8 && bytes.len() != 1 {
        return Err(invalid(value, "it is one byte: two hexadecimal digits"));
    }
    Ok((byte, bytes))
}

fn is_one_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().count() == 1)
}

fn bytes(word: &Word) -> Result<Vec<u8>, Diagnostic> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let text = word.text.as_bytes();
    let is_hexadecimal = !text.is_empty() && text.len().is_multiple_of(2) && text.iter().all(u8::is_ascii_hexdigit);
    let read = text.chunks(2).map(digits).collect::<Option<Vec<u8>>>();
    read.filter(|_| is_hexadecimal).ok_or_else(|| invalid(word, "hexadecimal digits are wanted, such as E282AC"))
}

fn invalid(word: &Word, why: &str) -> Diagnostic {
    Diagnostic::error("invalid-value", &word.place, format!("invalid value \"{}\": {why}", word.shown()))
}
