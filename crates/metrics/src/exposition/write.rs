//! The writing side: families of samples, one after the other, into one text.
//!
//! Names are the caller's to know, and are checked in debug builds only; values of labels come from anywhere and are
//! escaped.

use std::fmt::Write as _;

use super::{is_label_name, is_metric_name};

/// A text that grows by families of samples.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// What a family's samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets with upper bounds, a sum and a count.
    Histogram,
    /// Of a kind that its source does not tell.
    Untyped,
}

/// A sample's value, kept whole where it is a whole number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Written with all its digits.
    Whole(u64),
    /// Written with the fewest digits that give it back.
    Real(f64),
}

/// A family that is being written: samples of one name.
#[derive(Debug)]
pub struct Family<'text> {
    text: &'text mut String,
    name: &'text str,
}

impl Exposition {
    /// An empty text that writes into `text`'s memory, so that one buffer serves all scrapes.
    #[must_use]
    pub fn into_buffer(mut text: String) -> Self {
        text.clear();
        Self { text }
    }

    /// Begins the family `name`: its lines of help and kind. All samples of a name stand in one family.
    pub fn family<'text>(&'text mut self, name: &'text str, kind: Kind, help: &str) -> Family<'text> {
        debug_assert!(is_metric_name(name), "{name:?} is no metric's name");
        let text = &mut self.text;
        push(text, &["# HELP ", name, " "]);
        escape(text, help, false);
        push(text, &["\n# TYPE ", name, " ", kind.name(), "\n"]);
        Family { text, name }
    }

    /// The text so far.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The whole text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// One sample with its labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Into<Value>) -> &mut Self {
        self.line("", labels, None, value.into());
        self
    }

    /// One histogram: `buckets` are upper bounds with the number of values that lie in each bucket alone, ascending;
    /// `beyond` lie above the last bound; `sum` is that of all values.
    pub fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: impl IntoIterator<Item = (f64, u64)>,
        beyond: u64,
        sum: f64,
    ) -> &mut Self {
        let mut count = 0_u64;
        for (bound, values) in buckets {
            count = count.saturating_add(values);
            self.line("_bucket", labels, Some(bound), Value::Whole(count));
        }
        count = count.saturating_add(beyond);
        self.line("_bucket", labels, Some(f64::INFINITY), Value::Whole(count));
        self.line("_sum", labels, None, Value::Real(sum));
        self.line("_count", labels, None, Value::Whole(count));
        self
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<f64>, value: Value) {
        push(self.text, &[self.name, suffix]);
        let mut separator = "{";
        for (label, of) in labels {
            debug_assert!(is_label_name(label), "{label:?} is no label's name");
            push(self.text, &[separator, label, "=\""]);
            escape(self.text, of, true);
            self.text.push('"');
            separator = ",";
        }
        if let Some(bound) = bound {
            push(self.text, &[separator, "le=\""]);
            Value::Real(bound).write(self.text);
            self.text.push('"');
            separator = ",";
        }
        if separator == "," {
            self.text.push('}');
        }
        self.text.push(' ');
        value.write(self.text);
        self.text.push('\n');
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Untyped => "untyped",
        }
    }
}

impl Value {
    fn write(self, text: &mut String) {
        let _ = match self {
            Self::Whole(value) => write!(text, "{value}"),
            Self::Real(value) if value == f64::INFINITY => write!(text, "+Inf"),
            Self::Real(value) if value == f64::NEG_INFINITY => write!(text, "-Inf"),
            Self::Real(value) => write!(text, "{value}"),
        };
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// Adds pieces as they are: a scrape has thousands, and formatting costs several times as much.
fn push(text: &mut String, pieces: &[&str]) {
    pieces.iter().for_each(|piece| text.push_str(piece));
}

/// Adds `value` with a backslash before what would end it: backslashes, ends of lines and, in quotes, quotes.
fn escape(text: &mut String, mut value: &str, is_quoted: bool) {
    let ends = |byte: &u8| matches!(byte, b'\\' | b'\n') || (*byte == b'"' && is_quoted);
    while let Some(at) = value.as_bytes().iter().position(ends) {
        let (plain, rest) = value.split_at(at);
        let (end, rest) = rest.split_at(1);
        push(text, &[plain, "\\", if end == "\n" { "n" } else { end }]);
        value = rest;
    }
    text.push_str(value);
}

#[cfg(test)]
mod tests {
    use super::{Exposition, Kind};

    #[test]
    fn writes_families() {
        let mut text = Exposition::default();
        text.family("up_total", Kind::Counter, "What\\is\nup.")
            .sample(&[], 18_446_744_073_709_551_615_u64)
            .sample(&[("name", "a \"b\"\\\n"), ("zone", "é")], 0.5);
        text.family("none", Kind::Gauge, "Nothing yet.");
        text.family("odd", Kind::Untyped, "")
            .sample(&[], f64::INFINITY)
            .sample(&[], f64::NEG_INFINITY)
            .sample(&[], f64::NAN)
            .sample(&[], true);
        assert_eq!(
            text.finish(),
            "# HELP up_total What\\\\is\\nup.\n# TYPE up_total counter\nup_total 18446744073709551615\n\
             up_total{name=\"a \\\"b\\\"\\\\\\n\",zone=\"é\"} 0.5\n# HELP none Nothing yet.\n# TYPE none gauge\n\
             # HELP odd \n# TYPE odd untyped\nodd +Inf\nodd -Inf\nodd NaN\nodd 1\n"
        );
    }

    #[test]
    fn a_histogram_adds_its_buckets_up() {
        let mut text = Exposition::into_buffer("an older text".to_owned());
        text.family("t_seconds", Kind::Histogram, "T.").histogram(&[("a", "b")], [(0.005, 3), (1.0, 2)], 1, 4.25);
        text.family("u_seconds", Kind::Histogram, "U.").histogram(&[], [], 0, 0.0);
        assert_eq!(
            text.as_str(),
            "# HELP t_seconds T.\n# TYPE t_seconds histogram\nt_seconds_bucket{a=\"b\",le=\"0.005\"} 3\n\
             t_seconds_bucket{a=\"b\",le=\"1\"} 5\nt_seconds_bucket{a=\"b\",le=\"+Inf\"} 6\n\
             t_seconds_sum{a=\"b\"} 4.25\nt_seconds_count{a=\"b\"} 6\n# HELP u_seconds U.\n\
             # TYPE u_seconds histogram\nu_seconds_bucket{le=\"+Inf\"} 0\nu_seconds_sum 0\nu_seconds_count 0\n"
        );
    }
}
