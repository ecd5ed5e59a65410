//! Where the end of a load test goes: the summary on the standard output, and the file of `--summary-export`.
//!
//! A reader who has gone (`| head`) is no failure. A full disk is one, but it hides no verdict.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use load::Report;

use crate::summary::{self, Stat, Style};

/// The file of `--summary-export`.
#[derive(Debug)]
pub(super) struct Export {
    path: PathBuf,
    file: File,
}

impl Export {
    /// Opens the file before the test begins, so that no test runs in vain. What an earlier test wrote there stays
    /// until there is something to replace it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write the summary to {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes the summary as k6's JSON.
    pub(super) fn write(mut self, report: &Report, stats: &[Stat]) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(&load::export::summary(report, stats))?;
        let written = self.replace(text.as_bytes());
        written.with_context(|| format!("the summary could not be written to {}", self.path.display()))
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A pipe or a device has no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(bytes)
    }
}

/// Prints the summary, and below it what there is to say of the injector itself.
pub(super) fn print_summary(report: &Report, style: &Style, words: &[String]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let mut text = summary::render(report, style);
    if !words.is_empty() {
        text += "\n    INJECTOR\n";
        words.iter().for_each(|line| text += &format!("    {line}\n"));
    }
    let written = write!(out, "\n\n{text}\n\n\n").and_then(|()| out.flush());
    unless_closed(written)
}

/// Writes what a script's handleSummary returned: to the standard streams, and to files.
pub(super) fn write_texts(texts: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
    let mut first = Ok(());
    for (to, text) in texts {
        let written = match to.as_str() {
            "stdout" => unless_closed(io::stdout().lock().write_all(text)),
            "stderr" => io::stderr().lock().write_all(text).context("the standard error cannot be written"),
            path => {
                std::fs::write(path, text).with_context(|| format!("handleSummary's file {path} cannot be written"))
            }
        };
        first = first.and(written);
    }
    first
}

/// What became of a write to the standard output; that nobody reads it any more is no failure.
pub(super) fn unless_closed(written: io::Result<()>) -> anyhow::Result<()> {
    crate::unless_closed(written).context("the summary could not be written to the standard output")
}
