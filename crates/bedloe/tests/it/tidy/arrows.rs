//! Which crate may import which: the arrows of ARCHITECTURE.md, and the outside crates that only some may use.

use super::Finding;
use super::files::TextFile;

/// What each crate may import of the project's own; ARCHITECTURE.md shows the same lines.
pub(super) const ARROWS: [(&str, &str); 6] = [
    ("bedloe", "all"),
    ("lab", "proxy, load, host, metrics, net"),
    ("proxy", "route, balance, net, wire, conf, metrics"),
    ("load", "net, wire, metrics"),
    ("net", "wire"),
    ("route", "conf"),
];
/// Crates that import none of the project's own.
pub(super) const LEAVES: [&str; 5] = ["conf", "wire", "balance", "metrics", "host"];

/// Outside crates with the ones that may use them, and why the others may not.
const RESERVED: [(&[&str], &[&str], &str); 5] = [
    (&["anyhow", "clap", "indicatif", "annotate-snippets"], &["bedloe"], "only the program talks to its user"),
    (&["hyper", "hyper-util"], &["bedloe", "lab"], "hyper is for what is off the data path"),
    (&["tokio", "socket2"], &["bedloe", "lab", "load", "net", "proxy"], "a pure crate has no sockets and no clock"),
    (&["rustix", "procfs"], &["bedloe", "host", "lab", "load", "net", "proxy"], "a pure crate asks no kernel"),
    (&["rand", "getrandom", "fastrand"], &[], "random numbers come in as arguments"),
];

pub(super) fn against_the_arrows(manifests: &[TextFile]) -> Vec<Finding> {
    manifests.iter().filter(|file| file.path.starts_with("crates")).flat_map(breaches).collect()
}

fn breaches(manifest: &TextFile) -> Vec<Finding> {
    let name = manifest.path.iter().nth(1).and_then(|part| part.to_str()).unwrap_or_default();
    let Some(allowed) = allowed(name) else {
        return vec![Finding::new(
            manifest,
            0,
            format!("{name} is no crate of ARCHITECTURE.md: give the reason there"),
        )];
    };
    let mut findings = Vec::new();
    for (line, dependency) in dependencies(&manifest.text) {
        if is_own(&dependency) && !allowed.contains(&dependency.as_str()) {
            let what = format!("{name} may not import {dependency} (ARCHITECTURE.md, Crates)");
            findings.push(Finding::new(manifest, line, what));
        }
        for (reserved, users, why) in RESERVED {
            if reserved.contains(&dependency.as_str()) && !users.contains(&name) {
                findings.push(Finding::new(manifest, line, format!("{name} may not use {dependency}: {why}")));
            }
        }
    }
    findings
}

fn allowed(name: &str) -> Option<Vec<&'static str>> {
    if LEAVES.contains(&name) {
        return Some(Vec::new());
    }
    let (_, list) = ARROWS.iter().find(|(from, _)| *from == name)?;
    Some(if *list == "all" { own().collect() } else { list.split(", ").collect() })
}

fn own() -> impl Iterator<Item = &'static str> {
    ARROWS.iter().map(|(name, _)| *name).chain(LEAVES)
}

fn is_own(name: &str) -> bool {
    own().any(|own| own == name)
}

/// The names under `[dependencies]` and its like for one target or the build script, with their lines. What only tests
/// use is left out.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (at, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies") && !section.ends_with("dev-dependencies");
            continue;
        }
        let name: String = line.chars().take_while(|&c| c == '_' || c == '-' || c.is_alphanumeric()).collect();
        if inside && !name.is_empty() {
            found.push((at + 1, name));
        }
    }
    found
}

#[test]
fn reads_dependencies() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nwire.workspace = true\n# b\nproc-x = { version = \"1\" }\n\
                    [dev-dependencies]\nproptest = \"1\"\n[target.'cfg(unix)'.dependencies]\nrustix = \"1\"\n";
    let names: Vec<String> = dependencies(manifest).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["wire", "proc-x", "rustix"]);
}

#[test]
fn finds_imports_that_point_up() {
    let manifest = |name: &str, dependency: &str| {
        let text = format!("[dependencies]\n{dependency}.workspace = true\n");
        [TextFile::sample(&format!("crates/{name}/Cargo.toml"), &text)]
    };
    for (name, dependency) in
        [("bedloe", "lab"), ("lab", "net"), ("proxy", "wire"), ("net", "tokio"), ("bedloe", "anyhow")]
    {
        assert!(against_the_arrows(&manifest(name, dependency)).is_empty(), "{name} -> {dependency}");
    }
    for (name, dependency) in
        [("net", "proxy"), ("wire", "conf"), ("proxy", "load"), ("conf", "tokio"), ("net", "hyper"), ("extra", "wire")]
    {
        assert_eq!(against_the_arrows(&manifest(name, dependency)).len(), 1, "{name} -> {dependency}");
    }
}
