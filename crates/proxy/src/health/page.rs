//! The body of a health page: MicroProfile Health's `{"status":"DOWN","checks":[{"name":"db","status":"DOWN"}]}`.
//!
//! What is no such body says nothing: then the status alone decides.

use serde::Deserialize;

/// Names of failing checks that are told, and characters of each.
const NAMES_TOLD: usize = 3;
const NAME_CHARS: usize = 64;

#[derive(Deserialize)]
struct Page {
    status: String,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    status: String,
}

const DOWN: &str = "DOWN";

/// What a page says is down; `None` where it says nothing of the kind.
pub(super) fn down(body: &[u8]) -> Option<String> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let page: Page = serde_json::from_slice(body).ok().filter(|page: &Page| page.status == DOWN)?;
    let failing: Vec<&Check> = page.checks.iter().filter(|check| check.status == DOWN).collect();
    let shown = |check: &&Check| format!("\"{}\"", check.name.chars().take(NAME_CHARS).collect::<String>());
    let names = failing.iter().take(NAMES_TOLD).map(shown).collect::<Vec<_>>().join(", ");
    Some(match failing.len() {
        0 => "it says DOWN".to_owned(),
        1 => format!("{names} is DOWN"),
        count if count > NAMES_TOLD => format!("{names} and {} more are DOWN", count - NAMES_TOLD),
        _ => format!("{names} are DOWN"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_checks_are_named() {
        let long = format!(r#"{{"status":"DOWN","checks":[{{"name":"{}","status":"DOWN"}}]}}"#, "é".repeat(100));
        let shown = format!("\"{}\" is DOWN", "é".repeat(NAME_CHARS));
        for (body, expected) in [
            ("", None),
            ("DOWN", None),
            (r#"{"status":"UP","checks":[{"name":"db","status":"DOWN"}]}"#, None),
            (r#"{"status":"DOWN""#, None),
            (r#"["status","DOWN"]"#, None),
            (r#"{"status":1}"#, None),
            (r#" {"status":"DOWN"}"#, Some("it says DOWN")),
            (r#"{"status":"DOWN","checks":[]}"#, Some("it says DOWN")),
            (
                r#"{"checks":[{"name":"a","status":"UP"},{"name":"db","status":"DOWN","data":{}}],"status":"DOWN"}"#,
                Some("\"db\" is DOWN"),
            ),
            (
                r#"{"status":"DOWN","checks":[{"name":"a","status":"DOWN"},{"name":"b","status":"DOWN"}]}"#,
                Some("\"a\", \"b\" are DOWN"),
            ),
            (
                r#"{"status":"DOWN","checks":[{"name":"a","status":"DOWN"},{"name":"b","status":"DOWN"},
                    {"name":"c","status":"DOWN"},{"name":"d","status":"DOWN"}]}"#,
                Some("\"a\", \"b\", \"c\" and 1 more are DOWN"),
            ),
            (&long, Some(shown.as_str())),
        ] {
            assert_eq!(down(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
