//! Places in configuration files: what diagnostics point at.

use std::path::PathBuf;
use std::sync::Arc;

/// A stretch of one line of one file. The default place points nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file, as it was named by the command line or an `include`.
    pub file: Arc<PathBuf>,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in bytes, counted from 1.
    pub column: u32,
    /// Length in bytes on that line, at least 1.
    pub length: u32,
}
