//! Links in Markdown files lead to files and headings that exist. Addresses on the network are not asked.

use std::path::{Component, Path, PathBuf};

use super::Finding;
use super::files::{Project, TextFile};

pub(super) fn dead_links(project: &Project) -> Vec<Finding> {
    let documents = project.text.iter().filter(|file| file.path.extension().is_some_and(|extension| extension == "md"));
    documents.flat_map(|file| dead_links_of(file, project)).collect()
}

fn dead_links_of(file: &TextFile, project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, link) in links(&file.text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
        let target = if path.is_empty() { file.path.clone() } else { resolved(&file.path, path) };
        let exists = project.paths.iter().any(|known| known.starts_with(&target));
        if !exists {
            findings.push(Finding::new(file, line, format!("{link} leads to no file of the project")));
        } else if !heading.is_empty() && !has_heading(project, &target, heading) {
            findings.push(Finding::new(file, line, format!("{link} leads to no heading of {}", target.display())));
        }
    }
    findings
}

/// The targets of `[text](target)` and of `src="target"`, outside of code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
        for (opening, closing) in [("](", ')'), ("src=\"", '"')] {
            for piece in prose.split(opening).skip(1) {
                if let Some((target, _)) = piece.split_once(closing) {
                    found.push((at + 1, target.to_owned()));
                }
            }
        }
    }
    found
}

fn resolved(from: &Path, link: &str) -> PathBuf {
    let mut path = from.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

fn has_heading(project: &Project, target: &Path, heading: &str) -> bool {
    let file = project.text.iter().find(|file| file.path == target);
    let headings = file.into_iter().flat_map(|file| file.text.lines()).filter_map(|line| line.strip_prefix('#'));
    headings.map(|line| line.trim_start_matches('#').trim()).any(|title| anchor(title) == heading)
}

/// The anchor of a heading, as the usual viewers make it.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|&c| c == ' ' || c == '-' || c == '_' || c.is_alphanumeric());
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn finds_dead_links() {
    let file = TextFile::sample(
        "docs/a.md",
        "[ok](../README.md) [ok](b/) [ok](#one-two) ![ok](c.svg) [net](https://a.b/c)\n\
         [bad](missing.md) [bad](../README.md#none)\n`[code](x)`\n```\n[code](y)\n```\n# One, two\n",
    );
    let readme = TextFile::sample("README.md", "# Title\n");
    let paths = ["README.md", "docs/a.md", "docs/b/d.md", "docs/c.svg"].map(PathBuf::from).to_vec();
    let project = Project::of(vec![readme, file], paths);
    let found: Vec<String> = dead_links(&project).into_iter().map(|finding| finding.what).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("missing.md") && found[1].starts_with("../README.md#none"));
}
