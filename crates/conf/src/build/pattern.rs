//! Regular expressions: checked to compile, and the variables that their named groups make.

use super::cx::Cx;
use crate::diagnostic::Diagnostic;
use crate::lexer::Word;
use crate::parser::Node;
use crate::tree::Pattern;
use crate::variables::{self, Known};

/// Directives whose arguments may be regular expressions.
const WITH_PATTERNS: [&str; 7] =
    ["location", "server_name", "rewrite", "if", "proxy_redirect", "proxy_cookie_domain", "proxy_cookie_path"];
/// Blocks whose lines are no directives.
const WITHOUT_DIRECTIVES: [&str; 5] = ["map", "geo", "split_clients", "types", "match"];

/// Makes the variables known that the directives of these blocks define for each request: those of `set`, and named
/// groups. As in nginx they may be used anywhere, above and below.
pub(super) fn declare_variables(nodes: &[Node], cx: &mut Cx<'_>) {
    for node in nodes {
        if node.name.text == "auth_request_set" {
            let name = node.args.first().and_then(|word| word.text.strip_prefix('$'));
            if let Some(name) = name.filter(|name| is_new(name)) {
                cx.set_variables.entry(name.to_ascii_lowercase()).or_insert(false);
            }
        } else if node.name.text == "set" {
            let name = node.args.first().and_then(|word| word.text.strip_prefix('$'));
            cx.set_variables.extend(name.filter(|name| is_new(name)).map(|name| (name.to_ascii_lowercase(), true)));
        } else if WITH_PATTERNS.contains(&node.name.text.as_str()) {
            node.args.iter().for_each(|word| declare_groups(&word.text, cx));
        }
        let block = node.block.as_deref().unwrap_or_default();
        if node.name.text == "map" {
            block.iter().for_each(|entry| declare_groups(&entry.name.text, cx));
        }
        if !WITHOUT_DIRECTIVES.contains(&node.name.text.as_str()) {
            declare_variables(block, cx);
        }
    }
}

fn declare_groups(text: &str, cx: &mut Cx<'_>) {
    for name in group_names(text).filter(|name| is_new(name)) {
        cx.set_variables.entry(name.to_ascii_lowercase()).or_insert(false);
    }
}

/// Whether a name is a variable's and none that is always there.
fn is_new(name: &str) -> bool {
    is_variable_name(name) && variables::known(name) == Known::Unknown
}

/// Whether letters, digits and underscores make it up.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The variable that `set` sets: one of its own, a map's, or one of nginx's that may be changed.
pub(crate) fn settable(word: &Word, cx: &Cx<'_>) -> Result<String, Diagnostic> {
    let invalid = || {
        let message = format!("invalid variable name \"{}\"", word.shown());
        Diagnostic::error("invalid-value", &word.place, message).help("write it as $name")
    };
    let name = word.text.strip_prefix('$').filter(|name| is_variable_name(name)).ok_or_else(invalid)?;
    let lower = name.to_ascii_lowercase();
    if ["args", "limit_rate"].contains(&lower.as_str())
        || cx.map_variables.contains(name)
        || cx.set_variables.contains_key(&lower)
    {
        return Ok(lower);
    }
    let message = format!("the variable \"${name}\" exists already: it cannot be set");
    Err(Diagnostic::error("duplicate-variable", &word.place, message))
}

/// What stands between `(?<` or `(?P<` and `>`.
fn group_names(text: &str) -> impl Iterator<Item = &str> {
    let groups = text.split("(?").skip(1).filter_map(|rest| rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<')));
    groups.filter_map(|rest| rest.split_once('>')).map(|(name, _)| name)
}

/// Checks an expression; look-around and back references take the slower engine.
pub(crate) fn compiled(word: &Word, source: &str, ignore_case: bool) -> Result<Pattern, Diagnostic> {
    let wrong = |message: String| Diagnostic::error("invalid-pattern", &word.place, message);
    if source.is_empty() {
        return Err(wrong("the regular expression behind \"~\" is missing".to_owned()));
    }
    let owned = |names: regex::CaptureNames<'_>| names.flatten().map(str::to_owned).collect::<Vec<_>>();
    let names = match regex::Regex::new(source) {
        Ok(regex) => owned(regex.capture_names()),
        Err(_) => fancy_regex::Regex::new(source)
            .map(|regex| regex.capture_names().flatten().map(str::to_owned).collect())
            .map_err(|error| wrong(format!("this regular expression does not compile: {}", one_line(&error))))?,
    };
    match names.iter().find(|name| variables::known(name) != Known::Unknown) {
        Some(name) => Err(wrong(format!("the variable \"${name}\" exists already: a group may not define it"))),
        None => Ok(Pattern { source: source.to_owned(), ignore_case, has_names: !names.is_empty() }),
    }
}

/// The engines draw pictures over several lines; the last line has the reason.
fn one_line(error: &fancy_regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}
