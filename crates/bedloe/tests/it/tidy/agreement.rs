//! Places that must say the same: the README's two commands and what CI runs, ARCHITECTURE.md's arrows and the ones
//! that are checked.

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
    findings
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
