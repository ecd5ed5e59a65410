//! bedloe reads request targets as nginx reads them: `$uri` and `$args` of a real nginx against `route`'s, over
//! thousands of targets made of everything that a path can hold of trouble.
//!
//! Without an nginx on the machine the comparison is skipped by name.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support::client::get_all;
use crate::support::nginx::{self, Nginx};

const TARGETS: usize = 4_000;

/// Longest target, in pieces.
const MAX_PIECES: u64 = 12;

const PIECES: [&str; 22] = [
    "/", "/", "/", "a", "b", ".", "..", "/.", "/..", "//", "%2e", "%2E%2e", "%2f", "%61", "%3F", "%23", "%25", "?",
    "#", "%00", "%zz", "%",
];

#[test]
fn every_target_has_the_path_that_nginx_sees() {
    let Some(program) = nginx::find() else {
        nginx::skipped("nginx_paths");
        return;
    };
    let nginx = Nginx::start(&program, "server { listen SOCKET; return 200 \"$uri $args\"; }\n").unwrap();
    let mut refused = 0;
    for number in 0..TARGETS {
        let target = target(number as u64);
        // A connection each: nginx closes it after a target that it refuses.
        let stream = nginx.connect().unwrap();
        let answer = get_all(&stream, &stream, [target.as_str()]).unwrap().remove(0);
        let theirs = (answer.status == 200).then_some(answer.body);
        assert_eq!(ours(target.as_bytes()), theirs, "{target}");
        refused += usize::from(theirs.is_none());
    }
    assert!((TARGETS / 20..TARGETS / 2).contains(&refused), "{refused} of {TARGETS} refused: a poor mix");
}

fn ours(target: &[u8]) -> Option<String> {
    let (path, args) = route::split_target(target);
    let mut scratch = Vec::new();
    let mut text = route::normalize(path, true, &mut scratch).ok()?.to_vec();
    text.push(b' ');
    text.extend_from_slice(args);
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// A target made from its number alone. The troublesome pieces, at the end of the list, are the rarest.
fn target(number: u64) -> String {
    let mut state = number;
    let mut random = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut target = "/".to_owned();
    for _ in 0..=random(MAX_PIECES) {
        let first = random(PIECES.len() as u64);
        let piece =
            usize::try_from(if random(3) == 0 { first } else { first.min(random(PIECES.len() as u64)) }).unwrap();
        target.push_str(PIECES[piece]);
    }
    target
}
