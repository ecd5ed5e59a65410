//! What the table says, as text: one entry for somebody who asks, and the whole reference.

use std::fmt::Write;

use super::{Contexts, Directive, Found, Support, directives, find, names, pending};
use crate::suggest;

/// The entries of a name: what is served, what is accepted, what is to come. `Err` is the nearest name that there is.
///
/// # Errors
/// When nginx has no such directive.
pub fn explain(name: &str) -> Result<String, Option<&'static str>> {
    let declared: Vec<String> = directives().filter(|directive| directive.name == name).map(entry).collect();
    if !declared.is_empty() {
        return Ok(declared.join("\n"));
    }
    match find(name, Contexts::ALL) {
        Found::NotYet(area) => Ok(format!("{name}\n    not served by bedloe yet ({})\n", pending::outlook(area))),
        _ => Err(suggest::nearest(name, names(Contexts::ALL))),
    }
}

fn entry(directive: &Directive) -> String {
    let mut text = format!("{}\n    {}\n", directive.name, directive.doc);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "    {:<10} {value}", format!("{name}:"));
        }
    };
    line("in", &directive.contexts.to_string());
    line("takes", &format!("{}{}", directive.takes, if directive.takes.block { " and a block" } else { "" }));
    line("default", directive.default);
    line("example", directive.example);
    line("repeats", if directive.repeats { "more than once in a block" } else { "" });
    line("as nginx", &standing(directive));
    text
}

/// How a directive stands beside nginx's.
fn standing(directive: &Directive) -> String {
    match (directive.support(), directive.difference()) {
        (Support::NoEffect(reason), _) => format!("no effect: {reason}"),
        (Support::Served, Some(difference)) => format!("differs: {difference}"),
        (Support::Served, None) => "yes".to_owned(),
    }
}

/// docs/directives.md, whole.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    let mut sorted: Vec<&Directive> = directives().collect();
    sorted.sort_by_key(|directive| directive.name);
    for directive in sorted {
        let Directive { name, contexts, doc, .. } = directive;
        let default = match directive.default {
            "" => String::new(),
            default => format!("`{}`", default.replace('|', "\\|")),
        };
        let (doc, standing) = (doc.replace('|', "\\|"), standing(directive).replace('|', "\\|"));
        let _ = writeln!(text, "| `{name}` | {contexts} | {default} | {doc} | {standing} |");
    }
    text.push_str(NOT_SERVED);
    for (title, names) in pending::areas() {
        let names: Vec<String> = names.split_ascii_whitespace().map(|name| format!("`{name}`")).collect();
        let _ = write!(text, "\n**{title}**: {}\n", names.join(", "));
    }
    text
}

const HEAD: &str = "\
# Directives

Every directive of nginx's configuration language that bedloe knows, made from the table in `crates/conf/src/table`;
`BEDLOE_BLESS=1 cargo test -p bedloe --test it reference` writes it anew. `bedloe check --explain DIRECTIVE` prints an
entry with its arguments and an example.

The last column says how it stands beside nginx: *yes*, it means what nginx 1.29.8 documents; *differs*, in what, with
the reasons in [differences](differences.md); *no effect*, it is accepted and checked, and why nothing comes of it.

| directive | in | default | what it does | as nginx |
|-|-|-|-|-|
";

const NOT_SERVED: &str = "
## Not served

An error of `bedloe check` at their place, never ignored in silence. By the area to come:
";
