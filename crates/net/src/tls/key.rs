//! Private keys from PEM, encrypted ones included: PKCS #8 with PBES2 (RFC 8018 6.2) of PBKDF2 and AES, as OpenSSL has
//! written them since 1.1, and its form of old with `DEK-Info: AES-...` (RFC 1421 4.6.1.3).
//!
//! Left out: keys encrypted with DES or by scrypt, for neither is here; who has one is told how to write it anew.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

use super::config::CertificateError;
use super::x509::{Der, INTEGER, SEQUENCE, take};

const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// `hmacWithSHA...`, but for its last byte.
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// `aes...-CBC`, but for its last byte.
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];
/// Rounds of a password's hash: OpenSSL makes 2,048, careful people a million. More would hold up a start.
const ROUNDS_MAX: u32 = 10_000_000;
/// Passwords that are tried, as each takes such a hash.
const PASSWORDS_MAX: usize = 128;

/// How a key is encrypted.
struct Locked {
    cipher: &'static Algorithm,
    iv: [u8; 16],
    derived: Derived,
    content: Vec<u8>,
}

/// How the cipher's key is made of a password.
enum Derived {
    Pbkdf2 {
        prf: pbkdf2::Algorithm,
        rounds: NonZeroU32,
        salt: Vec<u8>,
    },
    /// OpenSSL's of old; the salt is the beginning of the initial vector.
    Md5,
}

/// The passwords of a file: one a line.
pub fn passwords(file: &[u8]) -> Vec<Vec<u8>> {
    let lines = file.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty()).take(PASSWORDS_MAX).map(<[u8]>::to_vec).collect()
}

/// The first key of a PEM file; one that is encrypted is opened with the first password that fits.
pub(super) fn read(pem: &[u8], passwords: &[Vec<u8>]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let Some(block) = Block::find(pem).filter(Block::is_encrypted) else {
        return PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => CertificateError::NoKey,
            other => CertificateError::Damaged(other),
        });
    };
    if passwords.is_empty() {
        return Err(CertificateError::Encrypted);
    }
    let locked = block.locked().ok_or(CertificateError::UnknownEncryption)?;
    let key = passwords.iter().find_map(|password| locked.open(password)).ok_or(CertificateError::WrongPassword)?;
    Ok(match block.label {
        "RSA PRIVATE KEY" => PrivatePkcs1KeyDer::from(key).into(),
        "EC PRIVATE KEY" => PrivateSec1KeyDer::from(key).into(),
        _ => PrivatePkcs8KeyDer::from(key).into(),
    })
}

/// A PEM block of a private key.
struct Block<'a> {
    label: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Block<'a> {
    fn find(pem: &'a [u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(pem).ok()?.lines().map(str::trim_end);
        let label = lines.find_map(|line| {
            let label = line.strip_prefix("-----BEGIN ")?.strip_suffix("-----")?;
            label.ends_with("PRIVATE KEY").then_some(label)
        })?;
        Some(Self { label, lines: lines.take_while(|line| !line.starts_with("-----END ")).collect() })
    }

    fn is_encrypted(&self) -> bool {
        self.label == "ENCRYPTED PRIVATE KEY" || self.lines.iter().any(|line| line.contains("4,ENCRYPTED"))
    }

    fn locked(&self) -> Option<Locked> {
        let content = self.lines.iter().filter(|line| !line.contains(':')).copied().collect::<String>();
        let content = STANDARD.decode(content).ok()?;
        let Some(information) = self.lines.iter().find_map(|line| line.strip_prefix("DEK-Info: ")) else {
            return pkcs8(&content);
        };
        let (cipher, iv) = information.split_once(',')?;
        let cipher = match cipher {
            "AES-128-CBC" => &AES_128,
            "AES-192-CBC" => &AES_192,
            "AES-256-CBC" => &AES_256,
            _ => return None,
        };
        let digits = |at: usize| u8::from_str_radix(iv.get(2 * at..2 * at + 2)?, 16).ok();
        let iv = (0..16).map(digits).collect::<Option<Vec<u8>>>()?.try_into().ok()?;
        Some(Locked { cipher, iv, derived: Derived::Md5, content })
    }
}

/// `EncryptedPrivateKeyInfo` (RFC 5958 3).
fn pkcs8(der: &[u8]) -> Option<Locked> {
    let mut outer = Der(take(&mut Der(der), SEQUENCE)?);
    let mut algorithm = Der(take(&mut outer, SEQUENCE)?);
    let content = take(&mut outer, OCTETS)?.to_vec();
    let is_pbes2 = take(&mut algorithm, OBJECT)? == PBES2;
    let mut parameters = Der(take(&mut algorithm, SEQUENCE).filter(|_| is_pbes2)?);
    let mut derivation = Der(take(&mut parameters, SEQUENCE)?);
    let mut encryption = Der(take(&mut parameters, SEQUENCE)?);
    let is_pbkdf2 = take(&mut derivation, OBJECT)? == PBKDF2;
    let mut derivation = Der(take(&mut derivation, SEQUENCE).filter(|_| is_pbkdf2)?);
    let salt = take(&mut derivation, OCTETS)?.to_vec();
    let rounds = number(take(&mut derivation, INTEGER)?).filter(|rounds| *rounds <= ROUNDS_MAX)?;
    // The key's length may stand here, which the cipher says too; then the hash, SHA-1 where none is named.
    let mut prf = pbkdf2::PBKDF2_HMAC_SHA1;
    for (tag, content) in derivation {
        if tag == SEQUENCE {
            prf = match take(&mut Der(content), OBJECT)?.strip_prefix(HMAC)? {
                [0x07] => pbkdf2::PBKDF2_HMAC_SHA1,
                [0x09] => pbkdf2::PBKDF2_HMAC_SHA256,
                [0x0a] => pbkdf2::PBKDF2_HMAC_SHA384,
                [0x0b] => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return None,
            };
        }
    }
    let cipher = match take(&mut encryption, OBJECT)?.strip_prefix(AES)? {
        [0x02] => &AES_128,
        [0x16] => &AES_192,
        [0x2a] => &AES_256,
        _ => return None,
    };
    let iv = take(&mut encryption, OCTETS)?.try_into().ok()?;
    let derived = Derived::Pbkdf2 { prf, rounds: NonZeroU32::new(rounds)?, salt };
    Some(Locked { cipher, iv, derived, content })
}

fn number(bytes: &[u8]) -> Option<u32> {
    let is_small = bytes.len() <= 4 && bytes.first().is_some_and(|first| *first < 0x80);
    is_small.then(|| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

impl Locked {
    /// The key, if it is this password's: padding and the beginning of a sequence are what it is known by.
    fn open(&self, password: &[u8]) -> Option<Vec<u8>> {
        let key = self.key(password);
        let key = UnboundCipherKey::new(self.cipher, &key).and_then(PaddedBlockDecryptingKey::cbc_pkcs7).ok()?;
        let mut content = self.content.clone();
        let iv = DecryptionContext::Iv128(FixedLength::from(self.iv));
        let opened = key.decrypt(&mut content, iv).ok()?;
        let is_key = take(&mut Der(opened), SEQUENCE).is_some();
        is_key.then(|| opened.to_vec())
    }

    fn key(&self, password: &[u8]) -> Vec<u8> {
        let length = match () {
            () if self.cipher == &AES_128 => 16,
            () if self.cipher == &AES_192 => 24,
            () => 32,
        };
        let mut key = vec![0; length];
        match &self.derived {
            Derived::Pbkdf2 { prf, rounds, salt } => pbkdf2::derive(*prf, *rounds, salt, password, &mut key),
            Derived::Md5 => {
                let mut made: Vec<u8> = Vec::new();
                while made.len() < length {
                    let before = made.len().saturating_sub(16);
                    let digest = Md5::new().chain_update(&made[before..]).chain_update(password);
                    let digest = digest.chain_update(&self.iv[..8]).finalize();
                    made.extend_from_slice(&digest);
                }
                key.copy_from_slice(&made[..length]);
            }
        }
        key
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    /// One key, as OpenSSL 3 encrypts it with the password `correct`.
    const WITH_SHA256: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAVMFUKZBEoAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKN2DHPnQ21Qx6zX/XEwOgkEgZAN
bgEPZsVs5YCKsKeafOwrkaPSTsF7qhi8s2HmouwZttDc0qwFCRhB61fftLbQYW9Q
c5AGomRDA5B6B+KdnbaV6fDV+vP2HmL/iVLOXIEEg+sICO6hee7PwORRDCDAFfon
9AsK3ihtP8clpLzHh+eZ091oUaZKLsGz5hxV+f5KOe3O2ir7Bw+QNUal64R173k=
-----END ENCRYPTED PRIVATE KEY-----
";
    const WITH_SHA1: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHeMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAgdwuYIYq5nAAICCAAw
HQYJYIZIAWUDBAECBBCGKIkwiXK9HGf1n5QJQtoBBIGQO0EilOLurQd111cwrI/A
GZsX9AGZhGocu+xNwuV6Pr1v/OqHfIY3xOjBTeUg8IIWuYgHEePWLpLih8vS4pLX
8JH/ftBQ/ddgsXdkMrCHefp+LH4uRhgSvQqURJ31eCGelptW+pOVOPtwc8NrV3r2
UG1WA9qxAVjVLr9Ak5+A2nq+KxW4c9SDqZZB5t5535Uf
-----END ENCRYPTED PRIVATE KEY-----
";
    const BY_SCRYPT: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAhaawWtKwmwGwICQAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBD6kYskVjFg68u2ThEXPdpKBIGQ+Aslcp8kB+Py
2khNP8H4Tf7RKB5j2MtQiohiPy42SCyCwFFYVV/D2K900JlRf6636aw1LBcgrTOX
PUVVHmfbYvQs0h8Cx12Fij6M78JkBfNOSXEySCDzC4KpO+o9HP2U4dQdKwzIefRV
+BaMgl5bgbnUBqbYcMve/7VoKT5mstg7naTWBEGytxnvKnYDaaU/
-----END ENCRYPTED PRIVATE KEY-----
";
    const OF_OLD: &str = "-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,86519C4E7ECD3DE8B11503F8EA28F1DF

s7WzdbNxUNvoEFc0psG5A0YeuCQMNFjr3KlJgX6F6LVuRHEJNK55mde4avyR0jMX
JcLYMexK+LhbVXBiXlbElLKu7TL+NgIcSEkaGTPTcp5FTBK+z2OIjEEbogFTlOgS
gkj2IEjDQUb1lHj50eayJAoXLS+fH7YtP/kEK2r4GK4=
-----END EC PRIVATE KEY-----
";
    const WITH_DES: &str = "-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: DES-EDE3-CBC,23C7799D078F2F56

F4roW6KrrMbt/qJsZqexiNiwLaBydwZj61nzb8Aq9Ksbn8re6ycLsIY5Wrqrwrzy
ZgbC5l+hvNcuNggy9W4NQ7qZC3Zmrf+HwGKxFxRX2xL7+xEVW2Tr8t9QEKQPHLzu
6rTuD3ctGc3lPVpoMUcvlNb8FH9atUMVJabaIWisIac=
-----END EC PRIVATE KEY-----
";
    const PLAIN: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIAgUS5oNZFwkSNhW0lDL1VdlXXCNK1FWj5GfUDt3A1GYoAoGCCqGSM49
AwEHoUQDQgAExfDXF1zYVxWujPOyNZ+YuIu3zdBWSPonWsu1ZJm235QwXl2wxf8M
n0++gf9Y2OMJqiqh/kO/T3OduDizdjc2Vw==
-----END EC PRIVATE KEY-----
";

    fn opened(pem: &str, file: &str) -> Result<PrivateKeyDer<'static>, String> {
        read(pem.as_bytes(), &passwords(file.as_bytes())).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_opened_with_the_password_that_fits() {
        let plain = opened(PLAIN, "").unwrap();
        assert_eq!(opened(OF_OLD, "wrong\ncorrect\n").unwrap(), plain);
        for pem in [WITH_SHA256, WITH_SHA1] {
            let key = opened(pem, "wrong\r\ncorrect").unwrap();
            assert!(matches!(key, PrivateKeyDer::Pkcs8(_)));
            aws_lc_rs_takes(&key);
        }
    }

    fn aws_lc_rs_takes(key: &PrivateKeyDer<'_>) {
        rustls::crypto::aws_lc_rs::sign::any_supported_type(key).unwrap();
    }

    #[test]
    fn keys_that_cannot_be_opened_say_why() {
        for pem in [WITH_SHA256, OF_OLD] {
            assert!(opened(pem, "wrong\n").unwrap_err().contains("none of the password file"), "{pem}");
            assert!(opened(pem, "\n").unwrap_err().contains("ssl_password_file"), "{pem}");
        }
        for pem in [BY_SCRYPT, WITH_DES] {
            assert!(opened(pem, "correct").unwrap_err().contains("openssl"), "{pem}");
        }
        let damaged = WITH_SHA256.replace("MIHs", "MIHt");
        assert!(opened(&damaged, "correct").is_err());
        assert!(opened("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "correct").is_err());
    }
}
