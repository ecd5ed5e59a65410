//! Values of options: durations, numbers, texts, as k6 takes them.

use serde_json::Value as Json;

use super::{Layer, Wrong, wrong};

/// A duration in nanoseconds: a text, or a number of milliseconds.
pub(super) fn duration(fields: &Layer, name: &str) -> Result<Option<u64>, Wrong> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => {
            crate::duration::parse(text).map(Some).map_err(|error| Wrong(vec![format!("{name}: {error}")]))
        }
        Some(Json::Number(ms)) => match crate::duration::parse(&ms.to_string()) {
            Ok(ns) => Ok(Some(ns)),
            Err(error) => wrong(format!("{name}: {error}")),
        },
        Some(other) => wrong(format!("{name}: want a duration such as \"30s\", not {other}")),
    }
}

/// A whole number.
pub(super) fn whole(fields: &Layer, name: &str) -> Result<Option<i64>, Wrong> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        // A text that is a number is one, as in k6.
        Some(value) => match value.as_i64().or_else(|| whole_float(value.as_f64()?)).or_else(|| number_in(value)) {
            Some(number) => Ok(Some(number)),
            None => wrong(format!("{name}: want a whole number, not {value}")),
        },
    }
}

#[allow(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
fn whole_float(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
}

fn number_in(value: &Json) -> Option<i64> {
    value.as_str()?.parse().ok()
}

/// A whole number that is not negative.
pub(super) fn count(fields: &Layer, name: &str) -> Result<Option<u64>, Wrong> {
    match whole(fields, name)? {
        None => Ok(None),
        Some(number) => match u64::try_from(number) {
            Ok(number) => Ok(Some(number)),
            Err(_) => wrong(format!("{name}: it can't be negative, but is {number}")),
        },
    }
}

/// A text.
pub(super) fn text(fields: &Layer, name: &str) -> Result<Option<String>, Wrong> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(other) => wrong(format!("{name}: want a text, not {other}")),
    }
}

/// A list of texts; a single text may have commas.
pub(super) fn texts(fields: &Layer, name: &str) -> Result<Option<Vec<String>>, Wrong> {
    let list = match fields.get(name) {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::String(text)) => {
            return Ok(Some(
                text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect(),
            ));
        }
        Some(Json::Array(list)) => list,
        Some(other) => return wrong(format!("{name}: want a list of texts, not {other}")),
    };
    let texts: Option<Vec<String>> = list.iter().map(|each| each.as_str().map(str::to_owned)).collect();
    texts.map_or_else(|| wrong(format!("{name}: want a list of texts")), |texts| Ok(Some(texts)))
}

/// Names with texts.
pub(super) fn named(fields: &Layer, name: &str) -> Result<Vec<(String, String)>, Wrong> {
    let map = match fields.get(name) {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Object(map)) => map,
        Some(other) => return wrong(format!("{name}: want names with texts, not {other}")),
    };
    let pair = |(key, value): (&String, &Json)| match value.as_str() {
        Some(value) => Ok((key.clone(), value.to_owned())),
        None => wrong(format!("{name}: `{key}` is to be a text, not {value}")),
    };
    map.iter().map(pair).collect()
}

/// True or false.
pub(super) fn flag(fields: &Layer, name: &str) -> Result<Option<bool>, Wrong> {
    match fields.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Bool(value)) => Ok(Some(*value)),
        Some(other) => wrong(format!("{name}: want true or false, not {other}")),
    }
}
