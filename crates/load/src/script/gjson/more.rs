//! What paths into JSON may hold beside names: modifiers (`@reverse`), several paths (`[a,b]`, `{a,b}`), literals
//! (`!5`).
//!
//! Left out: modifiers that programs add, `@dig`, and `@pretty`'s arguments.

use serde_json::{Map, Value as Json};

use super::find as find_in;

/// What such a path finds.
pub(super) fn find(json: &Json, path: &str) -> Option<Json> {
    let first = path.chars().next()?;
    let end = place_of(path, &['.', '|']).unwrap_or(path.len());
    let found = match first {
        '@' => modified(json, &path[1..end])?,
        '!' => serde_json::from_str(&path[1..end]).ok()?,
        _ => several(json, first, path[1..end].strip_suffix([']', '}'])?)?,
    };
    match path.get(end + 1..) {
        Some(rest) => find_in(&found, rest),
        None => Some(found),
    }
}

/// Where the first of some letters is that is not within brackets or quotation marks.
pub(super) fn place_of(path: &str, letters: &[char]) -> Option<usize> {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_u32, false, false);
    for (at, letter) in path.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 && letters.contains(&letter) => return Some(at),
            _ => {}
        }
    }
    None
}

fn modified(json: &Json, name: &str) -> Option<Json> {
    let (name, argument) = name.split_once(':').unwrap_or((name, ""));
    Some(match (name, json) {
        ("this" | "valid" | "pretty" | "ugly", _) => json.clone(),
        ("reverse", Json::Array(list)) => list.iter().rev().cloned().collect(),
        ("reverse", Json::Object(fields)) => {
            let pairs = fields.iter().rev().map(|(name, value)| (name.clone(), value.clone()));
            Json::Object(pairs.collect())
        }
        ("flatten", Json::Array(list)) => Json::Array(flat(list, argument.contains("true"))),
        ("join", Json::Array(list)) => {
            let pairs = list.iter().filter_map(Json::as_object).flatten();
            Json::Object(pairs.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        ("reverse" | "flatten" | "join", _) => json.clone(),
        ("keys", Json::Object(fields)) => fields.keys().cloned().collect(),
        ("keys", Json::Array(list)) => list.iter().map(|_| Json::Null).collect(),
        ("values", Json::Object(fields)) => fields.values().cloned().collect(),
        ("values", Json::Array(_)) => json.clone(),
        ("keys", _) => Json::Array(Vec::new()),
        ("values", _) => Json::Array(vec![json.clone()]),
        ("tostr", _) => Json::from(json.to_string()),
        ("fromstr", Json::String(text)) => serde_json::from_str(text).ok()?,
        ("group", Json::Object(fields)) => grouped(fields),
        _ => return None,
    })
}

fn flat(list: &[Json], is_deep: bool) -> Vec<Json> {
    let mut all = Vec::new();
    for each in list {
        match each {
            Json::Array(inner) if is_deep => all.extend(flat(inner, true)),
            Json::Array(inner) => all.extend(inner.iter().cloned()),
            other => all.push(other.clone()),
        }
    }
    all
}

/// `{ a: [1, 2], b: [3, 4] }` as `[{ a: 1, b: 3 }, { a: 2, b: 4 }]`.
fn grouped(fields: &Map<String, Json>) -> Json {
    let mut all: Vec<Json> = Vec::new();
    for (name, list) in fields {
        for (at, value) in list.as_array().into_iter().flatten().enumerate() {
            if all.len() == at {
                all.push(Json::Object(Map::new()));
            }
            all[at][name] = value.clone();
        }
    }
    Json::Array(all)
}

/// `a,b` in brackets is a list of what each finds, in braces an object; what finds nothing is left out.
fn several(json: &Json, bracket: char, paths: &str) -> Option<Json> {
    let (mut list, mut object, mut rest) = (Vec::new(), Map::new(), paths);
    while !rest.is_empty() {
        let end = place_of(rest, &[',']).unwrap_or(rest.len());
        let (name, path) = named(&rest[..end]);
        if let Some(found) = find_in(json, path) {
            if bracket == '[' {
                list.push(found);
            } else {
                object.insert(name, found);
            }
        }
        rest = rest.get(end + 1..).unwrap_or("");
    }
    Some(if bracket == '[' { Json::Array(list) } else { Json::Object(object) })
}

/// `"name":path`, or a path, whose last part is the name.
fn named(path: &str) -> (String, &str) {
    let given = path.strip_prefix('"').and_then(|rest| rest.split_once("\":"));
    match given {
        Some((name, path)) => (name.to_owned(), path),
        None => (path.rsplit(['.', '|']).next().unwrap_or(path).to_owned(), path),
    }
}
