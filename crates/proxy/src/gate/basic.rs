//! `auth_basic`: the name and password of a request, and the file that knows them.

use std::io::{self, Read};

use route::Basic;
use wire::{Known, RequestHead, encode, find};

use super::Said;
use super::crypt::{self, Checked};
use crate::answer;
use crate::basic::decode;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::files::{self, Opened};
use crate::limits::USER_FILE_MAX;
use crate::request::Routed;

/// Asks for a name and a password that the file has.
pub(super) async fn ask(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, basic: &Basic) -> Said {
    let mut realm = Vec::new();
    answer::render(connection, exchange, routed, &basic.realm, &mut realm);
    if realm == b"off" {
        return Said::Nothing;
    }
    let Some((user, password)) = credentials(&exchange.request, connection.head_bytes()) else {
        connection.log_info(exchange, routed, "no user/password was provided for basic authentication");
        return challenge(exchange, &realm);
    };
    let shown = String::from_utf8_lossy(&user).escape_debug().to_string();
    let mut path = Vec::new();
    answer::render(connection, exchange, routed, &basic.file, &mut path);
    let stored = match stored(&path, &user) {
        Ok(stored) => stored,
        Err(error) => {
            let what = format!("cannot read the user file \"{}\": {error}", String::from_utf8_lossy(&path));
            connection.log_failure(exchange, routed, &what, None);
            return Said::Refused(if error.kind() == io::ErrorKind::NotFound { 403 } else { 500 });
        }
    };
    let Some(stored) = stored else {
        let what = format!("user \"{shown}\" was not found in \"{}\"", String::from_utf8_lossy(&path));
        connection.log_failure(exchange, routed, &what, None);
        return challenge(exchange, &realm);
    };
    match crypt::check(&routed.site.snapshot.verifier, &password, &stored).await {
        Checked::Same => Said::Enter,
        Checked::Other => {
            connection.log_failure(exchange, routed, &format!("user \"{shown}\": password mismatch"), None);
            challenge(exchange, &realm)
        }
        Checked::Unknown => {
            let what = format!("user \"{shown}\": the password is stored in a way that is not known");
            connection.log_failure(exchange, routed, &what, None);
            Said::Refused(500)
        }
        Checked::Busy => {
            connection.log_failure(exchange, routed, "too many passwords are being checked", None);
            Said::Refused(503)
        }
    }
}

/// The name and the password of `Authorization: Basic ...`.
fn credentials(request: &RequestHead, head: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let value = find(&request.fields, Known::Authorization)?.value.of(head);
    let is_basic = value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "));
    let encoded = value.get(6..).filter(|_| is_basic)?.trim_ascii();
    let mut decoded = Vec::new();
    if !decode(encoded, &mut decoded) {
        return None;
    }
    let colon = memchr::memchr(b':', &decoded).filter(|colon| *colon > 0)?;
    Some((decoded[..colon].to_vec(), decoded[colon + 1..].to_vec()))
}

/// Has the client ask its user.
fn challenge(exchange: &mut Exchange, realm: &[u8]) -> Said {
    exchange.kept_fields.clear();
    exchange.kept_fields.extend_from_slice(b"WWW-Authenticate: Basic realm=\"");
    if !encode::breaks_line(realm) {
        exchange.kept_fields.extend_from_slice(realm);
    }
    exchange.kept_fields.extend_from_slice(b"\"\r\n");
    Said::Refused(401)
}

/// What the file has of a user: what stands between the first colon and the next, or the line's end.
fn stored(path: &[u8], user: &[u8]) -> io::Result<Option<Vec<u8>>> {
    // A pipe would have the thread wait for whoever writes to it.
    let Opened::File(file, _) = files::open(path)? else {
        return Err(io::Error::other("it is not a regular file"));
    };
    let mut text = Vec::new();
    file.take(USER_FILE_MAX + 1).read_to_end(&mut text)?;
    // What is cut off would be another password, and may be none.
    if text.len() as u64 > USER_FILE_MAX {
        return Err(io::Error::other(format!("it is larger than {USER_FILE_MAX} bytes")));
    }
    Ok(find_user(&text, user).map(<[u8]>::to_vec))
}

fn find_user<'t>(text: &'t [u8], user: &[u8]) -> Option<&'t [u8]> {
    text.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| line.first() != Some(&b'#')).find_map(|line| {
        let rest = line.strip_prefix(user)?.strip_prefix(b":")?;
        Some(&rest[..memchr::memchr(b':', rest).unwrap_or(rest.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_in_their_file() {
        let text = b"# a comment\nann:{PLAIN}x\r\nbob:$apr1$y:a comment\n#eve:z\nempty:\nann:second";
        let table = [
            ("ann", Some("{PLAIN}x")),
            ("bob", Some("$apr1$y")),
            ("empty", Some("")),
            ("eve", None),
            ("an", None),
            ("", None),
        ];
        for (user, expected) in table {
            assert_eq!(find_user(text, user.as_bytes()), expected.map(str::as_bytes), "{user}");
        }
    }

    #[test]
    fn files_that_are_none_or_too_large_let_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).into_os_string().into_encoded_bytes();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(stored(&path("pipe"), b"ann").unwrap_err().to_string().contains("not a regular file"));
        assert!(stored(&path(""), b"ann").unwrap_err().to_string().contains("not a regular file"));
        let name = b"ann:{PLAIN}";
        let most = usize::try_from(USER_FILE_MAX).unwrap();
        let mut text = b"#\n".repeat(most / 2 + 1);
        text.truncate(most - name.len() - 1);
        text.extend_from_slice(b"\nann:{PLAIN}");
        std::fs::write(folder.path().join("users"), &text).unwrap();
        assert_eq!(stored(&path("users"), b"ann").unwrap().as_deref(), Some(&b"{PLAIN}"[..]));
        text.extend_from_slice(b"secret");
        std::fs::write(folder.path().join("users"), &text).unwrap();
        assert!(stored(&path("users"), b"ann").unwrap_err().to_string().contains("larger than"));
    }

    #[test]
    fn requests_have_credentials() {
        let table = [
            ("Basic YTpi", Some(("a", "b"))),
            ("bAsIc YTpiOmM=", Some(("a", "b:c"))),
            ("Basic YTo=", Some(("a", ""))),
            ("Basic OmI=", None),
            ("Basic YQ==", None),
            ("Basic !", None),
            ("Bearer YTpi", None),
        ];
        for (value, expected) in table {
            let text = format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {value}\r\n\r\n");
            let mut request = RequestHead::new();
            request.parse(text.as_bytes(), &wire::Limits::default()).unwrap();
            let expected = expected.map(|(user, password)| (user.as_bytes().to_vec(), password.as_bytes().to_vec()));
            assert_eq!(credentials(&request, text.as_bytes()), expected, "{value}");
        }
    }
}
