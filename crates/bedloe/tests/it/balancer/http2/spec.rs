//! h2spec's 145 cases, where that program is installed. Over TLS: without it, what does not begin as HTTP/2 does is
//! HTTP/1.1, which h2spec takes for a fault.

use std::process::{Command, Stdio};

use crate::support::balancer::Balancer;
use crate::support::scripted::Scripted;
use crate::support::skipped;

/// Where `go install` puts it, and where a package would.
fn h2spec() -> Option<Command> {
    let go = std::env::var_os("HOME").map(|home| std::path::Path::new(&home).join("go/bin/h2spec"));
    [Some("h2spec".into()), go]
        .into_iter()
        .flatten()
        .find(|path| Command::new(path).arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success()))
        .map(Command::new)
}

#[test]
fn h2spec_finds_nothing() {
    let Some(mut h2spec) = h2spec() else {
        skipped("h2spec_finds_nothing", "h2spec (go install github.com/summerwind/h2spec/cmd/h2spec@latest)");
        return;
    };
    let upstream = Scripted::named("an answer longer than one byte");
    let folder = tempfile::tempdir().unwrap();
    let pair = lab::certificate::make("127.0.0.1".parse().unwrap()).unwrap();
    std::fs::write(folder.path().join("crt"), &pair.certificate).unwrap();
    std::fs::write(folder.path().join("key"), &pair.key).unwrap();
    let http = format!(
        "server {{ listen LISTEN ssl http2; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/key;
         location / {{ proxy_pass http://{}; }} }}",
        upstream.address()
    );
    let balancer = Balancer::start_in(folder, "worker_processes 1;", &http);
    let port = balancer.address().port().to_string();
    let output = h2spec.args(["-h", "127.0.0.1", "-p", &port, "-t", "-k", "-o", "5"]).stdin(Stdio::null()).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("145 tests, 145 passed, 0 skipped, 0 failed"), "{text}");
}
