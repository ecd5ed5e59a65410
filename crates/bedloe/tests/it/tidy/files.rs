//! The project's files as the rules read them: relative path and text. Asks git which files there are, so that what is
//! built or ignored stays out; no rule lives here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file and what it says.
#[derive(Debug, Clone)]
pub(super) struct TextFile {
    /// Relative to the project's root.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl TextFile {
    /// A sample for the tests of the rules.
    pub(super) fn sample(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    pub(super) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

/// All files of the project that are text.
pub(super) struct Project {
    /// Every text file.
    pub(super) text: Vec<TextFile>,
    /// Rust sources of the crates and of the fuzz targets.
    pub(super) rust: Vec<TextFile>,
    /// The crates' `Cargo.toml`s.
    pub(super) manifests: Vec<TextFile>,
    /// Every path there is, text or not.
    pub(super) paths: Vec<PathBuf>,
}

impl Project {
    pub(super) fn read() -> Self {
        let root = root();
        let paths = listed(&root);
        let text: Vec<TextFile> = paths
            .iter()
            .filter_map(|path| {
                fs::read_to_string(root.join(path)).ok().map(|text| TextFile { path: path.clone(), text })
            })
            .collect();
        Self::of(text, paths)
    }

    /// A project made of the given files.
    pub(super) fn of(text: Vec<TextFile>, paths: Vec<PathBuf>) -> Self {
        let in_crates = |file: &&TextFile| file.path.starts_with("crates") || file.path.starts_with("fuzz");
        let pick = |keep: fn(&TextFile) -> bool| text.iter().filter(in_crates).filter(|f| keep(f)).cloned().collect();
        let rust = pick(|file| file.path.extension().is_some_and(|extension| extension == "rs"));
        let manifests = pick(|file| file.name() == "Cargo.toml");
        Self { text, rust, manifests, paths }
    }

    pub(super) fn find(&self, path: &str) -> Option<&TextFile> {
        self.text.iter().find(|file| file.path == Path::new(path))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files that git knows or would take, or, where this is no checkout, all but what is built.
fn listed(root: &Path) -> Vec<PathBuf> {
    let git = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output();
    let mut paths = match git {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
            .collect(),
        _ => walked(root),
    };
    paths.sort();
    paths.dedup();
    paths.retain(|path| root.join(path).is_file());
    paths
}

fn walked(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let path = entry.path();
            if path.is_dir() {
                if name != "target" && name != ".git" {
                    folders.push(path);
                }
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.push(relative.to_path_buf());
            }
        }
    }
    found
}
