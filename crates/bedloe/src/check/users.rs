//! The `user` directive: whether its names exist on this machine, as the worker will look for them.

use conf::Diagnostic;
use conf::span::Place;
use conf::tree::{Account, Config};
use nix::unistd::{Group, User};
use rustix::process::geteuid;

/// nginx's own defaults, where root starts it and no `user` is written.
pub(crate) const DEFAULT_USER: &str = "nobody";
/// The first of them that is there.
pub(crate) const DEFAULT_GROUPS: [&str; 2] = ["nobody", "nogroup"];

/// Findings where a `user` is written, or at the beginning where none is. As in nginx, only a process of root could
/// change its user, and looks.
pub(super) fn findings(config: &Config, nowhere: &Place) -> Vec<Diagnostic> {
    let is_root = geteuid().is_root();
    let has_user = |name: &str| User::from_name(name).is_ok_and(|user| user.is_some());
    let has_group = |name: &str| Group::from_name(name).is_ok_and(|group| group.is_some());
    let Some((user, group)) = &config.main.user else {
        let is_served = !is_root || (has_user(DEFAULT_USER) && DEFAULT_GROUPS.into_iter().any(has_group));
        let message = format!("this machine has no user {DEFAULT_USER}, which serves where none is named");
        let missing = || Diagnostic::error("unknown-user", nowhere, message).help("write \"user NAME;\"");
        return (!is_served).then(missing).into_iter().collect();
    };
    if !is_root {
        let message = "\"user\" has no effect: this process is not root's and cannot change its user";
        return vec![Diagnostic::note("no-effect", &user.place, message)];
    }
    // Without a group nginx takes the one that is named like the user.
    let groups = group.as_ref().unwrap_or(user);
    [unknown("user", has_user, user), unknown("group", has_group, groups)].into_iter().flatten().collect()
}

fn unknown(kind: &str, is_known: impl Fn(&str) -> bool, account: &Account) -> Option<Diagnostic> {
    let Account { name, place } = account;
    let message = || format!("this machine has no {kind} \"{name}\"");
    (!is_known(name)).then(|| Diagnostic::error("unknown-user", place, message()))
}
