//! What a service of systemd may have open: `LimitNOFILE` of its unit and of the pieces that are dropped in beside it.

use std::collections::BTreeMap;

use super::boot::folders;
use super::limits::{Limits, limit};
use super::plan::{MARK, edited};
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
/// Where systemd's own settings stand.
const MANAGER: [&str; 4] = ["etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"];
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

/// Whether systemd takes it for the name of a service, which here is without `.service`.
pub fn is_service_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.@:\\".contains(c);
    !name.is_empty() && name.len() < 200 && !name.starts_with('.') && name.chars().all(is_part)
}

/// Names of services that are installed.
pub(super) fn names(root: &Root) -> Vec<String> {
    let all = FOLDERS.iter().flat_map(|folder| root.list(folder));
    let names = all.filter_map(|name| name.strip_suffix(".service").map(str::to_owned));
    let mut names: Vec<String> = names.filter(|name| is_service_name(name)).collect();
    names.sort();
    names.dedup();
    names
}

/// Reads a service's limit.
pub(super) fn service(root: &Root, name: &str) -> Service {
    let default = manager_default(root).unwrap_or(DEFAULT);
    let mut service = Service { name: name.to_owned(), limits: default, place: None, is_above_ours: false };
    let unit = unit(root, name).map(|path| (path, false));
    for (path, is_piece) in unit.into_iter().chain(pieces(root, name).into_iter().map(|path| (path, true))) {
        for value in values(&root.text(&path).unwrap_or_default(), "Service", "LimitNOFILE") {
            let (limits, place) = match parsed(value) {
                Some(limits) => (limits, Some(format!("/{path}"))),
                None if value.is_empty() => (default, None),
                None => continue,
            };
            let is_above_ours = is_piece && path.rsplit('/').next().is_some_and(|file| file > PIECE);
            service = Service { limits, place, is_above_ours, ..service };
        }
    }
    service
}

/// The unit's file: its own, or that of the template it is made from.
fn unit(root: &Root, name: &str) -> Option<String> {
    let names = [Some(name.to_owned()), template(name)];
    let paths = names.into_iter().flatten().flat_map(|name| FOLDERS.map(|folder| format!("{folder}/{name}.service")));
    paths.into_iter().find(|path| root.has(path))
}

/// `liberty@` of `liberty@shop`.
fn template(name: &str) -> Option<String> {
    name.split_once('@').filter(|(_, instance)| !instance.is_empty()).map(|(head, _)| format!("{head}@"))
}

/// Pieces of one service from all folders, by the order of their names: its own, its template's, those of names that
/// begin as it does (`shop-` of `shop-web`), and those of all services.
fn pieces(root: &Root, name: &str) -> Vec<String> {
    let beginnings = name.match_indices('-').map(|(at, _)| &name[..=at]).rev();
    let names = [name].into_iter().map(str::to_owned).chain(template(name)).chain(beginnings.map(str::to_owned));
    let mut folders: Vec<String> = names.map(|name| format!("{name}.service.d")).collect();
    folders.push("service.d".to_owned());
    let mut files = BTreeMap::new();
    for folder in folders.iter().flat_map(|name| FOLDERS.map(|folder| format!("{folder}/{name}"))) {
        for file in root.list(&folder).into_iter().filter(|file| file.ends_with(".conf")) {
            let path = format!("{folder}/{file}");
            files.entry(file).or_insert(path);
        }
    }
    files.into_values().collect()
}

fn manager_default(root: &Root) -> Option<Limits> {
    let main = MANAGER.iter().find_map(|folder| root.text(&format!("{folder}/system.conf"))).unwrap_or_default();
    let pieces = folders(root, &MANAGER.map(|folder| format!("{folder}/system.conf.d")).each_ref().map(String::as_str));
    let texts = [main].into_iter().chain(pieces.into_iter().map(|(_, text)| text));
    texts.filter_map(|text| values(&text, "Manager", "DefaultLimitNOFILE").filter_map(parsed).last()).next_back()
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

/// Our piece's text; other lines of it stay, for somebody may have added them.
pub(super) fn written(now: &str, limits: Limits) -> String {
    let line = format!("LimitNOFILE={}\n", limits.written("infinity"));
    let is_key = |line: &str| line.split_once('=').is_some_and(|(key, _)| key.trim() == "LimitNOFILE");
    if values(now, "Service", "LimitNOFILE").next().is_none() {
        return edited(now, MARK, is_key, [format!("[Service]\n{line}")].into_iter());
    }
    now.lines().map(|old| if is_key(old) { line.clone() } else { format!("{old}\n") }).collect()
}
