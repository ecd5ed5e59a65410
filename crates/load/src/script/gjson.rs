//! Paths into JSON, as `response.json(path)` takes them: names and numbers with dots between them, `#` for the length
//! of a list or each of its elements, `#(name=value)` for the first that fits, `*` and `?` in names. What else gjson
//! has is in `gjson/more`.

mod more;

use serde_json::Value as Json;

/// What a path finds.
pub(super) fn find(json: &Json, path: &str) -> Option<Json> {
    if path.starts_with(['@', '!', '[', '{']) {
        return more::find(json, path);
    }
    if path.is_empty() {
        return None;
    }
    let (part, rest) = split(path);
    let found = step(json, &part, rest)?;
    match (found, rest) {
        (Step::Done(value), _) => Some(value),
        (Step::At(value), None) => Some(value.clone()),
        (Step::At(value), Some(rest)) => find(value, rest),
    }
}

enum Step<'a> {
    At(&'a Json),
    Done(Json),
}

/// The first part of a path, with escapes taken out, and the rest. A query's own dots do not end it.
fn split(path: &str) -> (String, Option<&str>) {
    let (mut part, mut depth, mut quoted, mut escaped) = (String::new(), 0_u32, false, false);
    for (at, letter) in path.char_indices() {
        match letter {
            _ if escaped => {
                escaped = false;
                part.push(letter);
                continue;
            }
            '\\' if depth == 0 => {
                escaped = true;
                continue;
            }
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            '.' | '|' if depth == 0 => return (part, Some(&path[at + 1..])),
            _ => {}
        }
        part.push(letter);
    }
    (part, None)
}

fn step<'a>(json: &'a Json, part: &str, rest: Option<&str>) -> Option<Step<'a>> {
    match json {
        Json::Object(fields) => {
            let found = fields.get(part).or_else(|| fields.iter().find(|(key, _)| is_like(key, part)).map(|(_, v)| v));
            found.map(Step::At)
        }
        Json::Array(list) => match part {
            "#" if rest.is_none() => Some(Step::Done(Json::from(list.len()))),
            "#" => all(list.iter(), rest.unwrap_or_default()).map(Step::Done),
            _ if part.starts_with("#(") => query(list, part, rest),
            _ => list.get(part.parse::<usize>().ok()?).map(Step::At),
        },
        _ => None,
    }
}

/// `#(name=="x")` is the first that fits, `#(...)#` all of them.
fn query<'a>(list: &'a [Json], part: &str, rest: Option<&str>) -> Option<Step<'a>> {
    let (inside, takes_all) = match part.strip_suffix('#') {
        Some(part) => (part.strip_prefix("#(")?.strip_suffix(')')?, true),
        None => (part.strip_prefix("#(")?.strip_suffix(')')?, false),
    };
    if !takes_all {
        return list.iter().find(|each| fits(each, inside)).map(Step::At);
    }
    let fitting = list.iter().filter(|each| fits(each, inside));
    match rest.map(|rest| rest.strip_prefix("#.").unwrap_or(rest)) {
        None => Some(Step::Done(fitting.cloned().collect())),
        Some(rest) => all(fitting, rest).map(Step::Done),
    }
}

/// What a path finds in each; what stands behind `|` is looked for in the list of that.
fn all<'a>(list: impl Iterator<Item = &'a Json>, path: &str) -> Option<Json> {
    let (each, whole) = match more::place_of(path, &['|']) {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    };
    let found: Json = list.filter_map(|json| find(json, each)).collect();
    match whole {
        Some(rest) => find(&found, rest),
        None => Some(found),
    }
}

fn fits(json: &Json, condition: &str) -> bool {
    const OPERATORS: [&str; 8] = ["==", "!=", "<=", ">=", "!%", "=", "<", ">"];
    let place = OPERATORS.iter().filter_map(|sign| Some((condition.find(sign)?, *sign)));
    let place =
        place.chain(condition.find('%').map(|at| (at, "%"))).min_by_key(|(at, sign)| (*at, usize::MAX - sign.len()));
    let Some((at, sign)) = place else { return find(json, condition.trim()).is_some() };
    let name = condition[..at].trim();
    let wanted = condition[at + sign.len()..].trim();
    let found = if name.is_empty() { Some(json.clone()) } else { find(json, name) };
    let Some(found) = found else { return false };
    let wanted: Json = serde_json::from_str(wanted).unwrap_or_else(|_| Json::from(wanted));
    let order = match (&found, &wanted) {
        (Json::String(found), Json::String(wanted)) => Some(found.cmp(wanted)),
        _ => found.as_f64().zip(wanted.as_f64()).and_then(|(found, wanted)| found.partial_cmp(&wanted)),
    };
    match sign {
        "=" | "==" => found == wanted || order.is_some_and(std::cmp::Ordering::is_eq),
        "!=" => found != wanted && !order.is_some_and(std::cmp::Ordering::is_eq),
        "<" => order.is_some_and(std::cmp::Ordering::is_lt),
        "<=" => order.is_some_and(std::cmp::Ordering::is_le),
        ">" => order.is_some_and(std::cmp::Ordering::is_gt),
        ">=" => order.is_some_and(std::cmp::Ordering::is_ge),
        _ => {
            let like = found.as_str().zip(wanted.as_str()).is_some_and(|(found, wanted)| is_like(found, wanted));
            like == (sign == "%")
        }
    }
}

/// Whether a text is of a pattern with `*` and `?`.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut in_pattern, mut star) = (0, 0, None);
    while at < text.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                star = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => match star {
                Some((place, from)) => {
                    star = Some((place, from + 1));
                    at = from + 1;
                    in_pattern = place + 1;
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_what_gjson_finds() {
        let json = serde_json::json!({
            "name": {"first": "Tom"}, "age": 37, "a.b": 1, "children": ["Sara", "Alex"],
            "friends": [{"first": "Dale", "age": 44}, {"first": "Roger", "age": 68}, {"first": "Jane", "age": 47}],
        });
        for (path, expected) in [
            ("name.first", Some(r#""Tom""#)),
            ("children.#", Some("2")),
            ("children.1", Some(r#""Alex""#)),
            ("child*.0", Some(r#""Sara""#)),
            ("a\\.b", Some("1")),
            ("friends.#.first", Some(r#"["Dale","Roger","Jane"]"#)),
            ("friends.1.age", Some("68")),
            ("friends.#(first==\"Roger\").age", Some("68")),
            ("friends.#(age>45)#.first", Some(r#"["Roger","Jane"]"#)),
            ("friends.#(first%\"J*\").age", Some("47")),
            ("nothing", None),
            ("children.7", None),
            ("age.x", None),
            ("friends.#.first|1", Some(r#""Roger""#)),
            ("friends.#(age>45)#.first|@reverse", Some(r#"["Jane","Roger"]"#)),
            ("@this.age", Some("37")),
            ("name.@keys", Some(r#"["first"]"#)),
            ("children.@reverse.0", Some(r#""Alex""#)),
            ("name|@values", Some(r#"["Tom"]"#)),
            ("[age,name.first,nothing]", Some(r#"[37,"Tom"]"#)),
            ("{age,\"x\":name.first}.x", Some(r#""Tom""#)),
            ("{name.first}", Some(r#"{"first":"Tom"}"#)),
            ("age.@tostr", Some(r#""37""#)),
            ("age.@tostr|@fromstr", Some("37")),
            ("friends.@join.first", Some(r#""Jane""#)),
            ("!\"a text\"", Some(r#""a text""#)),
            ("!5", Some("5")),
            ("@nothing", None),
            ("[age", None),
        ] {
            assert_eq!(find(&json, path).map(|found| found.to_string()).as_deref(), expected, "{path}");
        }
    }
}
