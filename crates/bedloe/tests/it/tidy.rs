//! Reads the project's own sources and says where they break the rules of STYLE.md and ARCHITECTURE.md.
//!
//! Each rule is a function from text to findings, tried on good and bad samples in its own module; here the rules meet
//! the project's files. What rustfmt, rustc and clippy can say is left to them. Only the standard library is used.

mod agreement;
mod arrows;
mod attributes;
mod files;
mod functions;
mod links;
mod mask;
mod paths;
mod reach;
mod shape;

use std::fmt;
use std::path::PathBuf;

use files::{Project, TextFile};

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// The file, relative to the project's root.
    path: PathBuf,
    /// The line, from 1; 0 where the whole file is meant.
    line: usize,
    /// What is wrong, and what to do instead.
    what: String,
}

impl Finding {
    fn new(file: &TextFile, line: usize, what: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.what)
    }
}

/// Fails with all findings, one a line, so that a run shows everything there is to mend.
fn none(mut findings: Vec<Finding>) {
    findings.sort();
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
}

fn every(files: &[TextFile], rule: impl Fn(&TextFile) -> Vec<Finding>) -> Vec<Finding> {
    files.iter().flat_map(rule).collect()
}

#[test]
fn lines_are_at_most_120_wide() {
    none(every(&Project::read().rust, shape::line_width));
}

#[test]
fn files_are_at_most_600_lines_long() {
    none(every(&Project::read().rust, shape::file_length));
}

#[test]
fn files_open_with_what_they_are_for() {
    none(every(&Project::read().rust, shape::opening_comment));
}

#[test]
fn functions_are_at_most_70_lines_long() {
    none(functions::too_long(&Project::read().rust, functions::KNOWN));
}

#[test]
fn most_functions_are_under_45_lines() {
    none(functions::too_many_long(&Project::read().rust));
}

#[test]
fn unsafe_is_in_one_module() {
    none(every(&Project::read().rust, attributes::unsafe_code));
}

#[test]
fn lints_are_silenced_with_a_reason() {
    none(every(&Project::read().rust, attributes::silenced_without_reason));
}

#[test]
fn crates_import_downwards_only() {
    let project = Project::read();
    none(arrows::against_the_arrows(&project.manifests));
}

#[test]
fn every_source_file_is_part_of_a_crate() {
    let project = Project::read();
    none(reach::dead_files(&project));
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    none(every(&Project::read().text, paths::machine_paths));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let project = Project::read();
    none(links::dead_links(&project));
}

#[test]
fn documents_and_checks_say_the_same() {
    let project = Project::read();
    none(agreement::disagreements(&project));
}
