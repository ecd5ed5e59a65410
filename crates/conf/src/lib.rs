//! The nginx language: lexer, parser, directive table -> a typed tree; diagnostics and lints.
//!
//! It ends there: nothing here knows of requests or sockets, and files are read through a loader argument.

mod address;
mod build;
mod ciphers;
pub mod diagnostic;
mod lexer;
mod lints;
mod loader;
mod net;
mod parser;
mod shared;
pub mod span;
mod suggest;
pub mod table;
pub mod template;
mod traps;
pub mod tree;
mod value;
mod variables;

use std::path::Path;

pub use diagnostic::{Diagnostic, Severity};
pub use loader::{Loaded, Loader, NeededFile, Options};
pub use net::Net;
pub use shared::Shared;
pub use suggest::nearest;
pub use variables::{Variable, variables};

/// What stands for the file in places that the command line's directives (nginx's `-g`) have.
pub const COMMAND_LINE: &str = "command line";

/// Reads a configuration and all that it includes.
///
/// It never panics, whatever the bytes, and finds all errors in one run.
pub fn load(path: &Path, loader: &dyn Loader, options: &Options) -> Loaded {
    let mut diagnostics = Vec::new();
    let parsed = parser::parse(path, options.globals.as_deref(), loader, &mut diagnostics);
    let unread = parsed.files.is_empty();
    let built = build::build(&parsed.nodes, path, loader, options);
    // Of a file that cannot be read there is nothing more to say; in one whose blocks do not end, what seems to be
    // missing is in one of them.
    let is_cut_off = diagnostics.iter().any(|found| found.code == "unexpected-end");
    if !unread {
        diagnostics.extend(built.diagnostics.into_iter().filter(|found| !(is_cut_off && found.code == "no-events")));
    }
    let has_errors = diagnostics.iter().any(|found| found.severity == Severity::Error);
    if !has_errors {
        diagnostics.extend(lints::run(&built.config, &built.facts, options));
        diagnostics.extend(traps::run(&parsed.nodes));
    }
    let mut files = parsed.files;
    for file in built.files {
        if files.iter().all(|(path, _)| *path != file.0) {
            files.push(file);
        }
    }
    let mut loaded = Loaded {
        config: Some(built.config),
        diagnostics: Vec::new(),
        files,
        needs: built.needs,
        writes: built.writes,
        reads: built.reads,
    };
    loaded.add(diagnostics);
    loaded
}

#[cfg(test)]
mod tests;
