//! Rules read from a configuration and followed; what is expected is what nginx 1.22 does.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use conf::{Loader, Options};

use super::*;
use crate::fact::Fact;
use crate::router::Router;

/// A configuration in memory.
struct Memory(String);

impl Loader for Memory {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }

    fn glob(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// A request as a test sees it.
struct Request {
    path: Vec<u8>,
    args: Vec<u8>,
    was_escaped: bool,
    has_left: bool,
}

impl Facts for Request {
    fn append(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        match fact {
            Fact::Uri => out.extend_from_slice(&self.path),
            Fact::Args => out.extend_from_slice(&self.args),
            Fact::Host => out.extend_from_slice(b"h"),
            Fact::Method => out.extend_from_slice(b"GET"),
            _ => return false,
        }
        true
    }
}

impl Subject for Request {
    fn set_limit_rate(&mut self, _: u64) {}

    fn path(&self) -> &[u8] {
        &self.path
    }

    fn was_escaped(&self) -> bool {
        self.was_escaped
    }

    fn append_args(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.args);
    }

    fn set_path(&mut self, path: &mut Vec<u8>) {
        std::mem::swap(&mut self.path, path);
    }

    fn set_args(&mut self, args: &mut Vec<u8>) {
        std::mem::swap(&mut self.args, args);
    }

    fn leave_location(&mut self) {
        self.has_left = true;
    }

    fn leads_to(&self, path: &[u8], what: PathTest) -> bool {
        path == b"/file" && what == PathTest::File
    }
}

/// Follows the rules of a location for a target; tells what came of it.
fn follow(rules: &str, target: &str) -> String {
    let text = format!("events {{}} http {{ server {{ location / {{ {rules} }} }} }}");
    let loaded = conf::load(Path::new("/nginx.conf"), &Memory(text), &Options::default());
    let router = Router::compile(loaded.config.as_ref().unwrap_or_else(|| panic!("{rules}: {:?}", loaded.diagnostics)));
    let (raw, args) = crate::split_target(target.as_bytes());
    let mut path = Vec::new();
    let path = crate::normalize(raw, true, &mut path).unwrap().to_vec();
    let was_escaped = raw.iter().any(|byte| matches!(byte, b'%' | b'+'));
    let mut request = Request { path, args: args.to_vec(), was_escaped, has_left: false };
    let mut scratch = Scratch::default();
    let location = router.location(&router.servers()[0], &request.path, router.patterns(), &mut scratch);
    let followed = location.rules.follow(&mut request, router.patterns(), router.maps(), &mut scratch);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let now = format!("{}?{}", shown(&request.path), shown(&request.args));
    match followed.ended {
        Ended::Here if request.has_left => format!("here, left, {now}"),
        Ended::Here => format!("here, {now}"),
        Ended::Elsewhere => format!("elsewhere, {now}"),
        Ended::Redirected(status, address) => format!("{status} {}", shown(&address)),
        Ended::NoPath => "no path".to_owned(),
        Ended::Returned(returns) => {
            let mut text = Vec::new();
            if let Some(template) = &returns.text {
                template.render(&request, router.maps(), &mut scratch, &mut text);
            }
            format!("{} {}", returns.status, shown(&text))
        }
    }
}

#[test]
fn rewrites_change_path_and_arguments() {
    let table = [
        ("rewrite ^/r/(.*)$ /q/$1?a=$1 last;", "/r/a%20b?z=1", "elsewhere, /q/a b?a=a%20b&z=1"),
        ("rewrite ^/r/(.*)$ /q/$1?a=$1 last;", "/r/a+&b?z=1", "elsewhere, /q/a+&b?a=a%2B%26b&z=1"),
        ("rewrite ^/r/(.*)$ /q/$1?a=$1 last;", "/r/a&b", "elsewhere, /q/a&b?a=a&b"),
        ("rewrite ^/r/(.*)$ /q/$1?a=$1? last;", "/r/x?z=1", "elsewhere, /q/x?a=x"),
        ("rewrite ^ /q?;", "/r?z=1", "elsewhere, /q?"),
        ("rewrite ^ /q;", "/r?z=1", "elsewhere, /q?z=1"),
        ("rewrite ^/m/(.*)$ /q/$1?a?b=$1?c=2;", "/m/x?y", "elsewhere, /q/x?a?b=x?c=2&y"),
        ("rewrite ^/a /b; rewrite ^/b(.*) /c$1;", "/a1", "elsewhere, /c?"),
        ("rewrite ^/a(.) /b$1; rewrite ^/b(.*) /c$1 break;", "/a1", "here, left, /c1?"),
        ("rewrite ^/a /b; break;", "/a", "here, left, /b?"),
        ("break; rewrite ^/a /b;", "/a", "here, /a?"),
        ("rewrite ^/x /b last; return 200 $uri;", "/a", "200 /a"),
        ("rewrite ^ ?x;", "/a", "no path"),
        ("rewrite ^/(?<one>\\w+)/(\\w+) /$2/$one last;", "/a/b", "elsewhere, /b/a?"),
        ("rewrite ^ $uri/x last;", "/a", "elsewhere, /a/x?"),
    ];
    for (rules, target, expected) in table {
        assert_eq!(follow(rules, target), expected, "{rules} {target}");
    }
}

#[test]
fn rewrites_redirect() {
    let table = [
        ("rewrite ^/red/(.*)$ http://x/y/$1?b=1 permanent;", "/red/a%20b?z=1", "301 http://x/y/a%20b?b=1&z=1"),
        ("rewrite ^/red/(.*)$ /y/$1 redirect;", "/red/a%20b?z=1", "302 /y/a%20b?z=1"),
        ("rewrite ^/red/(.*)$ /y/$1 redirect;", "/red/a;b'c\"d^?z=1", "302 /y/a;b'c\"d^?z=1"),
        ("rewrite ^/red/(.*)$ /y/%41%2f$1? redirect;", "/red/a?z=1", "302 /y/A/a"),
        ("rewrite ^ https://x$uri;", "/a", "302 https://x/a"),
        ("rewrite ^ https://x/%3f%41;", "/a", "302 https://x/?%41"),
    ];
    for (rules, target, expected) in table {
        assert_eq!(follow(rules, target), expected, "{rules} {target}");
    }
}

#[test]
fn variables_are_set_and_captures_escaped_as_nginx_does() {
    let table = [
        ("set $x a; set $y $x-$host; return 200 $y$x;", "/", "200 a-ha"),
        ("return 200 \"[$x]\"; set $x 1;", "/", "200 []"),
        ("set $args b=2; return 200 $args$uri;", "/a?c", "200 b=2/a"),
        ("if ($uri ~ ^/s/(.*)$) { set $x $1; return 200 \"$x $1\"; }", "/s/a%20b%2fc%3f+", "200 a%20b/c%3F%2B a b/c?+"),
        ("if ($uri ~ ^/s/(.*)$) { set $x $1; return 200 $x; }", "/s/a;b", "200 a;b"),
        ("rewrite ^/(.*)$ /y/$1; set $x $1; return 200 $x;", "/a%20b", "200 a b"),
    ];
    for (rules, target, expected) in table {
        assert_eq!(follow(rules, target), expected, "{rules} {target}");
    }
}

#[test]
fn conditions() {
    let table = [
        ("$args", "/?a", true),
        ("$args", "/", false),
        ("$args", "/?0", false),
        ("$args", "/?00", true),
        ("$request_method = GET", "/", true),
        ("$request_method = POST", "/", false),
        ("$request_method != POST", "/", true),
        ("$args = ''", "/", true),
        ("$args = $host", "/?h", true),
        ("$uri ~ ^/A", "/a", false),
        ("$uri ~* ^/A", "/a", true),
        ("$uri !~ ^/A", "/a", true),
        ("$uri !~* ^/A", "/a", false),
        ("$uri ~ \"^/(a|b){1}$\"", "/b", true),
        ("-f $uri", "/file", true),
        ("!-f $uri", "/file", false),
        ("-d $uri", "/file", false),
        ("!-d $uri", "/file", true),
    ];
    for (condition, target, holds) in table {
        for form in [format!("({condition})"), format!("( {condition} )")] {
            let rules = format!("if {form} {{ return 201; }} return 202;");
            let expected = if holds { "201 " } else { "202 " };
            assert_eq!(follow(&rules, target), expected, "{rules} {target}");
        }
    }
}

#[test]
fn an_if_is_skipped_or_its_rules_are_followed_in_place() {
    let rules = "if ($args ~ a(.)) { set $x $1; } if ($args ~ b(.)) { set $x $x$1; break; } return 200 [$x$1];";
    for (args, expected) in [("", "200 []"), ("a1", "200 [1]"), ("b2", "here, /?b2"), ("a1b2", "here, /?a1b2")] {
        assert_eq!(follow(rules, &format!("/?{args}")), expected, "{args}");
    }
}

#[test]
fn redirects_are_unescaped_up_to_their_query() {
    let table = [("/%41%20%2f", "/A%20/"), ("/%7f%25%zz%4", "/%7f%25%zz%4"), ("/a?%41", "/a?%41"), ("%3F%41", "?%41")];
    for (address, expected) in table {
        assert_eq!(String::from_utf8_lossy(&unescaped(address.as_bytes())), expected, "{address}");
    }
}
