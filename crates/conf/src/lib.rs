//! The nginx language: lexer, parser, directive table -> a typed tree; diagnostics and lints.
//!
//! It ends there: nothing here knows of requests or sockets, and files are read through a loader argument.

mod address;
mod build;
pub mod diagnostic;
mod lexer;
mod lints;
mod loader;
mod parser;
pub mod span;
mod suggest;
pub mod table;
pub mod template;
pub mod tree;
mod value;
mod variables;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use diagnostic::{Diagnostic, Severity};
pub use loader::{Loaded, Loader, NeededFile, Options};
pub use variables::{Variable, variables};

/// Reads a configuration and all that it includes.
///
/// It never panics, whatever the bytes, and finds all errors in one run.
pub fn load(path: &Path, loader: &dyn Loader, options: &Options) -> Loaded {
    let mut diagnostics = Vec::new();
    let parsed = parser::parse(path, options.globals.as_deref(), loader, &mut diagnostics);
    let unread = parsed.files.is_empty();
    let built = build::build(&parsed.nodes, path, loader, options);
    // Of a file that cannot be read there is nothing more to say.
    if !unread {
        diagnostics.extend(built.diagnostics);
    }
    let has_errors = diagnostics.iter().any(|found| found.severity == Severity::Error);
    if !has_errors {
        diagnostics.extend(lints::run(&built.config, &built.facts, options));
    }
    sort(&mut diagnostics, &parsed.files);
    let config = (!has_errors).then_some(built.config);
    Loaded { config, diagnostics, files: parsed.files, needs: built.needs }
}

/// By file in the order read, line and column; the same file included twice tells a thing once.
fn sort(diagnostics: &mut Vec<Diagnostic>, files: &[(PathBuf, String)]) {
    let order: HashMap<&Path, usize> = files.iter().enumerate().map(|(i, (path, _))| (path.as_path(), i + 1)).collect();
    diagnostics.sort_by_key(|found| {
        let place = &found.place;
        (order.get(place.file.as_path()).copied().unwrap_or(0), place.line, place.column)
    });
    diagnostics.dedup();
}

#[cfg(test)]
mod tests;
