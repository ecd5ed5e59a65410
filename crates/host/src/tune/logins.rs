//! What a user who logs in may have open: limits.conf and limits.d, as `pam_limits` reads them. Services of systemd
//! do not come by there.

use std::collections::BTreeMap;

use super::boot::folders;
use super::limits::{Limits, limit};
use super::plan::{MARK, edited};
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
    /// The limits that hold `wanted`, up to what any process may have.
    pub(super) fn with(&self, wanted: u64, cap: u64) -> Limits {
        let Limits { soft, hard } =
            Limits { soft: self.soft.unwrap_or(0), hard: self.hard.unwrap_or(HARD) }.with(wanted);
        Limits { soft: soft.min(cap), hard: hard.min(cap) }
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
    users.iter().map(|user| login(&files, user, &groups(root, user))).collect()
}

/// Names of the groups that a user is in.
fn groups(root: &Root, user: &str) -> Vec<String> {
    let text = |path| root.text(path).unwrap_or_default();
    let users = text("etc/passwd");
    let own = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == user);
    let own = own.and_then(|fields| fields.get(3).map(|id| (*id).to_owned()));
    let groups = text("etc/group");
    let groups = groups.lines().filter_map(|line| <[&str; 4]>::try_from(line.split(':').collect::<Vec<_>>()).ok());
    let is_in = |id: &str, members: &str| own.as_deref() == Some(id) || members.split(',').any(|member| member == user);
    groups.filter(|[_, _, id, members]| is_in(id, members)).map(|[name, ..]| name.to_owned()).collect()
}

fn login(files: &[(String, String)], user: &str, groups: &[String]) -> Login {
    let mut found = Login { user: user.to_owned(), soft: None, hard: None, place: None, is_above_ours: false };
    // A line for the user outweighs one for a group, and that one for all; neither of these counts for root.
    let is_group = |domain: &str| domain.strip_prefix('@').is_some_and(|name| groups.iter().any(|group| group == name));
    let is_of = |rank: usize, domain: &str| match rank {
        _ if domain == user => rank == 2,
        _ if user == "root" || user == "*" => false,
        0 => domain == "*",
        rank => rank == 1 && is_group(domain),
    };
    for rank in 0..3 {
        for (path, text) in files {
            for [domain, kind, _, value] in lines(text).filter(|line| is_of(rank, line[0])) {
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

/// Our own file's text with these limits; other lines of it stay, for somebody may have added them.
pub(super) fn written(now: &str, users: &BTreeMap<String, Limits>) -> String {
    let head = format!("{MARK}# For logins alone: services of systemd have LimitNOFILE in their unit.\n");
    let is_replaced = |line: &str| lines(line).any(|[user, ..]| users.contains_key(user));
    let value = |limit: u64| if limit == u64::MAX { "unlimited".to_owned() } else { limit.to_string() };
    let new = users.iter().flat_map(|(user, limits)| {
        [("soft", limits.soft), ("hard", limits.hard)]
            .map(|(kind, limit)| format!("{user} {kind} nofile {}\n", value(limit)))
    });
    edited(now, &head, is_replaced, new)
}
