//! Digest authentication (RFC 7616, and RFC 2069 where a server asks for nothing newer): the answer to a challenge.
//!
//! Left out: `auth-int`, which needs the body, and user names that are hashed.

use aws_lc_rs::digest::{SHA256, digest};
use md5::{Digest as _, Md5};

/// User and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

/// What a server asks with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Option<String>,
    /// Whether it takes `auth`.
    has_qop: bool,
}

impl Challenge {
    /// Reads the value of `WWW-Authenticate`; `None` where it is no digest that can be answered.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut challenge = Self::default();
        for (name, value) in parameters(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => challenge.realm = value,
                "nonce" => challenge.nonce = value,
                "opaque" => challenge.opaque = Some(value),
                "algorithm" => challenge.algorithm = Some(value),
                "qop" if value.split(',').any(|each| each.trim().eq_ignore_ascii_case("auth")) => {
                    challenge.has_qop = true;
                }
                "qop" => return None,
                _ => {}
            }
        }
        let known = ["md5", "md5-sess", "sha-256", "sha-256-sess"];
        let algorithm = challenge.algorithm.as_deref().unwrap_or("MD5").to_ascii_lowercase();
        (!challenge.nonce.is_empty() && known.contains(&algorithm.as_str())).then_some(challenge)
    }

    /// The value of `Authorization` for a request; `own` is a text that is used once.
    pub(crate) fn answer(&self, secret: &Secret, method: &str, uri: &str, own: &str) -> String {
        const COUNT: &str = "00000001";
        let name = self.algorithm.as_deref().unwrap_or("MD5");
        let lower = name.to_ascii_lowercase();
        let hash = |parts: &[&[u8]]| hashed(lower.starts_with("sha-256"), &parts.join(&b':'));
        let (realm, nonce) = (self.realm.as_bytes(), self.nonce.as_bytes());
        let mut who = hash(&[&secret.user, realm, &secret.password]);
        if lower.ends_with("-sess") {
            who = hash(&[who.as_bytes(), nonce, own.as_bytes()]);
        }
        let what = hash(&[method.as_bytes(), uri.as_bytes()]);
        let response = if self.has_qop {
            hash(&[who.as_bytes(), nonce, COUNT.as_bytes(), own.as_bytes(), b"auth", what.as_bytes()])
        } else {
            hash(&[who.as_bytes(), nonce, what.as_bytes()])
        };
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let user = quoted(&String::from_utf8_lossy(&secret.user));
        let (realm, nonce) = (quoted(&self.realm), quoted(&self.nonce));
        let mut line = format!("Digest username={user}, realm={realm}, nonce={nonce}, uri={}", quoted(uri));
        line.push_str(&format!(", response=\"{response}\""));
        if self.algorithm.is_some() {
            line.push_str(&format!(", algorithm={name}"));
        }
        if let Some(opaque) = &self.opaque {
            line.push_str(&format!(", opaque={}", quoted(opaque)));
        }
        if self.has_qop {
            line.push_str(&format!(", qop=auth, nc={COUNT}, cnonce=\"{own}\""));
        }
        line
    }
}

fn hashed(is_sha256: bool, bytes: &[u8]) -> String {
    if is_sha256 {
        crate::script::hex(digest(&SHA256, bytes).as_ref())
    } else {
        crate::script::hex(&Md5::digest(bytes))
    }
}

/// `name=value, name="value"`; a comma within quotes is part of the value.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',', '\t']);
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        all.push((name.trim().to_owned(), value));
        rest = after.trim_start_matches([' ', ',', '\t']);
    }
    all
}

/// What is before the next quotation mark, and what is after it.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn secret(user: &str, password: &str) -> Secret {
        Secret { user: user.into(), password: password.into() }
    }

    #[test]
    fn the_examples_of_the_rfcs_are_answered() {
        let old = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
                   nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let answer = Challenge::parse(old).unwrap().answer(
            &secret("Mufasa", "Circle Of Life"),
            "GET",
            "/dir/index.html",
            "0a4f113b",
        );
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
        assert!(answer.contains("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", qop=auth, nc=00000001"), "{answer}");
        let new = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
                   nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"";
        let own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let answer =
            Challenge::parse(new).unwrap().answer(&secret("Mufasa", "Circle of Life"), "GET", "/dir/index.html", own);
        let response = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(answer.contains(response) && answer.contains("algorithm=SHA-256"), "{answer}");
    }

    #[test]
    fn other_challenges_are_not_answered() {
        for value in ["Basic realm=\"x\"", "Digest realm=\"x\"", "Digest nonce=\"x\", qop=\"auth-int\"", ""] {
            assert_eq!(Challenge::parse(value), None, "{value}");
        }
        assert_eq!(Challenge::parse("Digest nonce=x, algorithm=SHA-512"), None);
        let odd = Challenge::parse("digest realm=\"a, \\\"b\\\"\", nonce=n").unwrap();
        assert_eq!((odd.realm.as_str(), odd.nonce.as_str(), odd.has_qop), ("a, \"b\"", "n", false));
    }
}
