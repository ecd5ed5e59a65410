//! Whether a password is the one that a file has stored, in any of the ways that htpasswd and its like write.
//!
//! Those that are slow on purpose (bcrypt, SHA-crypt) take a thousandth to a tenth of a second, in which the thread
//! would serve nobody: a thread of its own does that, with a queue that has an end.

use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use sha_crypt::{PasswordVerifier, ShaCrypt};
use sha1::{Digest, Sha1};
use tokio::sync::oneshot;

use super::md5_crypt;
use crate::basic::decode;
use crate::limits::{PASSWORD_MAX, PASSWORDS_WAITING};

/// What comparing came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    Same,
    Other,
    /// It is stored in a way that is not known here.
    Unknown,
    /// Too many are waiting.
    Busy,
}

/// The thread for what takes long; it starts when the first is asked for, and ends with the last configuration.
#[derive(Debug, Default, Clone)]
pub(crate) struct Verifier(std::sync::Arc<OnceLock<Option<SyncSender<Job>>>>);

#[derive(Debug)]
struct Job {
    password: Vec<u8>,
    stored: String,
    answer: oneshot::Sender<Checked>,
}

/// The ways of storing a password, by how what they store begins.
const WAYS: [&str; 8] = ["{PLAIN}", "{SHA}", "{SSHA}", "$apr1$", "$1$", "$2", "$5$", "$6$"];

/// Whether a password is stored in a way that is known here.
pub fn is_known(stored: &[u8]) -> bool {
    WAYS.iter().any(|way| stored.starts_with(way.as_bytes()))
}

/// Compares a password with what is stored of one.
pub(super) async fn check(verifier: &Verifier, password: &[u8], stored: &[u8]) -> Checked {
    if let Some(plain) = stored.strip_prefix(b"{PLAIN}") {
        return same(plain, password);
    }
    if let Some(encoded) = stored.strip_prefix(b"{SHA}") {
        return salted(password, encoded);
    }
    if let Some(encoded) = stored.strip_prefix(b"{SSHA}") {
        return salted(password, encoded);
    }
    // As crypt(3) has it: what grows with the password must not keep the thread, and it ends before a NUL.
    if password.len() > PASSWORD_MAX || password.contains(&0) {
        return Checked::Other;
    }
    let Ok(stored) = String::from_utf8(stored.to_vec()) else { return Checked::Unknown };
    if !is_known(stored.as_bytes()) {
        return Checked::Unknown;
    }
    let (answer, answered) = oneshot::channel();
    let job = Job { password: password.to_vec(), stored, answer };
    match verifier.0.get_or_init(start).as_ref().map(|queue| queue.try_send(job)) {
        Some(Ok(())) => answered.await.unwrap_or(Checked::Unknown),
        _ => Checked::Busy,
    }
}

fn start() -> Option<SyncSender<Job>> {
    let (queue, jobs) = sync_channel::<Job>(PASSWORDS_WAITING);
    let run = move || {
        for job in jobs {
            // A client that has gone meanwhile waits for nothing.
            if !job.answer.is_closed() {
                let _ = job.answer.send(slowly(&job.password, &job.stored));
            }
        }
    };
    thread::Builder::new().name("passwords".to_owned()).spawn(run).ok().map(|_| queue)
}

fn slowly(password: &[u8], stored: &str) -> Checked {
    if let Some(own) = md5_crypt::hash(password, stored) {
        return same(own.as_bytes(), stored.as_bytes());
    }
    if stored.starts_with("$2") {
        return match bcrypt::verify(password, stored) {
            Ok(true) => Checked::Same,
            Ok(false) => Checked::Other,
            Err(_) => Checked::Unknown,
        };
    }
    match ShaCrypt::default().verify_password(password, stored) {
        Ok(()) => Checked::Same,
        Err(sha_crypt::password_hash::Error::PasswordInvalid) => Checked::Other,
        Err(_) => Checked::Unknown,
    }
}

/// SHA-1 of the password and of a salt that stands behind the digest, if there is one.
fn salted(password: &[u8], encoded: &[u8]) -> Checked {
    let mut decoded = Vec::new();
    let Some((digest, salt)) = decode(encoded, &mut decoded).then_some(()).and_then(|()| decoded.split_at_checked(20))
    else {
        return Checked::Unknown;
    };
    same(&Sha1::new().chain_update(password).chain_update(salt).finalize(), digest)
}

/// Compares in a time that says nothing of where they differ.
fn same(a: &[u8], b: &[u8]) -> Checked {
    let differs = a.iter().zip(b).fold(a.len() ^ b.len(), |differs, (a, b)| differs | usize::from(a ^ b));
    if differs == 0 { Checked::Same } else { Checked::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_stored_in_many_ways() {
        let verifier = Verifier::default();
        let table = [
            ("{PLAIN}secret", Checked::Same),
            ("{PLAIN}secre", Checked::Other),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", Checked::Same),
            ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfU=", Checked::Other),
            ("{SSHA}short", Checked::Unknown),
            ("$apr1$abcdefgh$CdbGPlwe7MeUlZxcVTcTO0", Checked::Other),
            ("$2y$04$nonsense", Checked::Unknown),
            ("plain", Checked::Unknown),
            ("", Checked::Unknown),
        ];
        for (stored, expected) in table {
            let checked = net::event_loop::block_on(check(&verifier, b"secret", stored.as_bytes())).unwrap();
            assert_eq!(checked, expected, "{stored}");
        }
        for (password, expected) in [
            (&[b'x'; PASSWORD_MAX][..], Checked::Unknown),
            (&[b'x'; PASSWORD_MAX + 1][..], Checked::Other),
            (b"secret\0", Checked::Other),
        ] {
            let checked = net::event_loop::block_on(check(&verifier, password, b"$2y$04$nonsense")).unwrap();
            assert_eq!(checked, expected, "{}", password.len());
        }
    }
}
