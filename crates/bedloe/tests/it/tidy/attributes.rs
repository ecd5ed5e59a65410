//! Rules about what switches the compiler's care off: `unsafe`, and lints that are silenced without saying why.

use super::Finding;
use super::files::TextFile;
use super::mask;

/// Files that may hold `unsafe`.
const UNSAFE_FILES: &[&str] = &["crates/load/src/script/raw.rs"];

pub(super) fn unsafe_code(file: &TextFile) -> Vec<Finding> {
    if UNSAFE_FILES.iter().any(|allowed| file.path.as_os_str() == *allowed) {
        return Vec::new();
    }
    let code = mask::code(&file.text);
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    let lines = code.lines().enumerate().filter(|(_, line)| line.split(|c| !is_word(c)).any(|word| word == "unsafe"));
    lines.map(|(at, _)| Finding::new(file, at + 1, "`unsafe` is for one module of `load` only")).collect()
}

pub(super) fn silenced_without_reason(file: &TextFile) -> Vec<Finding> {
    let code = mask::code(&file.text);
    let mut findings = Vec::new();
    for opening in ["[allow(", "[expect("] {
        for (at, _) in code.match_indices(opening) {
            let attribute = code[..at].ends_with('#') || code[..at].ends_with("#!");
            let end = code[at..].find(']').map_or(code.len(), |end| at + end);
            if attribute && !code[at..end].contains("reason") {
                let line = code[..at].matches('\n').count() + 1;
                findings.push(Finding::new(file, line, "a lint is silenced without `reason = \"...\"`"));
            }
        }
    }
    findings
}

#[test]
fn finds_unsafe_in_code_only() {
    let text = "#![forbid(unsafe_code)]\n// unsafe is forbidden\nlet word = \"unsafe\";\nunsafe { f() }\n";
    let found = unsafe_code(&TextFile::sample("crates/a/src/lib.rs", text));
    assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4]);
}

#[test]
fn wants_a_reason() {
    let cases = [
        ("#[allow(dead_code, reason = \"the table is whole\")]", 0),
        ("#![allow(\n    dead_code,\n    reason = \"the table is whole\"\n)]", 0),
        ("#[allow(dead_code)]", 1),
        ("#![expect(dead_code)]", 1),
        ("// #[allow(dead_code)]\nlet a = list[allow(x)];", 0),
    ];
    for (text, expected) in cases {
        assert_eq!(silenced_without_reason(&TextFile::sample("a.rs", text)).len(), expected, "{text}");
    }
}
