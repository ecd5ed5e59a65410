//! The table of directives as users read it: `--explain`, and the reference in docs, which is made from it.

use std::fs;
use std::path::Path;

use super::{check, stderr, stdout};

#[test]
fn the_reference_says_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/directives.md");
    let made = conf::table::reference();
    if std::env::var_os("BEDLOE_BLESS").is_some() {
        fs::write(&path, &made).expect("the reference");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differing = made.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(
        made == written,
        "docs/directives.md is not what the table says; BEDLOE_BLESS=1 cargo test -p bedloe --test it reference writes \
         it anew; first: {differing:?}"
    );
}

#[test]
fn explain_prints_the_entries_of_a_directive() {
    let here = Path::new(".");
    let served = check(here, &["--explain", "keepalive_timeout"]);
    let text = stdout(&served);
    assert!(served.status.success() && text.matches("keepalive_timeout\n").count() == 2, "{text}");
    assert!(text.contains("in:        http, server, location\n") && text.contains("in:        upstream\n"), "{text}");
    assert!(stdout(&check(here, &["--explain", "worker_processes"])).contains("differs: one process"));
    assert!(stdout(&check(here, &["--explain", "tcp_nopush"])).contains("no effect: "));
    assert!(stdout(&check(here, &["--explain", "fastcgi_pass"])).contains("not served by bedloe yet (other protocols"));
    let unknown = check(here, &["--explain", "proxy_pas"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("did you mean \"proxy_pass\"?"), "{}", stderr(&unknown));
}
