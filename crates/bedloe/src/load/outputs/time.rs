//! The time of a sample: the monotonic clock's as that of the calendar, in the ways in which k6 writes it.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

const SECOND_NS: i128 = 1_000_000_000;

/// Both clocks as they stood at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    wall_ns: i128,
    monotonic_ns: u64,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self { wall_ns: Timestamp::now().as_nanosecond(), monotonic_ns: net::clock::now_ns() }
    }

    /// Nanoseconds since 1970.
    pub(super) fn wall_ns(self, at_ns: u64) -> i128 {
        self.wall_ns + i128::from(at_ns) - i128::from(self.monotonic_ns)
    }
}

/// Writes times as RFC 3339 has them, in the host's time zone.
pub(super) struct Rfc3339 {
    zone: TimeZone,
    second: i128,
    /// Of that second: what stands before the fraction, and what stands behind it.
    before: String,
    behind: String,
}

impl Rfc3339 {
    pub(super) fn new() -> Self {
        Self { zone: TimeZone::system(), second: i128::MIN, before: String::new(), behind: String::new() }
    }

    /// With as many digits of a second as there are, or with none.
    pub(super) fn write(&mut self, out: &mut dyn Write, wall_ns: i128, has_fraction: bool) -> io::Result<()> {
        let (second, nanos) = (wall_ns.div_euclid(SECOND_NS), wall_ns.rem_euclid(SECOND_NS));
        if second != self.second {
            let time = Timestamp::from_nanosecond(second * SECOND_NS).unwrap_or_default().to_zoned(self.zone.clone());
            self.before = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            let is_utc = time.offset().is_zero();
            self.behind = if is_utc { "Z".to_owned() } else { time.strftime("%:z").to_string() };
            self.second = second;
        }
        out.write_all(self.before.as_bytes())?;
        if has_fraction && nanos > 0 {
            let digits = format!("{nanos:09}");
            write!(out, ".{}", digits.trim_end_matches('0'))?;
        }
        out.write_all(self.behind.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn times_are_written_with_the_digits_that_count() {
        let mut times = Rfc3339 { zone: TimeZone::UTC, ..Rfc3339::new() };
        for (ns, has_fraction, text) in [
            (0, true, "1970-01-01T00:00:00Z"),
            (1_500_000_000, true, "1970-01-01T00:00:01.5Z"),
            (1_000_000_001, true, "1970-01-01T00:00:01.000000001Z"),
            (1_000_000_001, false, "1970-01-01T00:00:01Z"),
        ] {
            let mut out = Vec::new();
            times.write(&mut out, ns, has_fraction).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let hours = TimeZone::fixed(jiff::tz::offset(2));
        let mut times = Rfc3339 { zone: hours, ..Rfc3339::new() };
        let mut out = Vec::new();
        times.write(&mut out, 1, false).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "1970-01-01T02:00:00+02:00");
    }
}
