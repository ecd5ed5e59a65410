//! What was found in a configuration, on the standard error: with the line and a caret, or, under nginx's name, in the
//! lines of nginx that scripts read.

use std::io::{self, Write};

use conf::{Diagnostic, Loaded, Severity};

use crate::diagnostics;

/// Writes all findings of at least a severity.
pub(crate) fn print(loaded: &Loaded, least: Severity) -> io::Result<()> {
    if !crate::is_nginx() {
        return diagnostics::print(loaded, least);
    }
    let mut stderr = io::stderr().lock();
    let found = loaded.diagnostics.iter().filter(|found| found.severity <= least);
    found.map(line).try_for_each(|(level, line)| writeln!(stderr, "nginx: [{level}] {line}"))
}

/// A finding as one line, with nginx's name of its level: `unknown directive "lisen" in /etc/nginx/nginx.conf:7`.
pub(crate) fn line(found: &Diagnostic) -> (&'static str, String) {
    let level = match found.severity {
        Severity::Error => "emerg",
        Severity::Warning => "warn",
        Severity::Note => "notice",
    };
    let help = found.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
    let place = match found.place.line {
        0 => found.place.file.display().to_string(),
        line => format!("{}:{line}", found.place.file.display()),
    };
    (level, format!("{} in {place}{help}", found.message))
}
