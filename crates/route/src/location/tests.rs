//! Tests of finding locations.

use conf::tree::LocationKind::{Exact, FirmPrefix, Prefix};
use proptest::prelude::*;

use super::*;
use crate::map::Maps;
use crate::testing::{Table, answering, matching, proxied, server};

fn compile(locations: Vec<tree::Location>) -> (Locations, Patterns) {
    let names = Names::default();
    let locations = Locations::compile(&server(Vec::new(), &["x"], locations), &names);
    (locations, names.into_patterns())
}

fn find<'a>((locations, patterns): &'a (Locations, Patterns), path: &str) -> &'a Location {
    locations.find(path.as_bytes(), patterns, &mut Scratch::default())
}

/// The status that tells which location was found; 404 for none.
fn status(locations: &(Locations, Patterns), path: &str) -> u16 {
    let location = find(locations, path);
    match (location.rules.only_return(), &location.handler) {
        (Some(returns), _) | (None, Handler::Return(returns)) => returns.status,
        (None, Handler::Files) => 404,
        (None, Handler::Proxy(_) | Handler::Api(_) | Handler::Page(_)) => 200,
    }
}

#[test]
fn exact_wins_then_the_longest_prefix() {
    let locations = compile(vec![
        answering(Prefix, "/", 1),
        answering(Prefix, "/a", 2),
        answering(Prefix, "/a/b/", 3),
        answering(Exact, "/a", 4),
        answering(Prefix, "/ab", 5),
        answering(Prefix, "/a", 6),
        answering(Exact, "/", 7),
    ]);
    let table = [
        ("/", 7),
        ("/z", 1),
        ("/a", 4),
        ("/a/", 2),
        ("/aa", 2),
        ("/abc", 5),
        ("/a/b", 2),
        ("/a/b/", 3),
        ("/a/b/c", 3),
        ("/A", 1),
    ];
    for (path, expected) in table {
        assert_eq!(status(&locations, path), expected, "{path}");
    }
}

#[test]
fn no_location_is_not_found() {
    assert_eq!(status(&compile(Vec::new()), "/"), 404);
    assert_eq!(status(&compile(vec![answering(Prefix, "/a", 1)]), "/b"), 404);
}

/// What nginx 1.22 does with the same locations.
#[test]
fn patterns_come_between_and_levels_are_searched_inside_out() {
    let with = |mut location: tree::Location, within: Vec<tree::Location>| {
        location.locations = within;
        location
    };
    let a = vec![answering(Prefix, "/a/b", 11), matching("\\.x$", 12), answering(Exact, "/a/b/c", 13)];
    let outer = vec![matching("^/q", 21)];
    let nx = vec![answering(FirmPrefix, "/nx/y", 51), matching("^/nx/z", 52)];
    let locations = compile(vec![
        answering(Prefix, "/n/", 1),
        with(answering(Prefix, "/a/", 10), a),
        with(matching("\\.x$", 20), outer),
        with(answering(FirmPrefix, "/h/", 30), vec![matching("/i", 31)]),
        answering(Prefix, "/h/k", 32),
        matching("(?i)\\.PHP$", 40),
        with(answering(Prefix, "/nx", 50), nx),
    ]);
    let table = [
        ("/n/a.x", 20),
        ("/a/b", 11),
        ("/a/b.x", 12),
        ("/a/z.x", 12),
        ("/a/b/c", 13),
        ("/a/q", 10),
        ("/q.x", 21),
        ("/z.x", 20),
        ("/h/i", 31),
        ("/h/j.x", 30),
        ("/h/k", 32),
        ("/h/k.x", 20),
        ("/a.php", 40),
        ("/nx/y", 51),
        ("/nx/y.x", 20),
        ("/nx/z.x", 52),
        ("/nx/w", 50),
        ("/", 404),
    ];
    for (path, expected) in table {
        assert_eq!(status(&locations, path), expected, "{path}");
    }
}

#[test]
fn a_proxied_directory_redirects_its_bare_name() {
    let locations = compile(vec![
        proxied(Prefix, "/app/", None),
        proxied(Prefix, "/own/", None),
        answering(Exact, "/own", 201),
        proxied(Prefix, "/wide/", None),
        answering(Prefix, "/wide", 202),
        answering(Prefix, "/plain/", 203),
        proxied(Prefix, "/a b/", None),
        proxied(Exact, "/one/", None),
    ]);
    let table =
        [("/app", 301), ("/app/", 200), ("/app/x", 200), ("/own", 201), ("/wide", 202), ("/plain", 404), ("/one", 301)];
    for (path, expected) in table {
        assert_eq!(status(&locations, path), expected, "{path}");
    }
    let target = |path: &str, facts| {
        let Handler::Return(Return { text: Some(text), .. }) = &find(&locations, path).handler else {
            panic!("{path} does not redirect");
        };
        let mut out = Vec::new();
        text.render(&Table(facts), &Maps::default(), &mut Scratch::default(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    assert_eq!(target("/app", &[]), "/app/");
    assert_eq!(target("/app", &[("is_args", "?"), ("args", "x=1")]), "/app/?x=1");
    assert_eq!(target("/a b", &[]), "/a%20b/");
}

/// A scan of all locations a look-up would take this test minutes.
#[test]
fn many_locations_stay_fast() {
    let many: Vec<_> = (0..50_000).map(|n| answering(Prefix, &format!("/tenant-{n}/api/"), 200)).collect();
    let locations = compile(many);
    for n in 0..50_000 {
        assert_eq!(status(&locations, &format!("/tenant-{n}/api/x")), 200);
        assert_eq!(status(&locations, &format!("/tenant-{n}/other")), 404);
    }
}

proptest! {
    #[test]
    fn it_finds_what_a_scan_finds(
        paths in proptest::collection::vec("/[ab/]{0,6}", 0..12),
        path in "/[ab/]{0,8}",
    ) {
        let written: Vec<_> = paths.iter().zip(600..).map(|(path, status)| answering(Prefix, path, status)).collect();
        let longest = paths.iter().filter(|prefix| path.starts_with(*prefix)).map(String::len).max();
        let expected = longest.and_then(|length| {
            paths.iter().zip(600..).find(|(prefix, _)| prefix.len() == length && path.starts_with(*prefix))
        });
        prop_assert_eq!(status(&compile(written), &path), expected.map_or(404, |(_, status)| status));
    }
}
