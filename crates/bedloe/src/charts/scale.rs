//! Axes: where round ticks lie, and how values and times are written beside them.

/// What the values of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Unit {
    /// So many of something.
    #[default]
    Count,
    /// A number with a fraction: the load of a host.
    Number,
    /// Milliseconds.
    Ms,
    /// Parts of a hundred.
    Percent,
    /// So many a second.
    PerSecond,
    /// Bytes, in powers of 1024.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
}

/// An axis of values, from 0 or the least negative value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<f64>,
    scale: Scale,
    decimals: usize,
}

/// How values of one size are written.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    /// By what they are divided.
    factor: f64,
    /// What stands behind them.
    suffix: &'static str,
}

/// The shortest axis; steps of one much shorter are no numbers any more.
const LEAST: f64 = 1e-9;

impl Axis {
    /// An axis that holds all values, of at most `wanted` steps.
    pub(super) fn new(unit: Unit, least: f64, most: f64, wanted: u32) -> Self {
        let low = least.min(0.0);
        // What is too small to be written beside an axis is nothing.
        let high = if most - low > LEAST { most } else { low + 1.0 };
        let scale = unit.scale(high.max(-low));
        let scaled = step((high - low) / scale.factor / f64::from(wanted.max(1)), unit == Unit::Count);
        let step = scale.factor * scaled;
        let (first, last) = ((low / step).floor(), (high / step - 1e-9).ceil());
        let ticks: Vec<f64> = between(first, last).map(|at| at * step).collect();
        Self { low: first * step, high: last * step, ticks, scale, decimals: decimals(scaled) }
    }

    /// A tick as it is written beside the axis.
    pub(super) fn label(&self, tick: f64) -> String {
        format!("{}{}", digits(tick / self.scale.factor, self.decimals), self.scale.suffix)
    }
}

impl Unit {
    /// How values of this size are written.
    fn scale(self, most: f64) -> Scale {
        const KIB: f64 = 1024.0;
        let of = |steps: &[(f64, f64, &'static str)]| {
            let fits = steps.iter().rev().find(|(from, ..)| most >= *from);
            let (_, factor, suffix) = fits.or(steps.first()).copied().unwrap_or((0.0, 1.0, ""));
            Scale { factor, suffix }
        };
        let binary = |suffixes: [&'static str; 4]| {
            let [one, kib, mib, gib] = suffixes;
            let (mega, giga) = (KIB * KIB, KIB * KIB * KIB);
            of(&[(0.0, 1.0, one), (KIB, KIB, kib), (mega, mega, mib), (giga, giga, gib)])
        };
        match self {
            Self::Count => of(&[(0.0, 1.0, ""), (20e3, 1e3, "k"), (1e6, 1e6, "M"), (1e9, 1e9, "G")]),
            Self::PerSecond => of(&[(0.0, 1.0, "/s"), (20e3, 1e3, "k/s"), (1e6, 1e6, "M/s"), (1e9, 1e9, "G/s")]),
            Self::Ms => of(&[(0.0, 1e-3, " µs"), (1.0, 1.0, " ms"), (1e3, 1e3, " s")]),
            Self::Number => of(&[(0.0, 1.0, "")]),
            Self::Percent => of(&[(0.0, 1.0, "%")]),
            Self::Bytes => binary([" B", " KiB", " MiB", " GiB"]),
            Self::BytesPerSecond => binary([" B/s", " KiB/s", " MiB/s", " GiB/s"]),
        }
    }

    /// A value by itself, to three digits.
    pub(crate) fn show(self, value: f64) -> String {
        let Scale { factor, suffix } = self.scale(value.abs());
        let scaled = value / factor;
        let decimals = match scaled.abs() {
            size if size >= 99.95 => 0,
            size if size >= 9.995 => 1,
            size if size > 0.0 => 2,
            _ => 0,
        };
        format!("{}{suffix}", trimmed(&digits(scaled, decimals)))
    }
}

/// The round step, 1, 2 or 5 and zeros or 25 and zeros, that is not below `least`.
fn step(least: f64, is_whole: bool) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let fits = |step: &f64| *step >= least * (1.0 - 1e-9) && (*step != 2.5 * power || power >= 10.0);
    let round = [1.0, 2.0, 2.5, 5.0].map(|times| times * power).into_iter().find(fits);
    let step = round.unwrap_or(10.0 * power);
    if is_whole { step.max(1.0) } else { step }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few dozen ticks at the most")]
fn between(first: f64, last: f64) -> impl Iterator<Item = f64> {
    (first as i64..=last as i64).map(|at| at as f64)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn decimals(step: f64) -> usize {
    (-step.log10() - 1e-9).ceil().clamp(0.0, 6.0) as usize
}

/// A number without a sign before zero.
fn digits(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let is_zero = text.starts_with('-') && text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
    if is_zero { text[1..].to_owned() } else { text }
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Seconds between two ticks of a time line, as clocks have them.
const TIME_STEPS: [f64; 19] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0,
    43_200.0, 86_400.0, 172_800.0,
];

/// Ticks of a time line with their labels, about `wanted` of them.
pub(super) fn times((from, to): (f64, f64), wanted: u32) -> Vec<(f64, String)> {
    let least = (to - from) / f64::from(wanted.max(1));
    let days = (least / 86_400.0).ceil() * 86_400.0;
    let step = TIME_STEPS.into_iter().find(|step| *step >= least * 0.999).unwrap_or(days);
    let (first, last) = ((from / step - 1e-6).ceil(), (to / step + 1e-6).floor());
    between(first, last).map(|at| (at * step, time(at * step, from < 0.0))).collect()
}

/// A moment of a time line: since its beginning, or before now.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a test, which are whole here")]
pub(super) fn time(at_s: f64, is_ago: bool) -> String {
    let seconds = at_s.abs().round() as u64;
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let text = match (hours, minutes, rest) {
        (0, 0, _) => format!("{rest} s"),
        (0, _, 0) => format!("{minutes} min"),
        (0, ..) => format!("{minutes}:{rest:02} min"),
        (_, 0, 0) => format!("{hours} h"),
        (_, _, 0) => format!("{hours}:{minutes:02} h"),
        _ => format!("{hours}:{minutes:02}:{rest:02}"),
    };
    match (is_ago, seconds) {
        (true, 0) => "now".to_owned(),
        (true, _) => format!("-{text}"),
        (false, _) => text,
    }
}
