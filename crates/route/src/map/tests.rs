//! Tests of maps.

use std::cell::Cell;

use conf::tree::{self, Http, Pattern};

use super::*;
use crate::fact::Fact;
use crate::router::Router;
use crate::testing::{Table, config, template};

fn map(name: &str, source: &str, exact: &[(&str, &str)], patterns: &[(&str, &str)], default: &str) -> tree::Map {
    let pattern = |written: &str| match written.strip_prefix('*') {
        Some(source) => Pattern { source: source.to_owned(), ignore_case: true, has_names: false },
        None => Pattern { source: written.to_owned(), ignore_case: false, has_names: false },
    };
    let texts = tree::Texts {
        exact: exact.iter().map(|(key, value)| ((*key).to_owned(), template(value))).collect(),
        patterns: patterns.iter().map(|(source, value)| (pattern(source), template(value))).collect(),
        default: template(default),
        ..tree::Texts::default()
    };
    let lookup = tree::Lookup::Texts(texts);
    tree::Map { name: name.to_owned(), source: template(source), is_volatile: false, lookup }
}

/// Renders a text with these maps and facts.
fn render(maps: &[tree::Map], text: &str, facts: &dyn Facts, scratch: &mut Scratch) -> String {
    let names = Names::of(&Http { maps: maps.to_vec(), ..Http::default() });
    let text = Text::compile(&template(text), &names);
    let router = Router::compile(&config(maps.to_vec(), Vec::new()));
    let mut out = Vec::new();
    text.render(facts, router.maps(), scratch, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn check(maps: &[tree::Map], facts: &'static [(&'static str, &'static str)], text: &str, expected: &str) {
    assert_eq!(render(maps, text, &Table(facts), &mut Scratch::default()), expected, "{text} of {facts:?}");
}

#[test]
fn the_seed_maps_a_session_or_else_a_random_id() {
    let maps = [map("aff_key", "$cookie_JSESSIONID", &[], &[(".+", "$cookie_JSESSIONID")], "$request_id")];
    check(&maps, &[("cookie_jsessionid", "0000x:s1"), ("request_id", "id")], "$aff_key", "0000x:s1");
    check(&maps, &[("request_id", "id")], "$aff_key", "id");
    check(&maps, &[("request_id", "id")], "<$aff_key|${aff_key}>", "<id|id>");
}

#[test]
fn exact_keys_come_before_patterns_and_ignore_case() {
    let maps = [map(
        "m",
        "$host",
        &[("A.example", "exact"), ("", "empty")],
        &[("^a", "pattern"), ("*^B", "any case")],
        "none",
    )];
    check(&maps, &[("host", "a.EXAMPLE")], "$m", "exact");
    check(&maps, &[("host", "a.other")], "$m", "pattern");
    check(&maps, &[("host", "A.other")], "$m", "none");
    check(&maps, &[("host", "b")], "$m", "any case");
    check(&maps, &[], "$m", "empty");
}

#[test]
fn captures_are_of_the_pattern_that_matched() {
    let maps = [map("m", "$uri", &[], &[("^/(x)?(?<rest>[^/]+)/(.*)$", "$3-$2-$1.")], "none")];
    check(&maps, &[("uri", "/one/two")], "$m", "two-one-.");
    check(&maps, &[("uri", "/xone/two")], "$m", "two-one-x.");
    check(&maps, &[("uri", "/")], "$m", "none");
}

#[test]
fn look_around_and_bytes_beyond_ascii_match() {
    let maps = [map("m", "$uri", &[], &[(r"^/\.(?!well-known)", "hidden"), ("é", "accent")], "open")];
    check(&maps, &[("uri", "/.git")], "$m", "hidden");
    check(&maps, &[("uri", "/.well-known/x")], "$m", "open");
    check(&maps, &[("uri", "/café")], "$m", "accent");
}

#[test]
fn maps_build_on_maps_and_a_circle_ends() {
    let maps = [
        map("a", "$host", &[("x", "1")], &[], "0"),
        map("b", "$a$host", &[("1x", "both $a")], &[], "neither"),
        map("c", "$d", &[("", "c")], &[], "other"),
        map("d", "$c", &[("", "d")], &[], "other"),
    ];
    check(&maps, &[("host", "x")], "$b", "both 1");
    check(&maps, &[("host", "y")], "$b", "neither");
    check(&maps, &[], "$c", "other");
}

/// Counts how often it is asked.
struct Counting(Cell<u32>);

impl Facts for Counting {
    fn append(&self, _: &Fact, out: &mut Vec<u8>) -> bool {
        self.0.set(self.0.get() + 1);
        out.extend_from_slice(self.0.get().to_string().as_bytes());
        true
    }
}

#[test]
fn a_value_is_computed_once_a_request() {
    let maps = [map("m", "$host", &[], &[], "$request_id")];
    let facts = Counting(Cell::new(0));
    let mut scratch = Scratch::default();
    assert_eq!(render(&maps, "$m $m", &facts, &mut scratch), "2 2");
    assert_eq!(render(&maps, "$m", &facts, &mut scratch), "2");
    scratch.reset();
    assert_eq!(render(&maps, "$m", &facts, &mut scratch), "4");
}
