//! What a user who logs in may have open: limits.conf and limits.d, as `pam_limits` reads them. Services of systemd
//! do not come by there.

use std::collections::BTreeMap;

use super::boot::folders;
use super::limits::{Limits, limit};
use super::root::Root;

/// Where ours stand. Files are read by the order of their names, after limits.conf, and the last line holds.
pub(super) const PATH: &str = "etc/security/limits.d/zz-bedloe.conf";
const FIRST: &str = "etc/security/limits.conf";
const FOLDER: &str = "etc/security/limits.d";
/// The hard limit that hosts of today begin with; it is not lowered where no file sets one.
const HARD: u64 = 524_288;

/// A user's limit of open files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    /// The user's name, or `*` for all but root.
    pub(super) user: String,
    pub(super) soft: Option<u64>,
    pub(super) hard: Option<u64>,
    /// The file that sets the soft one.
    pub(super) place: Option<String>,
    /// Whether a line of ours would not be the last word.
    pub(super) is_above_ours: bool,
}

impl Login {
    /// The limits that hold `wanted`.
    pub(super) fn with(&self, wanted: u64) -> Limits {
        Limits { soft: self.soft.unwrap_or(0), hard: self.hard.unwrap_or(HARD) }.with(wanted)
    }
}

/// Whether the host has `pam_limits` to speak to.
pub(super) fn has_limits(root: &Root) -> bool {
    root.has("etc/security")
}

/// Reads the limits of some users.
pub(super) fn logins(root: &Root, users: &[String]) -> Vec<Login> {
    let mut files: Vec<(String, String)> = root.text(FIRST).map(|text| (FIRST.to_owned(), text)).into_iter().collect();
    files.extend(folders(root, &[FOLDER]));
    users.iter().map(|user| login(&files, user)).collect()
}

fn login(files: &[(String, String)], user: &str) -> Login {
    let mut found = Login { user: user.to_owned(), soft: None, hard: None, place: None, is_above_ours: false };
    // A line for the user outweighs one for all; root is not among all.
    let domains = if user == "root" || user == "*" { vec![user] } else { vec!["*", user] };
    for domain in domains {
        for (path, text) in files {
            for [_, kind, _, value] in lines(text).filter(|line| line[0] == domain) {
                let Some(value) = limit(value) else { continue };
                if kind != "hard" {
                    let is_above_ours = domain == user && path.as_str() > PATH;
                    found = Login { soft: Some(value), place: Some(format!("/{path}")), is_above_ours, ..found };
                }
                if kind != "soft" {
                    found.hard = Some(value);
                }
            }
        }
    }
    found
}

/// Domain, type, item and value of the lines about open files.
fn lines(text: &str) -> impl Iterator<Item = [&str; 4]> {
    text.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        <[&str; 4]>::try_from(words).ok().filter(|line| line[2] == "nofile")
    })
}

/// What our own file sets, by user.
pub(super) fn own(text: &str) -> BTreeMap<String, Limits> {
    let files = [(PATH.to_owned(), text.to_owned())];
    let users: Vec<String> = lines(text).map(|line| line[0].to_owned()).collect();
    let login = |user: String| {
        let found = login(&files, &user);
        let soft = found.soft.or(found.hard)?;
        Some((user, Limits { soft, hard: found.hard.unwrap_or(soft) }))
    };
    users.into_iter().filter_map(login).collect()
}

/// Our own file's text.
pub(super) fn written(users: &BTreeMap<String, Limits>) -> String {
    let mut text =
        "# Written by bedloe tune; `bedloe tune undo` takes it away. For logins alone: services of systemd have\n\
        # LimitNOFILE in their unit.\n"
            .to_owned();
    for (user, limits) in users {
        for (kind, value) in [("soft", limits.soft), ("hard", limits.hard)] {
            let value = if value == u64::MAX { "unlimited".to_owned() } else { value.to_string() };
            text += &format!("{user} {kind} nofile {value}\n");
        }
    }
    text
}
