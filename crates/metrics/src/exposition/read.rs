//! The reading side: the samples of a text, one line at a time, nothing kept.
//!
//! Left out: kinds and helps, for who reads knows the names it looks for; timestamps, which are checked and dropped.
//! How much text is read is the caller's to bound.

use std::borrow::Cow;

use super::{is_label_name, is_metric_name};

/// Most labels that a sample may have; Prometheus's own programs have under ten.
const LABELS: usize = 64;

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'text> {
    /// The metric, with the `_bucket`, `_sum` or `_count` of a histogram.
    pub name: &'text str,
    /// Labels in the text's order.
    pub labels: Vec<(&'text str, Cow<'text, str>)>,
    /// The value: any float, also infinite or not a number.
    pub value: f64,
}

/// A line that is not in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Fault {}

impl Sample<'_> {
    /// The value of the label `name`; a label that is not there is as good as an empty one (Prometheus, "Data model").
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| *label == name).map_or("", |(_, value)| value)
    }
}

/// The samples of `text`, with what is wrong where a line is none; the lines after it are read all the same.
pub fn samples(text: &str) -> impl Iterator<Item = Result<Sample<'_>, Fault>> {
    text.lines().enumerate().filter_map(|(number, line)| {
        let line = line.trim_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        Some(sample(line).map_err(|what| Fault { line: number.saturating_add(1), what }))
    })
}

fn sample(line: &str) -> Result<Sample<'_>, &'static str> {
    let end = line.find(['{', ' ', '\t']).ok_or("a value is missing")?;
    let (name, rest) = line.split_at(end);
    if !is_metric_name(name) {
        return Err("it begins with no metric's name");
    }
    let rest = rest.trim_start_matches([' ', '\t']);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().and_then(number).ok_or("its value is no number")?;
    if words.next().is_some_and(|time| time.parse::<i64>().is_err()) || words.next().is_some() {
        return Err("what follows the value is no timestamp");
    }
    Ok(Sample { name, labels, value })
}

type Labels<'text> = Vec<(&'text str, Cow<'text, str>)>;

/// Labels up to the closing brace, and what is behind it.
fn labels(mut rest: &str) -> Result<(Labels<'_>, &str), &'static str> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, quoted) = rest.split_once('=').ok_or("a label has no value")?;
        let name = name.trim_end_matches([' ', '\t']);
        // The metric's own name is where Prometheus keeps it.
        if !is_label_name(name) || name == "__name__" {
            return Err("a label's name is none");
        }
        if labels.iter().any(|(known, _)| *known == name) {
            return Err("a label is there twice");
        }
        let quoted = quoted.trim_start_matches([' ', '\t']).strip_prefix('"').ok_or("a label's value is not quoted")?;
        let (value, after) = quoted_value(quoted)?;
        if labels.len() == LABELS {
            return Err("it has too many labels");
        }
        labels.push((name, value));
        rest = after.trim_start_matches([' ', '\t']);
        rest = match rest.strip_prefix(',') {
            Some(rest) => rest,
            None if rest.starts_with('}') => rest,
            None => return Err("labels are not separated by a comma"),
        };
    }
}

/// A value up to its closing quote, and what is behind it.
fn quoted_value(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let mut value = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let at = rest.find(['"', '\\']).ok_or("a label's value has no end")?;
        let (plain, marked) = rest.split_at(at);
        value += plain;
        if let Some(after) = marked.strip_prefix('"') {
            return Ok((value, after));
        }
        let mut characters = marked.chars();
        value += match characters.by_ref().nth(1) {
            Some('n') => "\n",
            Some('"') => "\"",
            Some('\\') => "\\",
            _ => return Err("a backslash in a label's value stands before none of n, \" and \\"),
        };
        rest = characters.as_str();
    }
}

/// A float as Go reads it. Rust's own reading takes the same words for what is not finite.
fn number(word: &str) -> Option<f64> {
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::super::{Exposition, Kind};
    use super::{Fault, samples};

    #[test]
    fn reads_samples() {
        let text = "# HELP a A.\n\na 1\n  b{c=\"d\", e = \"f\\\\\\\"\\n\",} +Inf 1700000000000\nc{} 1e3\nd\t-2.5\r\n";
        let read: Vec<_> = samples(text).map(Result::unwrap).collect();
        let seen: Vec<_> = read.iter().map(|sample| (sample.name, sample.value)).collect();
        assert_eq!(seen, [("a", 1.0), ("b", f64::INFINITY), ("c", 1000.0), ("d", -2.5)]);
        assert_eq!((read[1].label("c"), read[1].label("e"), read[1].label("x")), ("d", "f\\\"\n", ""));
    }

    #[test]
    fn names_what_is_wrong() {
        let cases = [
            ("a", "a value is missing"),
            ("a b", "its value is no number"),
            ("a{ 1", "a label has no value"),
            ("a{b=1} 1", "a label's value is not quoted"),
            ("a{b=\"c} 1", "a label's value has no end"),
            ("a{b=\"\\x\"} 1", "a backslash in a label's value stands before none of n, \" and \\"),
            ("a{b=\"c\" d=\"e\"} 1", "labels are not separated by a comma"),
            ("a{1=\"c\"} 1", "a label's name is none"),
            ("a{__name__=\"c\"} 1", "a label's name is none"),
            ("a{b=\"c\",b=\"c\"} 1", "a label is there twice"),
            ("a{b=\"c\"}", "its value is no number"),
            ("a 1 soon", "what follows the value is no timestamp"),
            ("a 1 2 3", "what follows the value is no timestamp"),
            ("<html> 1", "it begins with no metric's name"),
        ];
        for (line, what) in cases {
            let read: Vec<_> = samples(line).collect();
            assert_eq!(read, [Err(Fault { line: 1, what })], "{line}");
        }
        let many: String = (0..65).map(|number| format!("b{number}=\"\",")).collect();
        let many = format!("a{{{many}}} 1");
        assert_eq!(samples(&many).next(), Some(Err(Fault { line: 1, what: "it has too many labels" })));
    }

    proptest! {
        #[test]
        fn reads_what_is_written(label in any::<String>(), value in any::<f64>(), whole in any::<u32>()) {
            let mut text = Exposition::default();
            text.family("a", Kind::Gauge, &label).sample(&[("b", &label)], value).sample(&[], u64::from(whole));
            let text = text.finish();
            let read: Vec<_> = samples(&text).map(Result::unwrap).collect();
            assert_eq!(read.len(), 2);
            assert_eq!(read[0].label("b"), label);
            assert!(read[0].value == value || (value.is_nan() && read[0].value.is_nan()));
            assert!((read[1].value - f64::from(whole)).abs() < f64::EPSILON);
        }

        #[test]
        fn bears_any_text(text in any::<String>()) {
            let _ = samples(&text).count();
        }
    }
}
