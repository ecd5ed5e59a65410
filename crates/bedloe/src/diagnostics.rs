//! Findings in configurations as people read them: file, line and column, the line itself, a caret, advice.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use conf::span::Place;
use conf::{Diagnostic, Loaded, Severity};

/// Writes all findings of at least a severity to the standard error, in colour if that is a terminal.
pub(crate) fn print(loaded: &Loaded, least: Severity) -> io::Result<()> {
    let stderr = io::stderr();
    let renderer = if stderr.is_terminal() { Renderer::styled() } else { Renderer::plain() };
    stderr.lock().write_all(text(loaded, least, &renderer).as_bytes())
}

/// How many there are of each severity, such as `1 error, 2 warnings`; none where nothing was found.
pub(crate) fn counts(loaded: &Loaded, least: Severity) -> Option<String> {
    let count = |severity: Severity| loaded.diagnostics.iter().filter(|found| found.severity == severity).count();
    let severities = [Severity::Error, Severity::Warning, Severity::Note].into_iter();
    let told = severities.filter(|severity| *severity <= least).map(|severity| (count(severity), severity.name()));
    let told: Vec<String> = told
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// All findings of at least a severity, with an empty line behind each: the gravest first, then as the files go.
pub(crate) fn text(loaded: &Loaded, least: Severity, renderer: &Renderer) -> String {
    let mut lines = Lines { files: &loaded.files, split: HashMap::new() };
    let mut text = String::new();
    let mut told: Vec<&Diagnostic> = loaded.diagnostics.iter().filter(|found| found.severity <= least).collect();
    told.sort_by_key(|found| found.severity);
    for found in told {
        let line = lines.line(&found.place).unwrap_or_default().to_owned();
        text.push_str(&renderer.render(&[group(found, &line)]));
        text.push_str("\n\n");
    }
    text
}

/// The lines of the files, each file split when it is first asked for.
struct Lines<'a> {
    files: &'a [(PathBuf, String)],
    split: HashMap<&'a Path, Vec<&'a str>>,
}

impl<'a> Lines<'a> {
    fn line(&mut self, place: &Place) -> Option<&'a str> {
        if !self.split.contains_key(place.file.as_path()) {
            let (path, text) = self.files.iter().find(|(path, _)| *path == *place.file)?;
            self.split.insert(path, text.lines().collect());
        }
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        self.split.get(place.file.as_path())?.get(index).copied()
    }
}

fn group<'a>(found: &'a Diagnostic, line: &'a str) -> Group<'a> {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let place = &found.place;
    let path = place.file.to_string_lossy();
    let mut group = Group::with_title(level.primary_title(found.message.as_str()).id(found.code));
    let number = usize::try_from(place.line).unwrap_or(usize::MAX);
    if place.line > 0 && !line.is_empty() {
        let snippet = Snippet::source(line).line_start(number).path(path);
        group = group.element(snippet.annotation(AnnotationKind::Primary.span(span(place, line))));
    } else if place.line > 0 {
        let column = usize::try_from(place.column).unwrap_or(usize::MAX);
        group = group.element(Origin::path(path).line(number).char_column(column));
    } else {
        group = group.element(Origin::path(path));
    }
    match &found.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}

/// The bytes of the line that a place points at, whole letters only.
fn span(place: &Place, line: &str) -> Range<usize> {
    let start = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    let length = usize::try_from(place.length).unwrap_or(1);
    let start = start.min(line.len());
    let end = start.saturating_add(length).min(line.len());
    let is_boundary = |at: &usize| line.is_char_boundary(*at);
    let start = (0..=start).rev().find(is_boundary).unwrap_or(0);
    let end = (end..=line.len()).find(is_boundary).unwrap_or(line.len());
    start..end
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn shown(place: &Place, files: &[(&str, &str)]) -> String {
        let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
        let found = Diagnostic::warning("a-code", place, "something").help("do this");
        let note = Diagnostic::note("other", place, "less");
        let diagnostics = vec![found, note];
        let loaded = Loaded { config: None, diagnostics, files, needs: vec![], writes: vec![], reads: vec![] };
        text(&loaded, Severity::Warning, &Renderer::plain())
    }

    fn place(line: u32, column: u32, length: u32) -> Place {
        Place { file: Arc::new("a.conf".into()), line, column, length }
    }

    #[test]
    fn a_finding_shows_its_line() {
        let expected = "\
warning[a-code]: something
 --> a.conf:2:3
  |
2 | b é d;
  |   ^
  |
  = help: do this

";
        assert_eq!(shown(&place(2, 3, 1), &[("a.conf", "a;\nb é d;\n")]), expected);
        assert_eq!(shown(&place(2, 4, 1), &[("a.conf", "a;\nb é d;\n")]), expected, "within a letter");
    }

    #[test]
    fn places_that_are_nowhere_do_no_harm() {
        for (line, column, length) in [(0, 0, 0), (1, 9_999, 1), (9, 1, 1), (1, 1, u32::MAX), (u32::MAX, u32::MAX, 1)] {
            let text = shown(&place(line, column, length), &[("a.conf", "a;\n")]);
            assert!(text.contains("something") && text.contains("a.conf"), "{text}");
        }
        assert!(shown(&place(3, 7, 1), &[]).contains("a.conf:3:7"));
    }
}
