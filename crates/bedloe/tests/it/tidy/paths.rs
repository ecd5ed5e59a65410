//! No file names a path that exists on one machine only: somebody's home, a checkout, a temporary folder.

use super::Finding;
use super::files::TextFile;

/// How such paths begin; written in two parts, so that this file does not name them.
const BEGINNINGS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/tm", "p/"), concat!("/wo", "rk/")];

pub(super) fn machine_paths(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for beginning in BEGINNINGS {
            if line.match_indices(beginning).any(|(column, _)| is_path(line, column, beginning.len())) {
                findings.push(Finding::new(file, at + 1, format!("{beginning} is a path of one machine")));
            }
        }
    }
    findings
}

/// Whether an absolute path begins here, with something after the folder's name.
fn is_path(line: &str, at: usize, length: usize) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-~/})*".contains(c);
    !line[..at].ends_with(inside) && line[at + length..].starts_with(|c: char| c.is_alphanumeric() || "._".contains(c))
}

#[test]
fn tells_absolute_paths_from_others() {
    let [home, root, temporary, work] = BEGINNINGS;
    let bad =
        [format!("see {home}joe/a"), format!("\"{root}.cargo\""), format!("({temporary}x)"), format!("cd={work}a")];
    let good = [
        format!("https://example.com{home}a"),
        format!("examples{work}a"),
        format!("$(pwd){temporary}a"),
        format!("location {home} {{"),
        "/worker/a /rooted".to_owned(),
    ];
    for line in bad {
        assert_eq!(machine_paths(&TextFile::sample("a.md", &line)).len(), 1, "{line}");
    }
    for line in good {
        assert!(machine_paths(&TextFile::sample("a.md", &line)).is_empty(), "{line}");
    }
}
