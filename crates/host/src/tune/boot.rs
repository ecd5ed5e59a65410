//! What the kernel's settings become when the host starts: the folders of `sysctl` and of `systemd-tmpfiles`, read in
//! the order in which these programs do.

use std::collections::BTreeMap;

use super::root::Root;

/// Where our own settings of `sysctl` stand. Files are read by the order of their names, and the last one holds.
pub(super) const SYSCTL: &str = "etc/sysctl.d/99-zz-bedloe.conf";
/// Where our own settings below `/sys` stand. Of two lines for one path the first one holds.
pub(super) const TMPFILES: &str = "etc/tmpfiles.d/00-bedloe.conf";
/// Our list of modules that are loaded before settings of `sysctl` are.
pub(super) const MODULES: &str = "etc/modules-load.d/zz-bedloe.conf";
/// What those of conntrack begin with, and its module.
pub(super) const CONNTRACK: (&str, &str) = ("net.netfilter.", "nf_conntrack");

const SYSCTL_FOLDERS: [&str; 5] =
    ["etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d"];
/// Read by `sysctl --system` after all others.
const SYSCTL_LAST: &str = "etc/sysctl.conf";
const TMPFILES_FOLDERS: [&str; 3] = ["etc/tmpfiles.d", "run/tmpfiles.d", "usr/lib/tmpfiles.d"];

/// A value that a file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BootValue {
    pub(super) value: String,
    /// The file and line.
    pub(super) place: String,
    /// Whether a line of ours would come too late, or too early, to matter.
    pub(super) is_above_ours: bool,
}

/// By the setting's name, as in `net.core.somaxconn` or `/sys/kernel/...`.
pub(super) type BootValues = BTreeMap<String, BootValue>;

/// Reads them all.
pub(super) fn read(root: &Root) -> BootValues {
    let mut values = BootValues::new();
    let last = root.text(SYSCTL_LAST).map(|text| (SYSCTL_LAST.to_owned(), text));
    for (path, text) in folders(root, &SYSCTL_FOLDERS).into_iter().chain(last) {
        let is_above_ours = path == SYSCTL_LAST || name(&path) > name(SYSCTL);
        for (line, key, value) in sysctl_lines(&text) {
            values.insert(key, BootValue { value, place: format!("/{path}:{line}"), is_above_ours });
        }
    }
    for (path, text) in folders(root, &TMPFILES_FOLDERS) {
        let is_above_ours = name(&path) < name(TMPFILES);
        for (line, key, value) in tmpfiles_lines(&text) {
            values.entry(key).or_insert(BootValue { value, place: format!("/{path}:{line}"), is_above_ours });
        }
    }
    values
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The `.conf` files of some folders in the order of their names; of two with one name that of the earlier folder.
pub(super) fn folders(root: &Root, folders: &[&str]) -> Vec<(String, String)> {
    let mut files = BTreeMap::new();
    for folder in folders {
        for name in root.list(folder).into_iter().filter(|name| name.ends_with(".conf") && !name.starts_with('.')) {
            let path = format!("{folder}/{name}");
            // One that leads to nothing, as to /dev/null, still hides its namesakes.
            files.entry(name).or_insert_with(|| (path.clone(), root.text(&path).unwrap_or_default()));
        }
    }
    files.into_values().collect()
}

/// Line numbers, names and values of a file of `sysctl`.
pub(super) fn sysctl_lines(text: &str) -> impl Iterator<Item = (usize, String, String)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            return None;
        }
        let (key, value) = line.split_once('=')?;
        let key = key.trim().trim_start_matches('-').trim();
        Some((at + 1, dotted(key), normal(value)))
    })
}

/// The same of one of `systemd-tmpfiles`, for lines that write into the kernel's files.
pub(super) fn tmpfiles_lines(text: &str) -> impl Iterator<Item = (usize, String, String)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let mut words = line.split_whitespace();
        let (kind, path) = (words.next()?, words.next()?);
        let value = words.skip(4).collect::<Vec<_>>().join(" ");
        (kind.starts_with('w') && path.starts_with("/sys/")).then(|| (at + 1, path.to_owned(), value))
    })
}

/// `net/core/somaxconn` and `net.core.somaxconn` are one; in the former a point belongs to the name.
fn dotted(key: &str) -> String {
    let is_path = key.find(['.', '/']).is_some_and(|at| key[at..].starts_with('/'));
    if !is_path {
        return key.to_owned();
    }
    key.chars()
        .map(|c| {
            if c == '/' {
                '.'
            } else if c == '.' {
                '/'
            } else {
                c
            }
        })
        .collect()
}

/// A value with single spaces, as values are compared.
pub(super) fn normal(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}
