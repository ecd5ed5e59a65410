//! The `user` directive, which is not served yet: whether its names exist, and a warning to who relies on it.

use std::process::{Command, Stdio};

use conf::Diagnostic;
use conf::tree::{Account, Config};
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
    let mut found: Vec<Diagnostic> =
        [unknown("user", "passwd", user), unknown("group", "group", groups)].into_iter().flatten().collect();
    if found.is_empty() {
        let message = format!("\"user {}\" has no effect yet: \"run\" keeps the user that starts it, root", user.name);
        let help = format!(
            "start it as that user: in systemd User={} and AmbientCapabilities=CAP_NET_BIND_SERVICE, or by runuser",
            user.name
        );
        found.push(Diagnostic::warning("user-not-served", &user.place, message).help(help));
    }
    found
}

fn unknown(kind: &str, database: &str, account: &Account) -> Option<Diagnostic> {
    let Account { name, place } = account;
    let text = std::fs::read_to_string(format!("/etc/{database}")).unwrap_or_default();
    if lists(&text, name) || is_known_elsewhere(database, name) {
        return None;
    }
    Some(Diagnostic::error("unknown-user", place, format!("this machine has no {kind} \"{name}\"")))
}

fn lists(text: &str, name: &str) -> bool {
    text.lines().any(|line| line.split_once(':').is_some_and(|(listed, _)| listed == name))
}

/// Whether a directory service such as LDAP has the name; where `getent` is missing there is none to ask.
fn is_known_elsewhere(database: &str, name: &str) -> bool {
    let mut getent = Command::new("getent");
    getent.args([database, "--", name]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    !name.is_empty() && getent.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn names_are_compared_whole() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n";
        for (name, expected) in [("root", true), ("www-data", true), ("www", false), ("", false), ("x", false)] {
            assert_eq!(lists(passwd, name), expected, "{name:?}");
        }
    }
}
