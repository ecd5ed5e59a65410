//! The nginx language: lexer, parser, directive table -> a typed tree; diagnostics and lints.
//!
//! It ends there: nothing here knows of requests or sockets, and files are read through a loader argument.

pub mod span;
pub mod template;
pub mod tree;
