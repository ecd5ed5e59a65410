//! Durations as k6 reads them: `5m`, `1m30s`, `1.5s`, `1d2h`; a bare number is milliseconds.

/// The units in nanoseconds; a longer spelling stands before the one that it starts with.
const UNITS: [(&str, f64); 8] =
    [("ns", 1.0), ("us", 1e3), ("\u{b5}s", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("d", 86_400e9)];
/// Longer than any schedule may be, and exact in floating point.
const LONGEST_NS: f64 = 100.0 * 86_400e9;

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: want for example 30s, 1m30s or 250ms")]
pub struct BadDuration(String);

/// Reads a duration in nanoseconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and LONGEST_NS")]
pub fn parse(text: &str) -> Result<u64, BadDuration> {
    let ns = number(text).map(|ms| ms * 1e6).or_else(|| sum(text));
    match ns {
        Some(ns) if (0.0..=LONGEST_NS).contains(&ns) => Ok(ns.round() as u64),
        _ => Err(BadDuration(text.to_owned())),
    }
}

/// A duration as Go writes it: `1m30s`, `1h0m0s`, `1.5s`, `250ms`.
#[allow(clippy::cast_precision_loss, reason = "below LONGEST_NS")]
#[must_use]
pub fn shown(ns: u64) -> String {
    const SECOND_NS: u64 = 1_000_000_000;
    for (unit, next, factor) in [("ns", 1000, 1), ("\u{b5}s", 1_000_000, 1000), ("ms", SECOND_NS, 1_000_000)] {
        if (1..next).contains(&ns) {
            return format!("{}{unit}", ns as f64 / f64::from(factor));
        }
    }
    let (minutes, rest_ns) = (ns / (60 * SECOND_NS), ns % (60 * SECOND_NS));
    let seconds = rest_ns as f64 / SECOND_NS as f64;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn sum(text: &str) -> Option<f64> {
    let (mut rest, mut ns) = (text, 0.0);
    while !rest.is_empty() {
        let (amount, unit) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (name, factor) = UNITS.iter().find(|(name, _)| unit.starts_with(name))?;
        ns += number(amount)? * factor;
        rest = &unit[name.len()..];
    }
    (!text.is_empty()).then_some(ns)
}

/// Digits with at most one point; no sign, no exponent.
fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{parse, shown};

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (text, expected) in [
            ("0", "0s"),
            ("90000", "1m30s"),
            ("1h", "1h0m0s"),
            ("1.5s", "1.5s"),
            ("1d2h", "26h0m0s"),
            ("1.5ms", "1.5ms"),
            ("7us", "7\u{b5}s"),
            ("12ns", "12ns"),
        ] {
            assert_eq!(parse(text).map(shown).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_k6_reads_them() {
        for (text, ns) in [
            ("5m", 300_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5s", 1_500_000_000),
            ("250", 250_000_000),
            ("250ms", 250_000_000),
            ("1d2h", 93_600_000_000_000),
            ("7us", 7000),
            ("7\u{b5}s", 7000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(ns), "{text}");
        }
        for text in ["", "s", "5x", "-5s", "1e3", "5 s", "1..5s", "200d", "m5"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
