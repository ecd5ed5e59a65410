//! Rules about a file as a whole: how wide, how long, how it opens.

use super::Finding;
use super::files::TextFile;

/// Characters in a line.
const LINE_WIDTH: usize = 120;
/// Lines in a file, tests included.
const FILE_LENGTH: usize = 600;

pub(super) fn line_width(file: &TextFile) -> Vec<Finding> {
    let wide = file.text.lines().enumerate().map(|(at, line)| (at + 1, line.chars().count()));
    wide.filter(|&(_, width)| width > LINE_WIDTH)
        .map(|(line, width)| Finding::new(file, line, format!("{width} characters wide, {LINE_WIDTH} is the limit")))
        .collect()
}

pub(super) fn file_length(file: &TextFile) -> Vec<Finding> {
    let lines = file.text.lines().count();
    if lines <= FILE_LENGTH {
        return Vec::new();
    }
    vec![Finding::new(
        file,
        0,
        format!("{lines} lines, {FILE_LENGTH} is the limit: split it by what its parts are for"),
    )]
}

pub(super) fn opening_comment(file: &TextFile) -> Vec<Finding> {
    // A fuzz target must begin with its attribute.
    let first = file.text.lines().find(|line| !line.starts_with("#![")).unwrap_or_default();
    if first.starts_with("//! ") {
        return Vec::new();
    }
    vec![Finding::new(file, 1, "opens without a `//!` comment: say what the file is for and what it leaves out")]
}

#[test]
fn says_which_line_is_too_wide() {
    let fits = "ü".repeat(LINE_WIDTH);
    let wide = "x".repeat(LINE_WIDTH + 1);
    let file = TextFile::sample("a.rs", &format!("{fits}\n{wide}\n"));
    let found = line_width(&file);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].line, 2);
}

#[test]
fn says_when_a_file_is_too_long() {
    assert!(file_length(&TextFile::sample("a.rs", &"\n".repeat(FILE_LENGTH))).is_empty());
    assert_eq!(file_length(&TextFile::sample("a.rs", &"\n".repeat(FILE_LENGTH + 1))).len(), 1);
}

#[test]
fn wants_a_comment_first() {
    let cases = [
        ("//! What it is for.\n", 0),
        ("#![no_main]\n//! What it is for.\n", 0),
        ("use std::fs;\n//! Late.\n", 1),
        ("// What it is for.\n", 1),
        ("", 1),
    ];
    for (text, expected) in cases {
        assert_eq!(opening_comment(&TextFile::sample("a.rs", text)).len(), expected, "{text}");
    }
}
