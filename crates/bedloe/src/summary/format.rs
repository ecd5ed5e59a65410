//! Numbers as k6's summary writes them. Times and percentages are cut off, not rounded; the arithmetic is in floating
//! point because k6's is, and shows: 29 of 100 is 28.99%.

/// A fixed unit of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TimeUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
}

impl TimeUnit {
    /// As options name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
        }
    }

    /// A duration in milliseconds, in this unit: `0.00s`.
    pub(crate) fn format(self, ms: f64) -> String {
        let (value, unit) = match self {
            Self::S => (ms / 1000.0, "s"),
            Self::Ms => (ms, "ms"),
            Self::Us => (ms * 1000.0, "µs"),
        };
        format!("{:.2}{unit}", (value * 100.0).trunc() / 100.0)
    }
}

/// A duration in milliseconds: `0s`, `999ns`, `123.45µs`, `12.34ms`, `1.99s`, `1m1s`, `25h1m1s`.
pub(crate) fn duration(ms: f64) -> String {
    if ms <= 0.0 {
        return "0s".into();
    }
    if ms < 0.001 {
        return format!("{:.0}ns", (ms * 1e6).trunc());
    }
    if ms < 1.0 {
        return format!("{}µs", cut(ms * 1000.0));
    }
    if ms < 1000.0 {
        return format!("{}ms", cut(ms));
    }
    if ms < 60_000.0 {
        return format!("{}s", cut(ms / 1000.0));
    }
    let (seconds, minutes) = ((ms % 60_000.0 / 1000.0).trunc(), (ms / 60_000.0).trunc());
    let hours = (minutes / 60.0).trunc();
    if hours < 1.0 { format!("{minutes}m{seconds}s") } else { format!("{hours}h{}m{seconds}s", minutes % 60.0) }
}

/// A part as a percentage: always two decimals.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.2}%", (part * 100.0 * 100.0).trunc() / 100.0)
}

/// Any other number: up to six decimals.
pub(crate) fn number(value: f64) -> String {
    trimmed(format!("{value:.6}"))
}

/// Bytes: decimal units, one decimal below ten.
pub(crate) fn bytes(value: f64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if value < 10.0 {
        return format!("{value} B");
    }
    let (mut scaled, mut unit) = (value, 0);
    while scaled >= 1000.0 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let tenths = (scaled * 10.0 + 0.5).floor() / 10.0;
    let decimals = usize::from(tenths < 10.0);
    format!("{tenths:.decimals$} {}", UNITS[unit])
}

/// At most two decimals, what follows is cut off.
fn cut(value: f64) -> String {
    trimmed(format!("{:.2}", (value * 100.0).trunc() / 100.0))
}

fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As printed by k6 1.8.1.
    const DURATIONS: [(f64, &str); 29] = [
        (0.0, "0s"),
        (0.000_000_4, "0ns"),
        (0.000_001, "1ns"),
        (0.000_999_9, "999ns"),
        (0.001, "1µs"),
        (0.001_004_9, "1µs"),
        (0.009_99, "9.99µs"),
        (0.123_456_7, "123.45µs"),
        (0.4, "400µs"),
        (0.999_999_9, "999.99µs"),
        (1.0, "1ms"),
        (1.005, "1ms"),
        (12.3456, "12.34ms"),
        (100.0, "100ms"),
        (999.994, "999.99ms"),
        (999.999, "999.99ms"),
        (1000.0, "1s"),
        (1000.5, "1s"),
        (1999.999, "1.99s"),
        (59_999.99, "59.99s"),
        (60_000.0, "1m0s"),
        (60_500.0, "1m0s"),
        (61_000.0, "1m1s"),
        (119_999.9, "1m59s"),
        (3_599_999.0, "59m59s"),
        (3_600_000.0, "1h0m0s"),
        (3_661_001.0, "1h1m1s"),
        (90_061_001.0, "25h1m1s"),
        (123_456_789.5, "34h17m36s"),
    ];

    #[test]
    fn durations_are_cut_off() {
        for (ms, text) in DURATIONS {
            assert_eq!(duration(ms), text, "{ms} ms");
        }
    }

    #[test]
    fn percentages_show_floating_point_as_k6_does() {
        for (hits, total, text) in [
            (1.0, 1.0, "100.00%"),
            (9.0, 14.0, "64.28%"),
            (1.0, 3.0, "33.33%"),
            (99_999.0, 100_000.0, "99.99%"),
            (1.0, 100_000.0, "0.00%"),
            (29.0, 100.0, "28.99%"),
            (57.0, 100.0, "56.99%"),
        ] {
            assert_eq!(percent(hits / total), text);
        }
    }

    #[test]
    fn numbers_have_up_to_six_decimals() {
        for (value, text) in [
            (0.0, "0"),
            (10.0, "10"),
            (1.5, "1.5"),
            (0.000_000_1, "0"),
            (1_234_567.123_456_7, "1234567.123457"),
            (893_039.265_79, "893039.26579"),
            (49.987_052_013, "49.987052"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn bytes_have_one_decimal_below_ten() {
        for (value, text) in [
            (0.0, "0 B"),
            (320.0, "320 B"),
            (777.4, "777 B"),
            (1066.0, "1.1 kB"),
            (3599.07, "3.6 kB"),
            (18_000.0, "18 kB"),
            (52_250.0, "52 kB"),
            (9_960.0, "10 kB"),
            (357_000.0, "357 kB"),
            (2_500_000.0, "2.5 MB"),
            (12_345_678_901.0, "12 GB"),
        ] {
            assert_eq!(bytes(value), text);
        }
    }
}
