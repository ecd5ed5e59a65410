//! Places that must say the same: the README's two commands and what CI runs, ARCHITECTURE.md's arrows and the ones
//! that are checked, the crates and the bans that clippy holds
//! them to, dependencies and the table of their reasons.

use super::Finding;
use super::arrows::{ARROWS, LEAVES};
use super::files::{Project, TextFile};

pub(super) fn disagreements(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, rule) in [("README.md", commands as fn(&TextFile) -> Vec<Finding>), ("ARCHITECTURE.md", arrows)] {
        match project.find(path) {
            Some(file) => findings.extend(rule(file)),
            None => findings.push(Finding::new(&TextFile::sample(path, ""), 0, "is missing")),
        }
    }
    findings.extend(bans(project));
    findings.extend(unexplained(project));
    findings
}

/// Which bans hold for which crates; the others have the file at the root.
const BANS: [(&str, &[&str]); 2] = [
    ("clippy-pure.toml", &["conf", "route", "wire", "balance", "metrics"]),
    ("clippy-data-plane.toml", &["net", "proxy", "load"]),
];

/// Each crate's `clippy.toml` is a link to its group's, which here reads as the same text.
fn bans(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (shared, crates) in BANS {
        let wanted = project.find(shared).map(|file| &file.text);
        for name in crates {
            let path = format!("crates/{name}/clippy.toml");
            if wanted.is_none() || project.find(&path).map(|file| &file.text) != wanted {
                findings.push(Finding::new(&TextFile::sample(&path, ""), 0, format!("must be a link to {shared}")));
            }
        }
    }
    findings
}

/// Every outside crate of the workspace stands in ARCHITECTURE.md with its reason.
fn unexplained(project: &Project) -> Vec<Finding> {
    let (Some(manifest), Some(page)) = (project.find("Cargo.toml"), project.find("ARCHITECTURE.md")) else {
        return Vec::new();
    };
    let table = page.text.split("\n## Dependencies\n").nth(1).unwrap_or_default();
    let section = manifest.text.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('[')).filter(|line| !line.contains("path = "));
    let names = lines.filter_map(|line| line.split_once(" =")).map(|(name, _)| name);
    names
        .filter(|name| !table.contains(&format!("`{name}`")))
        .map(|name| Finding::new(page, 0, format!("does not say why {name} is used (Dependencies)")))
        .collect()
}

/// `.ci/run` takes its commands from the first `sh` block of the README: the lab, then the tests.
fn commands(readme: &TextFile) -> Vec<Finding> {
    let lines = readme.text.lines().skip_while(|line| *line != "```sh").skip(1).take_while(|line| *line != "```");
    let commands: Vec<&str> = lines.collect();
    let wanted = ["cargo run --release -- lab", "cargo test "];
    let fits =
        commands.len() == wanted.len() && commands.iter().zip(wanted).all(|(line, start)| line.starts_with(start));
    if fits {
        return Vec::new();
    }
    vec![Finding::new(readme, 0, format!("its first `sh` block must be two lines that begin with {wanted:?}"))]
}

fn arrows(page: &TextFile) -> Vec<Finding> {
    let said = page.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = ARROWS.iter().map(|(from, to)| format!("{from} -> {to}"));
    let wanted = wanted.chain([format!("{} -> none of ours", LEAVES.join(", "))]);
    wanted
        .filter(|line| !said.contains(line))
        .map(|line| Finding::new(page, 0, format!("does not show `{line}`")))
        .collect()
}

#[test]
fn reads_the_two_commands() {
    let good = "# b\n```sh\ncargo run --release -- lab   # the lab\ncargo test --workspace\n```\n";
    let swapped = "```sh\ncargo test --workspace\ncargo run --release -- lab\n```\n";
    assert!(commands(&TextFile::sample("README.md", good)).is_empty());
    assert_eq!(commands(&TextFile::sample("README.md", swapped)).len(), 1);
    assert_eq!(commands(&TextFile::sample("README.md", "nothing")).len(), 1);
}

#[test]
fn wants_every_arrow_shown() {
    assert_eq!(arrows(&TextFile::sample("ARCHITECTURE.md", "")).len(), ARROWS.len() + 1);
    let page = "bedloe -> all\nlab    -> proxy, load, host, metrics, net   net -> wire\n";
    assert_eq!(arrows(&TextFile::sample("ARCHITECTURE.md", page)).len(), ARROWS.len() + 1 - 3);
}

#[test]
fn wants_the_bans_linked() {
    let shared = BANS.map(|(name, _)| TextFile::sample(name, name));
    let links = BANS.iter().flat_map(|(shared, crates)| {
        crates.iter().map(move |name| TextFile::sample(&format!("crates/{name}/clippy.toml"), shared))
    });
    let mut files: Vec<TextFile> = shared.into_iter().chain(links).collect();
    assert!(bans(&Project::of(files.clone(), Vec::new())).is_empty());
    files.pop();
    assert_eq!(bans(&Project::of(files, Vec::new())).len(), 1);
}

#[test]
fn wants_a_reason_for_each_dependency() {
    let manifest =
        "[workspace.dependencies]\nwire = { path = \"x\" }\nregex = \"1\"\nglob = \"1\"\n\n[profile.dist]\nlto = 1\n";
    let page = "uses `glob`\n## Dependencies\n| `regex` | patterns |\n";
    let files = vec![TextFile::sample("Cargo.toml", manifest), TextFile::sample("ARCHITECTURE.md", page)];
    let found = unexplained(&Project::of(files, Vec::new()));
    assert_eq!(found.len(), 1);
    assert!(found[0].what.contains("why glob is used"));
}
