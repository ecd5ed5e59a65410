//! Every declaration against its own example: it loads in each context, and a wrong count of arguments does not.

use super::*;
use crate::tests::{load_text, load_with};

/// A whole configuration with a line in a context.
fn within(context: &str, line: &str) -> String {
    // Servers are in one or the other.
    if line.starts_with("state ") && context == "upstream" {
        return format!("events {{}} http {{ upstream u {{ zone u 64k;\n{line}\n}} }}");
    }
    let events = if context == "events" || line.starts_with("events") { "" } else { "events {}" };
    match context {
        "main" => format!("{line}\n{events}"),
        "events" => format!("events {{\n{line}\n}}"),
        "http" => format!("{events} http {{\n{line}\n}}"),
        "server" => format!("{events} http {{ server {{\n{line}\n}} }}"),
        "location" => format!("{events} http {{ server {{ location / {{\n{line}\n}} }} }}"),
        "if in server" => format!("{events} http {{ server {{ if ($host) {{\n{line}\n}} }} }}"),
        "if in location" => format!("{events} http {{ server {{ location / {{ if ($host) {{\n{line}\n}} }} }} }}"),
        "limit_except" => {
            format!("{events} http {{ server {{ location / {{ limit_except GET {{\n{line}\n}} }} }} }}")
        }
        "upstream" => format!("{events} http {{ upstream u {{ server 127.0.0.1:1;\n{line}\n}} }}"),
        other => panic!("no context {other}"),
    }
}

#[test]
fn examples_load_in_each_context() {
    for directive in directives() {
        assert!(directive.contexts.names().next().is_some(), "{}", directive.name);
        for context in directive.contexts.names() {
            let line = directive.example;
            // What it refers to is declared around it.
            let zones = match directive.name {
                "limit_req" => "http { limit_req_zone $host zone=one:1m rate=1r/s;",
                "limit_conn" => "http { limit_conn_zone $host zone=one:1m;",
                "health_check" => "http { upstream u { zone u 64k; server 127.0.0.1:1; }",
                _ => "http {",
            };
            let text = within(context, line).replacen("http {", zones, 1);
            let text = match directive.name {
                "health_check" => text.replacen("location / {", "location / { proxy_pass http://u;", 1),
                _ => text,
            };
            let loaded = load_text(&text);
            assert!(!loaded.has_errors(), "{line} in {context}: {:?}", loaded.diagnostics);
        }
    }
}

#[test]
fn examples_are_wrong_elsewhere() {
    for directive in directives() {
        for context in Contexts::ALL.names().filter(|context| !directive.contexts.names().any(|own| own == *context)) {
            if directives().any(|d| d.name == directive.name && d.contexts.names().any(|own| own == context)) {
                continue;
            }
            let loaded = load_text(&within(context, directive.example));
            let codes: Vec<_> = loaded.diagnostics.iter().map(|found| found.code).collect();
            assert!(
                codes.iter().any(|code| matches!(*code, "misplaced-directive" | "not-served-yet")),
                "{} in {context}: {codes:?}",
                directive.name
            );
        }
    }
}

#[test]
fn wrong_counts_are_errors_at_their_place() {
    for directive in directives() {
        let Takes { least, most, block } = directive.takes;
        let end = if block { " {}" } else { ";" };
        let counts = [least.checked_sub(1), most.checked_add(1)];
        for count in counts.into_iter().flatten() {
            let line = format!("{}{}{end}", directive.name, " 1".repeat(count));
            for context in directive.contexts.names() {
                let loaded = load_text(&within(context, &line));
                let wrong = loaded.diagnostics.iter().find(|found| found.code == "wrong-arguments");
                let place = &wrong.unwrap_or_else(|| panic!("{line} in {context}: {:?}", loaded.diagnostics)).place;
                let expected = if count > most { directive.name.len() + 2 * most + 2 } else { 1 };
                assert_eq!(
                    (place.column as usize, place.length),
                    (expected, if count > most { 1 } else { place.length })
                );
            }
        }
    }
}

#[test]
fn blocks_and_semicolons_are_not_mixed_up() {
    for directive in directives() {
        let arguments = " 1".repeat(directive.takes.least);
        let (line, code) = match directive.takes.block {
            true => (format!("{}{arguments};", directive.name), "block-missing"),
            false => (format!("{}{arguments} {{}}", directive.name), "block-unexpected"),
        };
        for context in directive.contexts.names() {
            let loaded = load_text(&within(context, &line));
            assert!(loaded.diagnostics.iter().any(|found| found.code == code), "{line} in {context}");
        }
    }
}

#[test]
fn what_holds_once_is_duplicate_the_second_time() {
    for directive in directives().filter(|directive| !directive.repeats) {
        for context in directive.contexts.names() {
            let twice = format!("{0}\n{0}", directive.example);
            let loaded = load_text(&within(context, &twice));
            let found = loaded.diagnostics.iter().any(|found| found.code == "duplicate-directive");
            assert!(found, "{twice} in {context}: {:?}", loaded.diagnostics);
        }
    }
}

#[test]
fn defaults_are_what_holds_where_nothing_is_written() {
    for directive in directives().filter(|directive| !directive.default.is_empty()) {
        for context in directive.contexts.names().filter(|_| directive.name != "listen") {
            let written = format!("{} {};", directive.name, directive.default);
            let with = load_text(&within(context, &written));
            let without = load_text(&within(context, ""));
            assert!(!with.has_errors(), "{written} in {context}: {:?}", with.diagnostics);
            if directive.name == "proxy_set_header" {
                // The tree has what is written; `route` adds what holds otherwise.
                continue;
            }
            let tree = |loaded: &crate::Loaded| without_places(&format!("{:?}", loaded.config));
            assert_eq!(tree(&with), tree(&without), "{written} in {context}");
        }
    }
}

/// A tree as text, with line numbers cut out.
fn without_places(text: &str) -> String {
    text.split("Place {").map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect()
}

#[test]
fn declarations_are_documented_and_distinct() {
    let all: Vec<_> = directives().collect();
    for (index, directive) in all.iter().enumerate() {
        assert!(directive.doc.ends_with('.'), "{}", directive.name);
        for other in &all[index + 1..] {
            let overlap = directive.name == other.name && directive.contexts.contains(other.contexts);
            assert!(!overlap, "{} is declared twice for a context", directive.name);
        }
        for context in directive.contexts.names() {
            let context = Contexts::NAMES.iter().find(|(_, name)| *name == context).map(|(context, _)| *context);
            let pending = context.and_then(|context| pending::area(directive.name, context));
            assert_eq!(pending, None, "{} is served and to come", directive.name);
        }
    }
}

#[test]
fn names_to_come_are_told_as_such() {
    for name in pending::names(Contexts::MAIN | Contexts::HTTP) {
        let loaded = load_text(&within("http", &format!("{name} on;")));
        let codes: Vec<_> = loaded.diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, ["not-served-yet"], "{name}");
    }
}

#[test]
fn support_is_told() {
    let named = |name: &str| directives().find(|directive| directive.name == name).map(Directive::support);
    assert_eq!(named("proxy_pass"), Some(Support::Served));
    assert!(matches!(named("sendfile"), Some(Support::NoEffect(_))));
    assert!(load_with(&[("/etc/nginx/nginx.conf", "events {}")]).config.is_some());
}
