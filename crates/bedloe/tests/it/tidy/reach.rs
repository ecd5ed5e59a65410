//! No dead file: each Rust source is the root of a target, or a module of one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Finding;
use super::files::{Project, TextFile};
use super::mask;

pub(super) fn dead_files(project: &Project) -> Vec<Finding> {
    let mut queue: Vec<PathBuf> =
        project.manifests.iter().flat_map(|manifest| roots(manifest, &project.rust)).collect();
    let mut reached = BTreeSet::new();
    while let Some(path) = queue.pop() {
        let Some(file) = project.rust.iter().find(|file| file.path == path) else { continue };
        if reached.insert(path) {
            queue.extend(modules(file));
        }
    }
    let dead = project.rust.iter().filter(|file| !reached.contains(&file.path));
    dead.map(|file| Finding::new(file, 0, "no `mod` leads to this file: remove it, or declare it")).collect()
}

/// The files that cargo starts from, by their usual places or as the manifest says.
fn roots(manifest: &TextFile, rust: &[TextFile]) -> Vec<PathBuf> {
    let folder = manifest.path.parent().unwrap_or(Path::new(""));
    let named = manifest.text.lines().filter_map(|line| line.trim().strip_prefix("path = \"")?.strip_suffix('"'));
    let mut roots: Vec<PathBuf> = named.map(|path| folder.join(path)).collect();
    for file in rust {
        let Ok(path) = file.path.strip_prefix(folder) else { continue };
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        if let ["build.rs"]
        | ["src", "lib.rs" | "main.rs"]
        | ["src", "bin", _]
        | ["tests" | "examples" | "benches", _]
        | ["tests" | "examples" | "benches", _, "main.rs"] = parts[..]
        {
            roots.push(file.path.clone());
        }
    }
    roots
}

/// The files that a source's `mod` declarations can mean.
fn modules(file: &TextFile) -> Vec<PathBuf> {
    let code = mask::code(&file.text);
    let folder = file.path.parent().unwrap_or(Path::new(""));
    let beside = ["mod.rs", "lib.rs", "main.rs", "build.rs"].contains(&file.name());
    let own = if beside { folder.to_path_buf() } else { file.path.with_extension("") };
    let mut found = Vec::new();
    let mut path_above = None;
    for (masked, line) in code.lines().zip(file.text.lines()) {
        if let Some(path) = line.trim().strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            path_above = Some(folder.join(path));
        } else if let Some(name) = declared(masked) {
            found.extend(path_above.take());
            // A file of tests/ or examples/ that is a root has its modules beside it.
            let root = folder.ends_with("tests") || folder.ends_with("examples") || folder.ends_with("benches");
            for base in [own.as_path(), folder].into_iter().take(1 + usize::from(root)) {
                found.push(base.join(format!("{name}.rs")));
                found.push(base.join(name).join("mod.rs"));
            }
        }
    }
    found
}

fn declared(line: &str) -> Option<&str> {
    let line = line.trim();
    let at = line.find("mod ").filter(|&at| at == 0 || line[..at].ends_with([' ', ')', ']']))?;
    let name = line[at + 4..].strip_suffix(';')?;
    Some(name.trim())
}

#[test]
fn finds_files_that_no_mod_leads_to() {
    let source = |path: &str, text: &str| TextFile::sample(path, text);
    let project = Project::of(
        vec![
            source("crates/a/Cargo.toml", "[[test]]\nname = \"x\"\npath = \"odd/x.rs\"\n"),
            source("crates/a/src/lib.rs", "pub(crate) mod b;\n// mod dead;\n#[cfg(test)]\nmod tests;\n"),
            source("crates/a/src/b.rs", "mod c;"),
            source("crates/a/src/b/c.rs", ""),
            source("crates/a/src/tests.rs", ""),
            source("crates/a/odd/x.rs", ""),
            source("crates/a/tests/it/main.rs", "mod y;"),
            source("crates/a/tests/it/y.rs", ""),
            source("crates/a/src/dead.rs", ""),
            source("crates/a/src/b/dead.rs", "mod c;"),
            source("crates/a/src/b/tests.rs", ""),
        ],
        Vec::new(),
    );
    let dead: Vec<PathBuf> = dead_files(&project).into_iter().map(|finding| finding.path).collect();
    assert_eq!(dead, ["src/dead.rs", "src/b/dead.rs", "src/b/tests.rs"].map(|path| Path::new("crates/a").join(path)));
}
