//! Base64 in its four forms (RFC 4648), and hexadecimal.

/// One form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    is_url: bool,
    is_padded: bool,
}

impl Form {
    pub(super) const STD: Self = Self { is_url: false, is_padded: true };
    pub(super) const RAW_URL: Self = Self { is_url: true, is_padded: false };
    pub(super) const URL: Self = Self { is_url: true, is_padded: true };

    /// As k6 names it.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "" | "std" => Self::STD,
            "rawstd" => Self { is_url: false, is_padded: false },
            "url" => Self::URL,
            "rawurl" => Self::RAW_URL,
            _ => return None,
        })
    }

    fn digit(self, value: u8) -> char {
        char::from(match value & 63 {
            value @ 0..26 => b'A' + value,
            value @ 26..52 => b'a' + value - 26,
            value @ 52..62 => b'0' + value - 52,
            62 if self.is_url => b'-',
            62 => b'+',
            _ if self.is_url => b'_',
            _ => b'/',
        })
    }

    fn value(self, digit: u8) -> Option<u8> {
        Some(match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' if self.is_url => 62,
            b'+' if !self.is_url => 62,
            b'_' if self.is_url => 63,
            b'/' if !self.is_url => 63,
            _ => return None,
        })
    }

    pub(super) fn encode(self, bytes: &[u8]) -> String {
        let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
        for three in bytes.chunks(3) {
            let all = three.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            for at in 0..4 {
                if at <= three.len() {
                    out.push(self.digit((all >> (18 - 6 * at)) as u8));
                } else if self.is_padded {
                    out.push('=');
                }
            }
        }
        out
    }

    /// `None` where it is not of this form.
    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        let lines: Vec<u8> = text.bytes().filter(|byte| !b"\r\n".contains(byte)).collect();
        let digits: &[u8] = if self.is_padded {
            if !lines.len().is_multiple_of(4) {
                return None;
            }
            let one = lines.strip_suffix(b"=").unwrap_or(&lines);
            one.strip_suffix(b"=").unwrap_or(one)
        } else {
            &lines
        };
        let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
        for four in digits.chunks(4) {
            if four.len() == 1 {
                return None;
            }
            let mut all = 0_u32;
            for digit in four {
                all = all << 6 | u32::from(self.value(*digit)?);
            }
            all <<= 6 * (4 - four.len());
            out.extend_from_slice(&all.to_be_bytes()[1..four.len()]);
        }
        Some(out)
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
        assert_eq!(hex(&[0, 255]), "00ff");
    }
}
