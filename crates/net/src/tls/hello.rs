//! What a client has offered in its hello, as `$ssl_ciphers` and `$ssl_curves` tell it.

mod ciphers;

use std::fmt::Write;

use rustls::NamedGroup;
use rustls::server::ClientHello;

/// What a client has offered, in nginx's form: OpenSSL's names, and numbers where it has none, with colons between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// Cipher suites.
    pub ciphers: String,
    /// Groups for the key exchange.
    pub curves: String,
}

impl Hello {
    pub(super) fn of(hello: &ClientHello<'_>) -> Self {
        let ciphers = hello.cipher_suites().iter().map(|suite| u16::from(*suite));
        let groups = hello.named_groups().unwrap_or_default();
        Self { ciphers: list(ciphers, cipher), curves: list(groups.iter().map(|group| u16::from(*group)), group) }
    }
}

fn list(numbers: impl Iterator<Item = u16>, name: impl Fn(u16) -> Option<&'static str>) -> String {
    let mut text = String::new();
    for number in numbers {
        if !text.is_empty() {
            text.push(':');
        }
        // Writing to a string does not fail.
        let _ = match name(number) {
            Some(name) => write!(text, "{name}"),
            None => write!(text, "0x{number:04x}"),
        };
    }
    text
}

fn cipher(number: u16) -> Option<&'static str> {
    let index = ciphers::NAMES.binary_search_by_key(&number, |(number, _)| *number).ok()?;
    Some(ciphers::NAMES[index].1)
}

fn group(number: u16) -> Option<&'static str> {
    Some(match NamedGroup::from(number) {
        NamedGroup::secp256r1 => "prime256v1",
        NamedGroup::secp384r1 => "secp384r1",
        NamedGroup::secp521r1 => "secp521r1",
        NamedGroup::X25519 => "X25519",
        NamedGroup::X448 => "X448",
        NamedGroup::FFDHE2048 => "ffdhe2048",
        NamedGroup::FFDHE3072 => "ffdhe3072",
        NamedGroup::FFDHE4096 => "ffdhe4096",
        NamedGroup::FFDHE6144 => "ffdhe6144",
        NamedGroup::FFDHE8192 => "ffdhe8192",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_has_its_name() {
        assert!(ciphers::NAMES.is_sorted_by(|a, b| a.0 < b.0));
        let suites = [0x1301, 0xc02f, 0x002f, 0x0a0a];
        let expected = "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:0x0a0a";
        assert_eq!(list(suites.into_iter(), cipher), expected);
        assert_eq!(list([0x001d, 0x0017, 0x11ec].into_iter(), group), "X25519:prime256v1:0x11ec");
        assert_eq!(list(std::iter::empty(), group), "");
    }
}
