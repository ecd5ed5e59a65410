//! What variables say of a client's certificate: names, dates, serial number, fingerprint.
//!
//! A reader of DER that is no judge: `clients` says whether a certificate is any good, and this what is written on it.
//! The bytes may be anybody's; what is not understood is left out.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

/// What is written on a certificate, in nginx's forms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The subject by RFC 2253.
    pub subject: String,
    /// The issuer, likewise.
    pub issuer: String,
    /// Both in the form of old: `/C=DE/CN=name`.
    pub subject_legacy: String,
    /// The issuer.
    pub issuer_legacy: String,
    /// Hexadecimal digits.
    pub serial: String,
    /// The first second that it holds in, as `Nov 29 08:39:19 2026 GMT`.
    pub starts: String,
    /// The last one.
    pub ends: String,
    /// The same in seconds since 1970.
    pub ends_s: Option<i64>,
    /// SHA-1 of it all, in hexadecimal digits.
    pub fingerprint: String,
    /// The certificate as PEM.
    pub pem: String,
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;

/// Reads a certificate.
pub fn written(certificate: &CertificateDer<'_>) -> Written {
    let mut written = read(certificate).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
    written.fingerprint = hexadecimal(digest.as_ref(), false);
    written.pem = pem(certificate);
    written
}

/// SHA-256 of some bytes.
pub fn digest(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

/// Whether issuer and subject are the same.
pub(super) fn is_self_signed(certificate: &CertificateDer<'_>) -> bool {
    parts(certificate).is_some_and(|parts| parts.issuer == parts.subject)
}

struct Parts<'a> {
    serial: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    validity: &'a [u8],
}

/// The fields of a TBSCertificate (RFC 5280 4.1) as far as they are wanted.
fn parts<'a>(certificate: &'a CertificateDer<'_>) -> Option<Parts<'a>> {
    let mut outer = Der(take(&mut Der(certificate), SEQUENCE)?);
    let mut fields = Der(take(&mut outer, SEQUENCE)?);
    if fields.0.first() == Some(&0xa0) {
        fields.next()?;
    }
    let serial = take(&mut fields, INTEGER)?;
    take(&mut fields, SEQUENCE)?;
    let issuer = take(&mut fields, SEQUENCE)?;
    let validity = take(&mut fields, SEQUENCE)?;
    let subject = take(&mut fields, SEQUENCE)?;
    Some(Parts { serial, issuer, subject, validity })
}

fn read(certificate: &CertificateDer<'_>) -> Option<Written> {
    let parts = parts(certificate)?;
    let mut dates = Der(parts.validity);
    let starts = dates.next().and_then(|(tag, text)| Date::read(tag, text));
    let ends = dates.next().and_then(|(tag, text)| Date::read(tag, text));
    // A leading zero keeps a number positive, and is not shown.
    let serial = parts.serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(parts.serial);
    Some(Written {
        subject: by_rfc_2253(parts.subject),
        issuer: by_rfc_2253(parts.issuer),
        subject_legacy: in_one_line(parts.subject),
        issuer_legacy: in_one_line(parts.issuer),
        serial: hexadecimal(serial, true),
        starts: starts.as_ref().map(Date::text).unwrap_or_default(),
        ends: ends.as_ref().map(Date::text).unwrap_or_default(),
        ends_s: ends.as_ref().map(Date::unix_s),
        ..Written::default()
    })
}

/// A reader of tags with their contents.
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Der<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = if *first < 0x80 {
            (usize::from(*first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

/// The content of the next element, if it has this tag.
pub(super) fn take<'a>(der: &mut Der<'a>, tag: u8) -> Option<&'a [u8]> {
    der.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// An attribute of a name: its type, the tag of its value and the value.
type Attribute<'a> = (&'a [u8], u8, &'a [u8]);

/// The sets of a name, each with its attributes.
fn attributes(name: &[u8]) -> Vec<Vec<Attribute<'_>>> {
    let set = |(_, set)| {
        let pair = |(_, pair)| {
            let mut pair = Der(pair);
            let (_, kind) = pair.next()?;
            let (tag, value) = pair.next()?;
            Some((kind, tag, value))
        };
        Der(set).filter_map(pair).collect()
    };
    Der(name).map(set).collect()
}

/// The last set first, as RFC 2253 has it.
fn by_rfc_2253(name: &[u8]) -> String {
    let mut out = String::new();
    for set in attributes(name).iter().rev() {
        for (index, (kind, tag, value)) in set.iter().rev().enumerate() {
            if !out.is_empty() {
                out.push(if index == 0 { ',' } else { '+' });
            }
            out.push_str(&short_name(kind));
            out.push('=');
            escape(&text(*tag, value), &mut out);
        }
    }
    out
}

/// `/C=DE/CN=name`, with what does not print as `\xXX`.
fn in_one_line(name: &[u8]) -> String {
    let mut out = String::new();
    for (kind, _, value) in attributes(name).into_iter().flatten() {
        out.push('/');
        out.push_str(&short_name(kind));
        out.push('=');
        for byte in value {
            match byte {
                b'/' | b'+' => {
                    out.push('\\');
                    out.push(char::from(*byte));
                }
                b' '..=b'~' => out.push(char::from(*byte)),
                _ => {
                    let _ = write!(out, "\\x{byte:02X}");
                }
            }
        }
    }
    out
}

/// A value as UTF-8.
fn text(tag: u8, value: &[u8]) -> Vec<u8> {
    if tag != BMP_STRING {
        return value.to_vec();
    }
    let (pairs, _) = value.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    String::from_utf16_lossy(&units).into_bytes()
}

fn escape(value: &[u8], out: &mut String) {
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.iter().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b'#' if index == 0 => out.push_str("\\#"),
            b' ' if index == 0 || index == last => out.push_str("\\ "),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => {
                let _ = write!(out, "\\{byte:02X}");
            }
        }
    }
}

/// OpenSSL's short name of an attribute's type; its numbers where it has none.
fn short_name(kind: &[u8]) -> String {
    let known = match kind {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 4] => "SN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "street",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x55, 4, 12] => "title",
        [0x55, 4, 13] => "description",
        [0x55, 4, 17] => "postalCode",
        [0x55, 4, 42] => "GN",
        [0x55, 4, 43] => "initials",
        [0x55, 4, 46] => "dnQualifier",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        _ => return numbers(kind),
    };
    known.to_owned()
}

fn numbers(kind: &[u8]) -> String {
    let Some((first, rest)) = kind.split_first() else { return String::new() };
    let mut out = format!("{}.{}", (first / 40).min(2), first - (first / 40).min(2) * 40);
    let mut number = 0_u64;
    for byte in rest {
        number = number.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            let _ = write!(out, ".{number}");
            number = 0;
        }
    }
    out
}

/// A date of a certificate.
struct Date {
    year: i64,
    month: usize,
    day: i64,
    time: [i64; 3],
}

impl Date {
    /// `YYMMDDHHMMSSZ`, or with four digits of the year.
    fn read(tag: u8, text: &[u8]) -> Option<Self> {
        let digits: Vec<i64> =
            text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| i64::from(byte - b'0')).collect();
        let (year, rest) = match (tag, digits.as_slice()) {
            (UTC_TIME, [a, b, rest @ ..]) => {
                let year = a * 10 + b;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            (GENERALIZED_TIME, [a, b, c, d, rest @ ..]) => (a * 1000 + b * 100 + c * 10 + d, rest),
            _ => return None,
        };
        let (pairs, _) = rest.as_chunks::<2>();
        let [month, day, hour, minute, second] = *pairs.iter().map(|[a, b]| a * 10 + b).collect::<Vec<_>>() else {
            return None;
        };
        let month = usize::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
        Some(Self { year, month, day, time: [hour, minute, second] })
    }

    fn text(&self) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let [hour, minute, second] = self.time;
        let (month, day, year) = (MONTHS[self.month - 1], self.day, self.year);
        format!("{month} {day:2} {hour:02}:{minute:02}:{second:02} {year} GMT")
    }

    /// Seconds since 1970: the days of a year that begins in March (Howard Hinnant's algorithm, public domain).
    fn unix_s(&self) -> i64 {
        let month = i64::try_from(self.month).unwrap_or(1);
        let year = self.year - i64::from(month <= 2);
        let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + self.day - 1;
        let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468;
        let [hour, minute, second] = self.time;
        days * 86_400 + hour * 3_600 + minute * 60 + second
    }
}

fn hexadecimal(bytes: &[u8], is_upper: bool) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = if is_upper { write!(out, "{byte:02X}") } else { write!(out, "{byte:02x}") };
        out
    })
}

fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned());
    let lines: Vec<String> = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn dates_are_seconds_and_texts() {
        let table: [(u8, &[u8], i64, &str); 4] = [
            (UTC_TIME, b"700101000000Z", 0, "Jan  1 00:00:00 1970 GMT"),
            (UTC_TIME, b"261129083919Z", 1_795_941_559, "Nov 29 08:39:19 2026 GMT"),
            (GENERALIZED_TIME, b"20000229235959Z", 951_868_799, "Feb 29 23:59:59 2000 GMT"),
            (GENERALIZED_TIME, b"19691231235959Z", -1, "Dec 31 23:59:59 1969 GMT"),
        ];
        for (tag, text, seconds, shown) in table {
            let date = Date::read(tag, text).unwrap();
            assert_eq!((date.unix_s(), date.text().as_str()), (seconds, shown));
        }
        for text in [&b""[..], b"2611", b"261329083919Z", b"26112908391Z"] {
            assert!(Date::read(UTC_TIME, text).is_none(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn types_without_a_name_are_numbers() {
        assert_eq!(numbers(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]), "1.2.840.113549");
        assert_eq!((short_name(&[0x55, 4, 99]).as_str(), numbers(&[]).as_str()), ("2.5.4.99", ""));
    }

    #[test]
    fn bytes_of_any_kind_are_read_without_harm() {
        let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let whole = made.cert.der().to_vec();
        assert!(is_self_signed(&CertificateDer::from(whole.clone())));
        for end in 0..whole.len() {
            written(&CertificateDer::from(whole[..end].to_vec()));
            for value in [0, 1, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[end] = value;
                written(&CertificateDer::from(changed));
            }
        }
    }
}
