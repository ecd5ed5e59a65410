//! Values of directives: times, sizes, numbers, switches. nginx's spelling, checked.

use thiserror::Error;

/// Why a word is no such value; the sentence says what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ValueError {
    #[error("it must be a time such as 500ms, 30s, 5m, 1h 30m or 1d")]
    Time,
    #[error("it must be a time in whole seconds or more, such as 30s, 5m or 1d")]
    Seconds,
    #[error("it must be a size such as 512, 64k, 10m or 1g")]
    Size,
    #[error("it must be a whole number")]
    Number,
    #[error("it must be at least {0}")]
    TooSmall(u64),
    #[error("it must be at most {0}")]
    TooLarge(u64),
    #[error("it must be \"on\" or \"off\"")]
    Switch,
}

/// The longest time that is accepted, so that sums with a clock never overflow: 100,000 years.
const MAX_TIME_MS: u64 = 100_000 * 365 * DAY_MS;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A time in milliseconds; a bare number is seconds.
pub(crate) fn time_ms(text: &str) -> Result<u64, ValueError> {
    parse_time(text, true).ok_or(ValueError::Time)
}

/// A time that nginx keeps in seconds and that takes no `ms`; in milliseconds all the same.
pub(crate) fn seconds_ms(text: &str) -> Result<u64, ValueError> {
    parse_time(text, false).ok_or(ValueError::Seconds)
}

/// `1h 30m`: numbers with units, the largest unit first, each once.
fn parse_time(text: &str, milliseconds: bool) -> Option<u64> {
    const UNITS: [(&str, u64); 8] = [
        ("y", 365 * DAY_MS),
        ("M", 30 * DAY_MS),
        ("w", 7 * DAY_MS),
        ("d", DAY_MS),
        ("h", 60 * 60 * 1000),
        ("m", 60 * 1000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut rest = text;
    let mut smallest = None;
    let mut total = 0_u64;
    loop {
        let (number, after) = digits(rest)?;
        let unit = after.find(|c: char| c.is_ascii_digit() || c == ' ').unwrap_or(after.len());
        let name = if after[..unit].is_empty() { "s" } else { &after[..unit] };
        let rank = UNITS.iter().position(|(unit, _)| *unit == name)?;
        // nginx reads months and years only where it counts in seconds.
        let refused = if milliseconds { matches!(name, "y" | "M") } else { name == "ms" };
        if refused || smallest.is_some_and(|smallest| rank <= smallest) {
            return None;
        }
        smallest = Some(rank);
        total = total.checked_add(number.checked_mul(UNITS[rank].1)?)?;
        rest = after[unit..].trim_start_matches(' ');
        if rest.is_empty() {
            return (total <= MAX_TIME_MS).then_some(total);
        }
    }
}

/// A size in bytes.
pub(crate) fn size(text: &str) -> Result<u64, ValueError> {
    let (number, unit) = digits(text).ok_or(ValueError::Size)?;
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err(ValueError::Size),
    };
    // Lengths of bodies are signed in nginx, and no larger ones exist.
    number.checked_mul(1 << shift).filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or(ValueError::Size)
}

/// A number between two bounds.
pub(crate) fn number(text: &str, least: u64, most: u64) -> Result<u64, ValueError> {
    let (number, "") = digits(text).ok_or(ValueError::Number)? else {
        return Err(ValueError::Number);
    };
    match number {
        _ if number < least => Err(ValueError::TooSmall(least)),
        _ if number > most => Err(ValueError::TooLarge(most)),
        _ => Ok(number),
    }
}

/// A number between a bound and the largest of 32 bits.
pub(crate) fn number_u32(text: &str, least: u32) -> Result<u32, ValueError> {
    let number = number(text, u64::from(least), u64::from(u32::MAX))?;
    u32::try_from(number).map_err(|_| ValueError::Number)
}

/// `on` or `off`, in any case.
pub(crate) fn switch(text: &str) -> Result<bool, ValueError> {
    match text {
        _ if text.eq_ignore_ascii_case("on") => Ok(true),
        _ if text.eq_ignore_ascii_case("off") => Ok(false),
        _ => Err(ValueError::Switch),
    }
}

/// The number that a text begins with, and what follows it.
fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let table = [
            ("65", Ok(65_000)),
            ("65s", Ok(65_000)),
            ("500ms", Ok(500)),
            ("1h30m", Ok(5_400_000)),
            ("1h 30m", Ok(5_400_000)),
            ("1d", Ok(DAY_MS)),
            ("1w2d", Ok(9 * DAY_MS)),
            ("1M", Err(ValueError::Time)),
            ("1y", Err(ValueError::Time)),
            ("1M1d", Err(ValueError::Time)),
            ("1m 5", Ok(65_000)),
            ("0", Ok(0)),
            ("", Err(ValueError::Time)),
            ("s", Err(ValueError::Time)),
            ("-1", Err(ValueError::Time)),
            ("1.5s", Err(ValueError::Time)),
            ("5x", Err(ValueError::Time)),
            ("5S", Err(ValueError::Time)),
            ("30m1h", Err(ValueError::Time)),
            ("1m1m", Err(ValueError::Time)),
            ("5 5", Err(ValueError::Time)),
            ("5sé", Err(ValueError::Time)),
            ("99999999999999999999", Err(ValueError::Time)),
            ("9999999999999999w", Err(ValueError::Time)),
            ("10000000w", Err(ValueError::Time)),
        ];
        for (text, expected) in table {
            assert_eq!(time_ms(text), expected, "{text:?}");
        }
        assert_eq!(seconds_ms("30s"), Ok(30_000));
        assert_eq!(seconds_ms("1M"), Ok(30 * DAY_MS));
        assert_eq!(seconds_ms("1y"), Ok(365 * DAY_MS));
        assert_eq!(seconds_ms("30ms"), Err(ValueError::Seconds));
    }

    #[test]
    fn sizes_have_units() {
        let table = [
            ("0", Ok(0)),
            ("512", Ok(512)),
            ("64k", Ok(65_536)),
            ("10M", Ok(10 << 20)),
            ("5g", Ok(5 << 30)),
            ("1t", Err(ValueError::Size)),
            ("1mb", Err(ValueError::Size)),
            ("", Err(ValueError::Size)),
            ("-1", Err(ValueError::Size)),
            ("9999999999g", Err(ValueError::Size)),
        ];
        for (text, expected) in table {
            assert_eq!(size(text), expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(number("5", 1, 10), Ok(5));
        assert_eq!(number("0", 1, 10), Err(ValueError::TooSmall(1)));
        assert_eq!(number("11", 1, 10), Err(ValueError::TooLarge(10)));
        assert_eq!(number("5k", 1, 10), Err(ValueError::Number));
        assert_eq!(number("99999999999999999999999", 1, 10), Err(ValueError::Number));
        assert_eq!(switch("ON"), Ok(true));
        assert_eq!(switch("true"), Err(ValueError::Switch));
    }
}
