//! Spans of time as people write them: `30s`, `1m30s`, `250ms`, `1.5s`; a bare number is seconds.

use std::time::Duration;

/// The units, the longer name before the one that it starts with.
const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("us", 0.000_001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
/// The longest span: 30 days. Beyond it a typing error is likelier than a wish.
const SECONDS_MAX: f64 = 30.0 * 24.0 * 3600.0;

/// A text that is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no duration; write for example 30s, 1m30s or 250ms")]
pub struct BadDuration(String);

/// Reads a span of time.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let seconds = if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') { number(text) } else { sum(text) };
    match seconds {
        Some(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(BadDuration(text.to_owned())),
    }
}

fn sum(text: &str) -> Option<f64> {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (amount, unit) = rest.split_at(digits);
        let (name, factor) = UNITS.iter().find(|(name, _)| unit.starts_with(name))?;
        seconds += number(amount)? * factor;
        rest = &unit[name.len()..];
    }
    Some(seconds)
}

fn number(text: &str) -> Option<f64> {
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        let table = [
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("250ms", 250),
            ("1.5s", 1_500),
            ("15", 15_000),
            ("2h", 7_200_000),
            ("0", 0),
            ("1m250ms", 60_250),
        ];
        for (text, ms) in table {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        for text in ["", "s", "-1s", "1x", "1s2", "1..2s", ".5s", "inf", "1e9", "31d", "1000000h", "1 s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
