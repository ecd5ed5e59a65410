//! Cases of rewriting, all of them what nginx makes of the same answers.

use conf::tree::{CookieChange, CookieFlags, Pattern, SameSite};

use super::*;
use crate::testing::{Table, proxy_settings, template};

fn subject(text: &str) -> Subject {
    match text.strip_prefix('~') {
        Some(source) => Subject::Pattern(Pattern {
            source: source.trim_start_matches('*').to_owned(),
            ignore_case: source.starts_with('*'),
            has_names: false,
        }),
        None => Subject::Text(template(text)),
    }
}

fn replacement((from, to): &(&str, &str)) -> tree::Replacement {
    tree::Replacement { from: subject(from), to: template(to) }
}

fn check(rewrite: impl Fn(&[u8], &mut Rendering<'_>, &mut Vec<u8>) -> bool, table: &[(&str, Option<&str>)]) {
    let facts = Table(&[("scheme", "https"), ("host", "front.test")]);
    let (maps, mut scratch) = (Maps::default(), Scratch::default());
    for (value, expected) in table {
        let mut out = Vec::new();
        let mut with = Rendering { facts: &facts, maps: &maps, scratch: &mut scratch };
        let is_rewritten = rewrite(value.as_bytes(), &mut with, &mut out);
        let found = is_rewritten.then(|| String::from_utf8(out.clone()).unwrap());
        assert_eq!(found.as_deref(), *expected, "{value}");
        assert!(is_rewritten || out.is_empty(), "{value}");
    }
}

fn compile(settings: &ProxySettings) -> Rewriting {
    let redirect = ("http://up.test:81/b/".to_owned(), "/a/".to_owned());
    Rewriting::compile(settings, Some(&redirect), &Names::default()).unwrap()
}

#[test]
fn addresses() {
    let mut settings = proxy_settings(&[]);
    let rules = [
        ("http://x.test/", "/"),
        (r"~^http://(\w+)\.y\.test/(.*)$", "$scheme://$1/$2"),
        ("~*^http://CI/", "/ci/"),
        ("http://$host/", "/own/"),
        ("/", "/pre/"),
    ];
    let written = rules.iter().map(|rule| Redirect::Rule(replacement(rule)));
    settings.redirects = std::iter::once(Redirect::Default).chain(written).collect();
    let rules = compile(&settings);
    let table: &[(&str, Option<&str>)] = &[
        ("http://up.test:81/b/c?d", Some("/a/c?d")),
        ("http://up.test:81/c", None),
        ("http://x.test/p", Some("/p")),
        ("http://q.y.test/zz", Some("https://q/zz")),
        ("HTTP://ci/a", Some("/ci/")),
        ("http://front.test/z", Some("/own/z")),
        ("/rel", Some("/pre/rel")),
        ("rel", None),
        ("", None),
    ];
    check(|value, with, out| rules.location(value, with, out), table);
    let table: &[(&str, Option<&str>)] = &[
        ("5; URL=http://x.test/p", Some("5; URL=/p")),
        ("5;url=/x", Some("5;url=/pre/x")),
        ("5; url=rel", None),
        ("5", None),
    ];
    check(|value, with, out| rules.refresh(value, with, out), table);
}

#[test]
fn the_default_holds_where_nothing_is_written_and_off_puts_it_aside() {
    let mut settings = proxy_settings(&[]);
    let found = &[("http://up.test:81/b/", Some("/a/"))];
    check(|value, with, out| compile(&settings).location(value, with, out), found);
    assert!(Rewriting::compile(&settings, None, &Names::default()).is_none());
    settings.redirects = Vec::new();
    assert!(Rewriting::compile(&settings, Some(&("a".to_owned(), "b".to_owned())), &Names::default()).is_none());
}

#[test]
fn cookies() {
    let mut settings = proxy_settings(&[]);
    let domains = [("up.test", "front.test"), (r"~*^(\w+)\.rx\.test$", "$1.rx2.test")];
    settings.cookie_domains = domains.iter().map(replacement).collect();
    let paths = [("/b/", "/a/"), ("~^/RX(.*)", "/rx$1"), ("~*^/ci", "/CI")];
    settings.cookie_paths = paths.iter().map(replacement).collect();
    let change = |secure, http_only, same_site| CookieChange { secure, http_only, same_site };
    let flags = [
        ("one", change(Some(true), None, Some(SameSite::Strict))),
        ("~tw", change(None, Some(true), None)),
        ("no", change(Some(false), Some(false), Some(SameSite::Removed))),
        ("all", change(Some(true), Some(true), Some(SameSite::Lax))),
    ];
    settings.cookie_flags = flags.map(|(cookie, change)| CookieFlags { cookie: subject(cookie), change }).to_vec();
    let rules = compile(&settings);
    let table: &[(&str, Option<&str>)] = &[
        ("a=b; Domain=up.test; Path=/b/x", Some("a=b; Domain=front.test; Path=/a/x")),
        ("a=b;domain=.UP.test;  path=/b/", Some("a=b; domain=.front.test; path=/a/")),
        ("a=b; Domain=q.rx.test; Path=/RXabc", Some("a=b; Domain=q.rx2.test; Path=/rxabc")),
        ("a=b; path=/CI/x", Some("a=b; path=/CI")),
        ("a=b; domain = .up.test ; Path = /b/ ; Secure", Some("a=b; domain=.front.test; Path=/a/; Secure")),
        ("a=b; Domain=up.test.;  Max-Age=3", None),
        ("a=b; Path=\"/b/x\"", None),
        ("a", None),
        ("", None),
        ("one ; a", None),
        (" ONE=1; Path=/", Some("ONE=1; Path=/; Secure; SameSite=Strict")),
        ("one=1; secure; SameSite=None; HttpOnly", Some("one=1; secure; SameSite=Strict; HttpOnly")),
        ("xtwx=1", Some("xtwx=1; HttpOnly")),
        ("no=1; Secure; HttpOnly; SameSite=Lax; Path=/b/z", Some("no=1; Path=/a/z")),
        ("no=1;  x", Some("no=1; x")),
        ("all=1;secure;  HttpOnly;samesite=lax", Some("all=1; secure; HttpOnly; samesite=lax")),
        ("all=1; SAMESITE=strict; HTTPONLY;;x; =; y=", Some("all=1; SameSite=Lax; HTTPONLY; ; x; =; y=; Secure")),
    ];
    check(|value, with, out| rules.set_cookie(value, with, out), table);
}
