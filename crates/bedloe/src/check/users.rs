//! The `user` directive: whether its names exist on this machine, as the worker will look for them.

use conf::Diagnostic;
use conf::tree::{Account, Config};
use nix::unistd::{Group, User};
use rustix::process::geteuid;

/// Findings where a `user` is written. As in nginx, only a process of root could change its user, and looks.
pub(super) fn findings(config: &Config) -> Vec<Diagnostic> {
    let Some((user, group)) = &config.main.user else { return Vec::new() };
    if !geteuid().is_root() {
        let message = "\"user\" has no effect: this process is not root's and cannot change its user";
        return vec![Diagnostic::note("no-effect", &user.place, message)];
    }
    // Without a group nginx takes the one that is named like the user.
    let groups = group.as_ref().unwrap_or(user);
    let has_user = |name: &str| User::from_name(name).is_ok_and(|user| user.is_some());
    let has_group = |name: &str| Group::from_name(name).is_ok_and(|group| group.is_some());
    [unknown("user", has_user, user), unknown("group", has_group, groups)].into_iter().flatten().collect()
}

fn unknown(kind: &str, is_known: impl Fn(&str) -> bool, account: &Account) -> Option<Diagnostic> {
    let Account { name, place } = account;
    let message = || format!("this machine has no {kind} \"{name}\"");
    (!is_known(name)).then(|| Diagnostic::error("unknown-user", place, message()))
}
