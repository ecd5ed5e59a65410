//! Files of passwords (`auth_basic_user_file`). As for nginx, one that is missing or wrong is no error: it lets nobody
//! in, which is worth a warning.

use conf::{Diagnostic, Loader, NeededFile};

use crate::files;

/// Users told in one finding.
const USERS_TOLD: usize = 3;

/// What is amiss with one of them.
pub(super) fn findings(file: &NeededFile) -> Option<Diagnostic> {
    let path = file.path.display();
    let text = match files::System.read(&file.path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read the file of passwords {path}: {error}: nobody can enter");
            return Some(Diagnostic::warning("file-unreadable", &file.place, message));
        }
    };
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let users: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let stored = |rest: &str| rest.split(':').next().unwrap_or_default().as_bytes().to_vec();
    let unknown: Vec<&str> =
        users.iter().filter(|(_, rest)| !proxy::is_known_password(&stored(rest))).map(|(user, _)| *user).collect();
    let (message, help) = if users.is_empty() {
        (format!("no user is in the file of passwords {path}: nobody can enter"), None)
    } else if unknown.is_empty() {
        return None;
    } else {
        let told = unknown.iter().take(USERS_TOLD).copied().collect::<Vec<_>>().join(", ");
        let more = unknown.len().saturating_sub(USERS_TOLD);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("the passwords of {told}{more} in {path} are stored in a way that is not known here");
        (message, Some("write them anew: htpasswd -B (bcrypt), or openssl passwd -6; DES and yescrypt are not known"))
    };
    let found = Diagnostic::warning("password-unusable", &file.place, message);
    Some(help.into_iter().fold(found, Diagnostic::help))
}
