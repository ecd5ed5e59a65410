//! Whatever the bytes, loading ends and does not panic.

use std::path::Path;

use proptest::prelude::*;

use super::{MAIN, Memory, options, seed};
use crate::load;

/// Words and signs that get deep into the rules more often than random letters.
const PIECES: [&str; 40] = [
    "http",
    "events",
    "server",
    "location",
    "upstream",
    "map",
    "listen",
    "proxy_pass",
    "return",
    "include",
    "{",
    "{",
    "{",
    "}",
    "}",
    "}",
    ";",
    ";",
    ";",
    ";",
    " ",
    " ",
    "\n",
    "\"",
    "'",
    "\\",
    "$",
    "${",
    "#",
    "/",
    "80",
    "=",
    "~",
    "u",
    "http://u",
    "default",
    "$host",
    "10s",
    "é",
    "conf.d/*.conf",
];

fn loads(main: Vec<u8>, other: Vec<u8>) {
    let files = [(MAIN.into(), main), ("/etc/nginx/conf.d/x.conf".into(), other)].into_iter().collect();
    let loaded = load(Path::new(MAIN), &Memory(files), &options());
    assert_eq!(loaded.config.is_none(), loaded.has_errors());
    for found in &loaded.diagnostics {
        assert!(!found.message.is_empty() && found.place.length <= 1 << 16);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(main in prop::collection::vec(any::<u8>(), 0..400), other: Vec<u8>) {
        loads(main, other);
    }

    #[test]
    fn arbitrary_words(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..120)) {
        loads(pieces.concat().into_bytes(), pieces.concat().into_bytes());
    }

    #[test]
    fn the_seed_with_holes_and_strangers(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, any::<Option<u8>>()), 1..6),
    ) {
        let mut whole: Vec<u8> = b"events {} http {".to_vec();
        whole.extend(seed::files().iter().skip(1).flat_map(|(_, text)| text.bytes()));
        whole.push(b'}');
        for (at, cut, put) in edits {
            let at = at.index(whole.len());
            let end = (at + cut).min(whole.len());
            whole.splice(at..end, put);
            if whole.is_empty() {
                break;
            }
        }
        loads(whole, Vec::new());
    }
}
