//! Sub-metrics: the samples of a metric that have certain tags, counted on their own, as in `http_reqs{status:200}`.

use super::definitions::{Definitions, MetricId};

/// Sub-metrics of one test: each is a test on every set of tags.
pub const MOST_SUB_METRICS: usize = 1000;

/// A part of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubMetric {
    /// The metric.
    pub parent: MetricId,
    /// As the user wrote it: `http_reqs{status:200}`.
    pub name: String,
    /// All of these a sample must have.
    pub tags: Tags,
}

/// Names of tags with their values.
pub type Tags = Vec<(String, String)>;

/// A name that stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant is")]
pub enum BadName {
    #[error("`{0}`: there is no such metric")]
    Unknown(String),
    #[error("`{0}`: want metric{{tag:value,...}}")]
    Syntax(String),
}

impl SubMetric {
    /// Splits `metric{tag:value,...}`; without braces there are no tags. Values may be quoted.
    pub fn parse(text: &str) -> Result<(&str, Tags), BadName> {
        let syntax = || BadName::Syntax(text.to_owned());
        let Some((parent, rest)) = text.split_once('{') else { return Ok((text.trim(), Vec::new())) };
        let inside = rest.trim_end().strip_suffix('}').ok_or_else(syntax)?;
        let mut tags = Vec::new();
        for pair in inside.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (key, value) = pair.split_once(':').unwrap_or((pair, ""));
            tags.push((unquoted(key).to_owned(), unquoted(value).to_owned()));
        }
        if tags.is_empty() {
            return Err(syntax());
        }
        Ok((parent.trim(), tags))
    }

    /// A name without the spaces that count for nothing.
    pub(crate) fn tidy(text: &str) -> String {
        match text.split_once('{').zip(text.trim_end().strip_suffix('}')) {
            Some(((parent, _), whole)) => format!("{parent}{{{}}}", whole[parent.len() + 1..].trim()),
            None => text.to_owned(),
        }
    }

    /// The sub-metric of a name, or `None` where it names a whole metric.
    pub fn of(name: &str, metrics: &Definitions) -> Result<(MetricId, Option<Self>), BadName> {
        let (parent, tags) = Self::parse(name)?;
        let (id, _) = metrics.find(parent).ok_or_else(|| BadName::Unknown(name.to_owned()))?;
        if tags.is_empty() {
            return Ok((id, None));
        }
        Ok((id, Some(Self { parent: id, name: name.to_owned(), tags })))
    }

    /// Whether a sample with these tags is part of it.
    pub(crate) fn takes<'a>(&self, find: impl Fn(&str) -> Option<&'a str>) -> bool {
        // A tag that the sample has not is as good as an empty one, as in k6.
        self.tags.iter().all(|(key, value)| find(key).unwrap_or("") == value)
    }
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inside = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_tags_are_split() {
        let tags = |text| {
            SubMetric::parse(text).map(|(parent, tags)| {
                let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("{parent} {}", tags.join(" "))
            })
        };
        for (text, expected) in [
            ("http_reqs", "http_reqs "),
            ("http_reqs{status:200}", "http_reqs status=200"),
            ("x{ a:b , c:\"d\" }", "x a=b c=d"),
            ("x{group:::a::b}", "x group=::a::b"),
            ("x{url:http://a/b}", "x url=http://a/b"),
            ("x{a}", "x a="),
        ] {
            assert_eq!(tags(text), Ok(expected.to_owned()), "{text}");
        }
        for text in ["x{", "x{}", "x{a:b", "x{a:b}c"] {
            assert!(tags(text).is_err(), "{text}");
        }
    }
}
