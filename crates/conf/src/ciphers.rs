//! OpenSSL's language of cipher lists (`HIGH:!aNULL:EECDH+AESGCM`), as far as it speaks of suites that are here.
//!
//! These are the six of TLS 1.2 with forward secrecy and authenticated encryption. All other words of the language
//! choose none of them; a list that chooses none at all is for the caller to tell of.

use crate::tree::Cipher;

/// The suites of TLS 1.2 in OpenSSL's own order.
const ALL: [Cipher; 6] = [
    Cipher::EcdsaAes256,
    Cipher::RsaAes256,
    Cipher::EcdsaChacha20,
    Cipher::RsaChacha20,
    Cipher::EcdsaAes128,
    Cipher::RsaAes128,
];

/// Words that mean something to OpenSSL and nothing here.
const FOREIGN: &str = "3DES ADH AECDH ARIA ARIA128 ARIA256 ARIAGCM AESCCM AESCCM8 CAMELLIA CAMELLIA128 CAMELLIA256 CBC \
    COMPLEMENTOFALL COMPLEMENTOFDEFAULT DES DH DHE DSS EDH EXP EXPORT GOST94 IDEA LOW MD5 MEDIUM NULL PSK RC2 RC4 RSA \
    RSAPSK SEED SHA SHA1 SHA256 SHA384 SRP SSLv3 TLSv1 TLSv1.0 aDH aDSS aNULL aPSK aSRP eNULL kDHE kDHEPSK kECDHEPSK \
    kEDH kPSK kRSA kRSAPSK kSRP kDHd kDHr kECDH kECDHe kECDHr aECDH aGOST kGOST";

/// What a list chooses, in its order; `None` where it has no word that OpenSSL knows.
pub(crate) fn chosen(list: &str) -> Option<Vec<Cipher>> {
    let mut active: Vec<Cipher> = Vec::new();
    let mut killed: Vec<Cipher> = Vec::new();
    let mut is_known = false;
    for word in list.split([':', ' ', ',', ';']).filter(|word| !word.is_empty()) {
        if let Some(command) = word.strip_prefix('@') {
            if command == "STRENGTH" {
                active.sort_by_key(|cipher| matches!(cipher, Cipher::EcdsaAes128 | Cipher::RsaAes128));
            }
            continue;
        }
        let (sign, keywords) = match word.split_at_checked(1) {
            Some((sign @ ("!" | "-" | "+"), rest)) => (sign, rest),
            _ => ("", word),
        };
        let matching: Vec<Cipher> =
            ALL.into_iter().filter(|cipher| keywords.split('+').all(|k| is(k, *cipher))).collect();
        is_known |= sign.is_empty() && keywords.split('+').all(is_known_word);
        match sign {
            "" => {
                let new = matching.into_iter().filter(|cipher| !active.contains(cipher) && !killed.contains(cipher));
                let new: Vec<Cipher> = new.collect();
                active.extend(new);
            }
            "+" => {
                let moved: Vec<Cipher> = active.iter().copied().filter(|cipher| matching.contains(cipher)).collect();
                active.retain(|cipher| !matching.contains(cipher));
                active.extend(moved);
            }
            _ => {
                active.retain(|cipher| !matching.contains(cipher));
                if sign == "!" {
                    killed.extend(matching);
                }
            }
        }
    }
    is_known.then_some(active)
}

/// Whether a keyword, or the name of a suite, means this one.
fn is(keyword: &str, cipher: Cipher) -> bool {
    let is_rsa = matches!(cipher, Cipher::RsaAes256 | Cipher::RsaChacha20 | Cipher::RsaAes128);
    let is_chacha = matches!(cipher, Cipher::EcdsaChacha20 | Cipher::RsaChacha20);
    let is_128 = matches!(cipher, Cipher::EcdsaAes128 | Cipher::RsaAes128);
    match keyword {
        "ALL" | "DEFAULT" | "HIGH" | "TLSv1.2" | "ECDHE" | "EECDH" | "kECDHE" | "kEECDH" | "ECDH" => true,
        // Fedora's word for what the system's administrator has chosen.
        "PROFILE=SYSTEM" => true,
        "aRSA" => is_rsa,
        "ECDSA" | "aECDSA" => !is_rsa,
        "AES" | "AESGCM" | "FIPS" => !is_chacha,
        "AES128" => is_128,
        "AES256" => !is_chacha && !is_128,
        "CHACHA20" => is_chacha,
        name => names(cipher).contains(&name),
    }
}

/// Whether OpenSSL knows a keyword.
fn is_known_word(keyword: &str) -> bool {
    // Names of suites that are not here have hyphens; nobody is asked whether there ever was such a one.
    let is_foreign = FOREIGN.split_ascii_whitespace().any(|known| known == keyword) || keyword.contains('-');
    is_foreign || ALL.iter().any(|cipher| is(keyword, *cipher))
}

/// OpenSSL's name and the registry's.
fn names(cipher: Cipher) -> [&'static str; 2] {
    match cipher {
        Cipher::EcdsaAes256 => ["ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
        Cipher::RsaAes256 => ["ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"],
        Cipher::EcdsaChacha20 => ["ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"],
        Cipher::RsaChacha20 => ["ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"],
        Cipher::EcdsaAes128 => ["ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
        Cipher::RsaAes128 => ["ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
        Cipher::Tls13Aes256 => ["TLS_AES_256_GCM_SHA384"; 2],
        Cipher::Tls13Chacha20 => ["TLS_CHACHA20_POLY1305_SHA256"; 2],
        Cipher::Tls13Aes128 => ["TLS_AES_128_GCM_SHA256"; 2],
    }
}

/// The suite of TLS 1.3 that has a name.
pub(crate) fn tls13(name: &str) -> Option<Cipher> {
    let all = [Cipher::Tls13Aes256, Cipher::Tls13Chacha20, Cipher::Tls13Aes128];
    all.into_iter().find(|cipher| names(*cipher).contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_mean_what_openssl_means() {
        let short = |cipher: &Cipher| match cipher {
            Cipher::EcdsaAes256 => "e2",
            Cipher::RsaAes256 => "r2",
            Cipher::EcdsaChacha20 => "ec",
            Cipher::RsaChacha20 => "rc",
            Cipher::EcdsaAes128 => "e1",
            Cipher::RsaAes128 => "r1",
            _ => "13",
        };
        let table = [
            ("HIGH:!aNULL:!MD5", Some("e2 r2 ec rc e1 r1")),
            ("DEFAULT", Some("e2 r2 ec rc e1 r1")),
            ("PROFILE=SYSTEM", Some("e2 r2 ec rc e1 r1")),
            ("EECDH+AESGCM:EDH+AESGCM", Some("e2 r2 e1 r1")),
            ("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305", Some("r1 ec")),
            ("ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384,HIGH", Some("r1 r2 e2 ec rc e1")),
            ("EECDH+ECDSA+AESGCM:EECDH+aRSA+AESGCM:!RC4", Some("e2 e1 r2 r1")),
            ("AES128+EECDH:AES128+EDH", Some("e1 r1")),
            ("HIGH:-AES128:AES128", Some("e2 r2 ec rc e1 r1")),
            ("HIGH:!AES128:AES128", Some("e2 r2 ec rc")),
            ("HIGH:+CHACHA20", Some("e2 r2 e1 r1 ec rc")),
            ("AES128:AES256:@STRENGTH", Some("e2 r2 e1 r1")),
            ("AES128-SHA:DES-CBC3-SHA", Some("")),
            ("RC4:HIGH", Some("e2 r2 ec rc e1 r1")),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Some("r1")),
            ("FOO:HIGH", Some("e2 r2 ec rc e1 r1")),
            ("kEECDH+SHA256", Some("")),
            ("FOO", None),
            ("", None),
            ("!HIGH", None),
        ];
        for (list, expected) in table {
            let found = chosen(list).map(|all| all.iter().map(short).collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), expected, "{list}");
        }
    }
}
