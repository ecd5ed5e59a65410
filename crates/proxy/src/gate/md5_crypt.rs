//! The MD5 way of storing passwords: `$1$`, and Apache's `$apr1$`, which htpasswd writes by default.
//!
//! It is weak by now, and everywhere. A thousand rounds of MD5 over password and salt in changing orders; the digest is
//! written by an alphabet of its own, in an order of its own.

use md5::{Digest, Md5};

const ROUNDS: usize = 1000;
const SALT_MAX: usize = 8;
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The bytes of the digest that are written together, three at a time.
const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// What is stored of a password with the salt of `stored`; `None` where that is stored in another way.
pub(super) fn hash(password: &[u8], stored: &str) -> Option<String> {
    let magic = ["$apr1$", "$1$"].into_iter().find(|magic| stored.starts_with(magic))?;
    let rest = &stored.as_bytes()[magic.len()..];
    let salt = &rest[..rest.iter().position(|byte| *byte == b'$').unwrap_or(rest.len()).min(SALT_MAX)];
    let digest = digest(password, magic.as_bytes(), salt);
    let mut out = format!("{magic}{}$", String::from_utf8_lossy(salt));
    for [a, b, c] in ORDER {
        append(u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c]), 4, &mut out);
    }
    append(u32::from(digest[11]), 2, &mut out);
    Some(out)
}

fn digest(password: &[u8], magic: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut first = Md5::new().chain_update(password).chain_update(magic).chain_update(salt);
    for piece in 0..password.len().div_ceil(16) {
        first.update(&inner[..(password.len() - piece * 16).min(16)]);
    }
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0][..] } else { &password[..1] });
        bits >>= 1;
    }
    let mut digest: [u8; 16] = first.finalize().into();
    for round in 0..ROUNDS {
        let mut next = Md5::new();
        let (before, behind) = if round % 2 == 1 { (password, &digest[..]) } else { (&digest[..], password) };
        next.update(before);
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(behind);
        digest = next.finalize().into();
    }
    digest
}

fn append(mut bits: u32, digits: usize, out: &mut String) {
    for _ in 0..digits {
        out.push(char::from(ALPHABET[(bits & 63) as usize]));
        bits >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn hashes_are_those_of_openssl() {
        let table = [
            ("secret", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"),
            ("", "$apr1$x$tMwYqBfQwi3FYAr0aJc8M/"),
            ("a longer password than sixteen", "$apr1$saltsalt$FCVmTq.SnexrKO2HynW.G1"),
            ("secret", "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"),
        ];
        for (password, stored) in table {
            assert_eq!(hash(password.as_bytes(), stored).as_deref(), Some(stored), "{password}");
        }
        assert_eq!(hash(b"x", "$2y$"), None);
    }
}
