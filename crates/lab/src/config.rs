//! The balancer's configuration: the seed's, but for addresses, paths and the port of the redirection.
//!
//! The seed's files are part of the program, so the lab needs no file at hand. Every line that differs is told.

use std::time::Duration;

use serde::Serialize;

use crate::plan::Plan;

/// The files of the seed, as they lie in `examples/seed`.
const SEED: [(&str, &str); 3] = [
    ("nginx.conf", include_str!("../../../examples/seed/nginx.conf")),
    ("conf.d/liberty-lb.conf", include_str!("../../../examples/seed/conf.d/liberty-lb.conf")),
    ("conf.d/liberty-upstream.conf", include_str!("../../../examples/seed/conf.d/liberty-upstream.conf")),
];
/// The servers of the seed; where a lab has more, they are written like the last.
const SERVERS: [&str; 3] = ["10.0.0.11:9080", "10.0.0.12:9080", "10.0.0.13:9080"];

/// For how long the balancer leaves a server alone that failed, by the seed's `fail_timeout`.
pub const FAIL_TIMEOUT: Duration = Duration::from_secs(30);

/// One file of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path, relative to the lab's folder.
    pub path: &'static str,
    /// What it holds.
    pub text: String,
}

/// A place where the configuration differs from the seed's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The file.
    pub file: &'static str,
    /// The line in the seed's file.
    pub line: usize,
    /// What the seed says.
    pub seed: String,
    /// What the lab says: no line, one or several.
    pub lab: Vec<String>,
}

/// The configuration of `plan` and how it differs from the seed's.
pub fn generate(plan: &Plan) -> (Vec<File>, Vec<Difference>) {
    let mut differences = Vec::new();
    let mut file = |path, seed: &str| {
        let mut text = String::new();
        for (index, line) in seed.lines().enumerate() {
            let lines = rewrite(line, plan);
            lines.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
            if lines != [line] {
                differences.push(Difference { file: path, line: index + 1, seed: line.to_owned(), lab: lines });
            }
        }
        File { path, text }
    };
    let files = SEED.into_iter().map(|(path, seed)| file(path, seed)).collect();
    (files, differences)
}

/// What becomes of one line. Paths turn relative: they count from the folder that the balancer gets as its prefix.
fn rewrite(line: &str, plan: &Plan) -> Vec<String> {
    if let Some(index) = SERVERS.iter().position(|server| line.contains(server)) {
        let ours = plan.servers.iter().skip(index).take(if index + 1 < SERVERS.len() { 1 } else { usize::MAX });
        return ours.map(|server| line.replace(SERVERS[index], &server.address.to_string())).collect();
    }
    let changed = line
        .replace("listen 80 ", &format!("listen {} ", plan.http))
        .replace("listen 443 ", &format!("listen {} ", plan.https))
        .replace("https://$host$request_uri", &format!("https://$host:{}$request_uri", plan.https.port()))
        .replace("/etc/nginx/ssl/", "tls/")
        .replace("/etc/nginx/conf.d/", "conf.d/")
        .replace("/var/log/nginx/", "logs/")
        .replace("/run/nginx.pid", "nginx.pid")
        // Not every host has that user, and a lab runs as whoever starts it.
        .replace("user www-data;", "# user www-data;");
    vec![changed]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::plan::{Options, tests::options};

    fn shown(servers: usize) -> Vec<String> {
        let plan = Plan::new(Options { servers, ..options() }).unwrap();
        let show = |d: &Difference| {
            let lab: Vec<&str> = d.lab.iter().map(|line| line.trim()).collect();
            format!("{}:{}: {} => {}", d.file, d.line, d.seed.trim(), lab.join(" + "))
        };
        generate(&plan).1.iter().map(show).collect()
    }

    #[test]
    fn the_differences_are_addresses_paths_and_the_port() {
        let expected = [
            "nginx.conf:1: user www-data; => # user www-data;",
            "nginx.conf:4: pid /run/nginx.pid; => pid nginx.pid;",
            "nginx.conf:5: error_log /var/log/nginx/error.log warn; => error_log logs/error.log warn;",
            "nginx.conf:17: include /etc/nginx/conf.d/*.conf; => include conf.d/*.conf;",
            "conf.d/liberty-lb.conf:2: listen 80 default_server; => listen 127.0.0.10:8080 default_server;",
            "conf.d/liberty-lb.conf:4: return 301 https://$host$request_uri; \
             => return 301 https://$host:8443$request_uri;",
            "conf.d/liberty-lb.conf:7: listen 443 ssl http2; => listen 127.0.0.10:8443 ssl http2;",
            "conf.d/liberty-lb.conf:9: ssl_certificate     /etc/nginx/ssl/liberty.crt; \
             => ssl_certificate     tls/liberty.crt;",
            "conf.d/liberty-lb.conf:10: ssl_certificate_key /etc/nginx/ssl/liberty.key; \
             => ssl_certificate_key tls/liberty.key;",
            "conf.d/liberty-upstream.conf:8: server 10.0.0.11:9080 max_fails=3 fail_timeout=30s; \
             => server 127.0.0.11:9080 max_fails=3 fail_timeout=30s;",
            "conf.d/liberty-upstream.conf:9: server 10.0.0.12:9080 max_fails=3 fail_timeout=30s; => ",
            "conf.d/liberty-upstream.conf:10: server 10.0.0.13:9080 max_fails=3 fail_timeout=30s; => ",
        ];
        assert_eq!(shown(1), expected);
    }

    #[test]
    fn the_fail_timeout_is_the_seeds() {
        let servers = SEED[2].1.lines().filter(|line| line.trim().starts_with("server "));
        let written = format!("fail_timeout={FAIL_TIMEOUT:?};");
        assert!(servers.clone().count() == 3 && servers.into_iter().all(|line| line.ends_with(&written)));
    }

    #[test]
    fn as_many_servers_as_wanted() {
        let plan = Plan::new(Options { servers: 5, ..options() }).unwrap();
        let (files, _) = generate(&plan);
        let upstream = files.iter().find(|file| file.path == "conf.d/liberty-upstream.conf").unwrap();
        for number in 11..=15 {
            let line = format!("    server 127.0.0.{number}:9080 max_fails=3 fail_timeout=30s;\n");
            assert_eq!(upstream.text.matches(&line).count(), 1);
        }
        assert!(!upstream.text.contains("10.0.0.1"));
    }
}
