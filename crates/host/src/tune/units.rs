//! What a service of systemd may have open: `LimitNOFILE` of its unit and of the pieces that are dropped in beside it.

use std::collections::BTreeMap;

use super::limits::{Limits, limit};
use super::root::Root;

/// The name of our piece. Pieces are read by the order of their names, and the last one holds.
const PIECE: &str = "zz-bedloe.conf";
/// Where units stand, the first folder with a name wins.
const FOLDERS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// What systemd gives a service that says nothing, since version 240.
const DEFAULT: Limits = Limits { soft: 1024, hard: 524_288 };

/// A service's limit of open files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) limits: Limits,
    /// The file that sets it; `None` is systemd's default.
    pub(super) place: Option<String>,
    /// Whether a piece of ours would not be the last word.
    pub(super) is_above_ours: bool,
}

/// Whether the host is one of systemd.
pub(super) fn has_systemd(root: &Root) -> bool {
    ["etc/systemd", "usr/lib/systemd/system", "lib/systemd/system"].iter().any(|folder| root.has(folder))
}

/// Where our piece for a service stands.
pub(super) fn piece(service: &str) -> String {
    format!("etc/systemd/system/{service}.service.d/{PIECE}")
}

/// Names of services that are installed.
pub(super) fn names(root: &Root) -> Vec<String> {
    let all = FOLDERS.iter().flat_map(|folder| root.list(folder));
    let mut names: Vec<String> = all.filter_map(|name| name.strip_suffix(".service").map(str::to_owned)).collect();
    names.sort();
    names.dedup();
    names
}

/// Reads a service's limit.
pub(super) fn service(root: &Root, name: &str) -> Service {
    let default = manager_default(root).unwrap_or(DEFAULT);
    let mut service = Service { name: name.to_owned(), limits: default, place: None, is_above_ours: false };
    let unit = FOLDERS.iter().map(|folder| format!("{folder}/{name}.service")).find(|path| root.has(path));
    for path in unit.into_iter().chain(pieces(root, name)) {
        for value in values(&root.text(&path).unwrap_or_default(), "Service", "LimitNOFILE") {
            let (limits, place) = match parsed(value) {
                Some(limits) => (limits, Some(format!("/{path}"))),
                None if value.is_empty() => (default, None),
                None => continue,
            };
            let is_piece = path.contains(".service.d/");
            let is_above_ours = is_piece && path.rsplit('/').next().is_some_and(|file| file > PIECE);
            service = Service { limits, place, is_above_ours, ..service };
        }
    }
    service
}

/// Pieces of one service from all folders, by the order of their names.
fn pieces(root: &Root, name: &str) -> Vec<String> {
    let mut files = BTreeMap::new();
    for folder in FOLDERS {
        let folder = format!("{folder}/{name}.service.d");
        for file in root.list(&folder).into_iter().filter(|file| file.ends_with(".conf")) {
            let path = format!("{folder}/{file}");
            files.entry(file).or_insert(path);
        }
    }
    files.into_values().collect()
}

fn manager_default(root: &Root) -> Option<Limits> {
    let text = root.text("etc/systemd/system.conf")?;
    values(&text, "Manager", "DefaultLimitNOFILE").last().and_then(parsed)
}

/// The values of a key in a section.
fn values<'a>(text: &'a str, section: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let mut is_inside = false;
    text.lines().map(str::trim).filter_map(move |line| {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_inside = name == section;
        }
        let (name, value) = line.split_once('=')?;
        (is_inside && name.trim() == key).then(|| value.trim())
    })
}

fn parsed(value: &str) -> Option<Limits> {
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    Some(Limits { soft: number(soft)?, hard: number(hard)? })
}

/// With systemd's suffixes of sizes.
fn number(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number = limit(digits)?;
    if shift == 0 { Some(number) } else { number.checked_mul(1 << shift) }
}

/// Our piece's text.
pub(super) fn written(limits: Limits) -> String {
    format!(
        "# Written by bedloe tune; `bedloe tune undo` takes it away.\n[Service]\nLimitNOFILE={}\n",
        limits.written("infinity")
    )
}
