//! keepalived's configuration as a tree of words with their places: lines, blocks in braces, comments, includes.
//!
//! Left out: what keepalived makes of `$NAME=` definitions, `~SEQ` and `@if`; a value with `$` in it counts as unknown.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use conf::span::Place;
use conf::{Diagnostic, Loader};

use crate::files::System;

/// Blocks within blocks: keepalived's own need four.
const DEPTH_MAX: usize = 16;
/// Files that one configuration is made of.
const FILES_MAX: usize = 100;

/// A line, and the block that follows it.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// At least one.
    pub(super) words: Vec<Word>,
    pub(super) block: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) place: Place,
    /// Whether it stands in quotes: a brace is none there.
    is_quoted: bool,
}

impl Node {
    pub(super) fn name(&self) -> &Word {
        &self.words[0]
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.words[0].text == name
    }

    /// What stands behind the name.
    pub(super) fn value(&self) -> Option<&Word> {
        self.words.get(1)
    }
}

/// The line of a block that begins so; of several the last, which is the one that keepalived goes by.
pub(super) fn line<'n>(block: &'n [Node], name: &str) -> Option<&'n Node> {
    block.iter().rfind(|node| node.is(name))
}

/// Its value.
pub(super) fn value<'n>(block: &'n [Node], name: &str) -> Option<&'n Word> {
    line(block, name)?.value()
}

/// The value as a number; `None` where it is none, or not known here.
pub(super) fn number<N: std::str::FromStr>(block: &[Node], name: &str) -> Option<N> {
    value(block, name)?.text.parse().ok()
}

/// Reads a file and all that it includes. Never fails: what is wrong is among `found`.
pub(super) fn read(path: &Path, files: &mut Vec<(PathBuf, String)>, found: &mut Vec<Diagnostic>) -> Vec<Node> {
    let place = Place { file: Arc::new(path.to_owned()), ..Place::default() };
    let mut words = Vec::new();
    let mut reader = Reader { files, found, read: 0 };
    reader.file(path, &place, &mut words);
    blocks(words, found)
}

struct Reader<'a> {
    files: &'a mut Vec<(PathBuf, String)>,
    found: &'a mut Vec<Diagnostic>,
    read: usize,
}

impl Reader<'_> {
    /// Adds the lines of a file, each with its words.
    fn file(&mut self, path: &Path, named_at: &Place, lines: &mut Vec<Vec<Word>>) {
        self.read += 1;
        if self.read > FILES_MAX {
            let message = format!("more than {FILES_MAX} files are included: does one include itself?");
            self.found.push(Diagnostic::error("ha-unreadable", named_at, message));
            return;
        }
        let bytes = match System.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                self.found.push(Diagnostic::error("ha-unreadable", named_at, message));
                return;
            }
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let file = Arc::new(path.to_owned());
        if self.files.iter().all(|(known, _)| known != path) {
            self.files.push((path.to_owned(), text.clone()));
        }
        for (index, line) in text.lines().enumerate() {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let words = split(line, &file, number, self.found);
            match words.as_slice() {
                [] => {}
                [name, pattern] if name.text.starts_with("include") => self.include(path, pattern, lines),
                _ => lines.push(words),
            }
        }
    }

    fn include(&mut self, from: &Path, pattern: &Word, lines: &mut Vec<Vec<Word>>) {
        let pattern_path = from.parent().unwrap_or(Path::new("")).join(&pattern.text);
        if self.read > FILES_MAX {
            return;
        }
        let paths = System.glob(&pattern_path).unwrap_or_default();
        if paths.is_empty() {
            let message = format!("no file is {}", pattern_path.display());
            self.found.push(super::warning("ha-include", pattern, message));
        }
        for path in paths {
            self.file(&path, &pattern.place, lines);
        }
    }
}

/// The words of a line. Braces are words of their own; `@host` before a line, and definitions, are passed over.
fn split(line: &str, file: &Arc<PathBuf>, number: u32, found: &mut Vec<Diagnostic>) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let mut text = None;
        match bytes[at] {
            b'#' | b'!' => break,
            b'{' | b'}' => at += 1,
            b'"' => {
                let behind = &line[at + 1..];
                let end = behind.find('"');
                at = end.map_or(bytes.len(), |end| at + 1 + end + 1);
                text = Some(behind[..end.unwrap_or(behind.len())].to_owned());
            }
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            _ => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || b"{}\"".contains(byte);
                at = bytes[at..].iter().position(ends).map_or(bytes.len(), |length| at + length);
            }
        }
        let column = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let place =
            Place { file: Arc::clone(file), line: number, column: column(start + 1), length: column(at - start) };
        if text.is_some() && !line[start + 1..at].ends_with('"') {
            found.push(Diagnostic::error("ha-syntax", &place, "the quotes do not end on their line"));
        }
        let is_quoted = text.is_some();
        words.push(Word { text: text.unwrap_or_else(|| line[start..at].to_owned()), place, is_quoted });
    }
    if words.first().is_some_and(|word| word.text.starts_with('@')) {
        words.remove(0);
    }
    let is_definition = words.first().is_some_and(|word| word.text.starts_with('$') && word.text.contains('='));
    if is_definition { Vec::new() } else { words }
}

/// Lines as a tree. A brace belongs to the line before it.
fn blocks(lines: Vec<Vec<Word>>, found: &mut Vec<Diagnostic>) -> Vec<Node> {
    let mut open: Vec<(Vec<Node>, Option<Place>)> = vec![(Vec::new(), None)];
    for line in lines {
        let mut words = Vec::new();
        for word in line {
            match word.text.as_str() {
                _ if word.is_quoted => words.push(word),
                "{" => {
                    push(&mut open, &mut words);
                    if open.len() > DEPTH_MAX {
                        found.push(super::error("ha-syntax", &word, "blocks stand in one another too deeply"));
                        return Vec::new();
                    }
                    open.push((Vec::new(), Some(word.place)));
                }
                "}" => {
                    push(&mut open, &mut words);
                    if open.len() == 1 {
                        found.push(super::error("ha-syntax", &word, "this brace closes no block"));
                    } else {
                        close(&mut open);
                    }
                }
                _ => words.push(word),
            }
        }
        push(&mut open, &mut words);
    }
    while open.len() > 1 {
        if let Some((_, Some(place))) = open.last() {
            found.push(Diagnostic::error("ha-syntax", place, "the block that begins here has no end"));
        }
        close(&mut open);
    }
    open.pop().map(|(nodes, _)| nodes).unwrap_or_default()
}

fn push(open: &mut [(Vec<Node>, Option<Place>)], words: &mut Vec<Word>) {
    if let Some((nodes, _)) = open.last_mut().filter(|_| !words.is_empty()) {
        nodes.push(Node { words: std::mem::take(words), block: Vec::new() });
    }
}

/// The innermost block goes to the last line of the one around it.
fn close(open: &mut Vec<(Vec<Node>, Option<Place>)>) {
    let Some((block, _)) = open.pop() else { return };
    if let Some(node) = open.last_mut().and_then(|(nodes, _)| nodes.last_mut()) {
        node.block.extend(block);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn tree(text: &str) -> (String, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.conf");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("more"), "more 1\n").unwrap();
        let mut found = Vec::new();
        let nodes = read(&path, &mut Vec::new(), &mut found);
        let said = found.iter().map(|found| format!("{}:{} {}", found.place.line, found.place.column, found.code));
        (shown(&nodes), said.collect())
    }

    fn shown(nodes: &[Node]) -> String {
        let one = |node: &Node| {
            let words: Vec<&str> = node.words.iter().map(|word| word.text.as_str()).collect();
            let block = if node.block.is_empty() { String::new() } else { format!("({})", shown(&node.block)) };
            words.join(" ") + &block
        };
        nodes.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn lines_and_blocks_are_read() {
        let table = [
            ("a 1 # no\n! no\nb {\n  c \"d e\" f\n}\n", "a 1; b(c d e f)"),
            ("a\n{\n b\n}\n", "a(b)"),
            ("a { b c }\nd{e}\n", "a(b c); d(e)"),
            ("@one a 1\n$X=5\na $X\n", "a 1; a $X"),
            ("a {\n include mor?\n}\n", "a(more 1)"),
            ("a \"{\" {\n b \"}\"\n}\n", "a {(b })"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(tree(text), (expected.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn what_is_no_configuration_is_told_with_its_place() {
        let deep = "a {\n".repeat(40);
        let table = [
            ("a {\n", "1:3 ha-syntax"),
            ("a\n }\n", "2:2 ha-syntax"),
            ("a \"b\n", "1:3 ha-syntax"),
            ("a \"\n", "1:3 ha-syntax"),
            ("include none\n", "1:9 ha-include"),
            ("include k.conf\n", "1:9 ha-unreadable"),
            (deep.as_str(), "17:3 ha-syntax"),
        ];
        for (text, expected) in table {
            assert_eq!(tree(text).1, [expected], "{text}");
        }
        let mut found = Vec::new();
        read(Path::new("/nowhere/k.conf"), &mut Vec::new(), &mut found);
        assert!(found[0].message.starts_with("cannot read /nowhere/k.conf: No such file"), "{found:?}");
    }
}
