//! Base64 in its four forms (RFC 4648) as k6 names and reads them, and hexadecimal.

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// One form.
#[derive(Clone, Copy)]
pub(super) struct Form(&'static GeneralPurpose);

/// As Go reads it: with all of its padding or none, and whatever the bits that are left over are.
const fn form(alphabet: &Alphabet, is_padded: bool) -> GeneralPurpose {
    let mode = if is_padded { DecodePaddingMode::RequireCanonical } else { DecodePaddingMode::RequireNone };
    let config = GeneralPurposeConfig::new().with_encode_padding(is_padded).with_decode_padding_mode(mode);
    GeneralPurpose::new(alphabet, config.with_decode_allow_trailing_bits(true))
}

static STD: GeneralPurpose = form(&STANDARD, true);
static RAW_STD: GeneralPurpose = form(&STANDARD, false);
static URL: GeneralPurpose = form(&URL_SAFE, true);
static RAW_URL: GeneralPurpose = form(&URL_SAFE, false);

impl Form {
    pub(super) const STD: Self = Self(&STD);
    pub(super) const RAW_URL: Self = Self(&RAW_URL);
    pub(super) const URL: Self = Self(&URL);

    /// As k6 names it.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "" | "std" => Self::STD,
            "rawstd" => Self(&RAW_STD),
            "url" => Self::URL,
            "rawurl" => Self::RAW_URL,
            _ => return None,
        })
    }

    pub(super) fn encode(self, bytes: &[u8]) -> String {
        self.0.encode(bytes)
    }

    /// `None` where it is not of this form. Line ends are passed over.
    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !b"\r\n".contains(byte)).collect();
        self.0.decode(digits).ok()
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_there_and_back() {
        for (bytes, std) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(Form::STD.encode(bytes.as_bytes()), std);
            assert_eq!(Form::STD.decode(std).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(Form::RAW_URL.decode(std.trim_end_matches('=')).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(Form::URL.encode(&[0xfb, 0xff]), "-_8=");
        for text in ["Z", "Zg=", "Zg", "Z_==", "!!!!"] {
            assert_eq!(Form::STD.decode(text), None, "{text}");
        }
        assert_eq!(Form::STD.decode("Zm\r\n9v\nZh==").as_deref(), Some(&b"foof"[..]));
        assert_eq!(Form::RAW_URL.decode("Zg=="), None);
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
