//! The balancer's configuration: the seed's with addresses, paths and the port of the redirection of this machine, with
//! affinity by the servers' clone ids in place of the hash, and with checks of the servers' health.
//!
//! The seed's files are part of the program, so the lab needs no file at hand. Every line that differs is told.

use serde::Serialize;

use crate::plan::{Plan, Server};
use crate::roll;

/// The files of the seed, as they lie in `examples/seed`.
const SEED: [(&str, &str); 3] = [
    ("nginx.conf", include_str!("../../../examples/seed/nginx.conf")),
    ("conf.d/liberty-lb.conf", include_str!("../../../examples/seed/conf.d/liberty-lb.conf")),
    ("conf.d/liberty-upstream.conf", include_str!("../../../examples/seed/conf.d/liberty-upstream.conf")),
];
/// The servers of the seed; where a lab has more, they are written like the last.
const SERVERS: [&str; 3] = ["10.0.0.11:9080", "10.0.0.12:9080", "10.0.0.13:9080"];

/// What leads requests to servers in the seed: a hash, which does not keep the sessions of Liberty together.
const HASH: [&str; 5] = [
    "# affinity by the servers' cookie, at random without it",
    "map $cookie_JSESSIONID $aff_key {",
    "    default $request_id;",
    "    \"~.+\"   $cookie_JSESSIONID;",
    "}",
];

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
        let hash = hash_in(seed);
        for (index, line) in seed.lines().enumerate() {
            let lines = if hash.contains(&index) { Vec::new() } else { rewrite(line, plan) };
            lines.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
            if lines != [line] {
                differences.push(Difference { file: path, line: index + 1, seed: line.to_owned(), lab: lines });
            }
        }
        File { path, text }
    };
    let mut files: Vec<File> = SEED.into_iter().map(|(path, seed)| file(path, seed)).collect();
    if plan.options.roll {
        files.push(File { path: "conf.d/lab-api.conf", text: roll::configuration(&plan.options.folder) });
    }
    (files, differences)
}

/// Where the lines of the hash are in a file.
fn hash_in(seed: &str) -> std::ops::Range<usize> {
    let lines: Vec<&str> = seed.lines().collect();
    let start = lines.windows(HASH.len()).position(|window| window == HASH);
    start.map_or(0..0, |start| start..start + HASH.len())
}

/// What becomes of one line. Paths turn relative: they count from the folder that the balancer gets as its prefix.
fn rewrite(line: &str, plan: &Plan) -> Vec<String> {
    if let Some(index) = SERVERS.iter().position(|server| line.contains(server)) {
        let ours = plan.servers.iter().skip(index).take(if index + 1 < SERVERS.len() { 1 } else { usize::MAX });
        return ours.map(|server| member(line, SERVERS[index], server, plan)).collect();
    }
    let more = |line: &str, behind: &[&str]| {
        let indent = &line[..line.len() - line.trim_start().len()];
        [line.to_owned()].into_iter().chain(behind.iter().map(|each| format!("{indent}{each}"))).collect()
    };
    match line {
        "    hash $aff_key consistent;" => return more("    zone liberty_app 64k;", &["sticky liberty;"]),
        // Liberty closes a connection that was idle for 30 s.
        "    keepalive 64;" => return more(line, &["keepalive_timeout 20s;"]),
        "        proxy_pass http://liberty_app;" => return more(line, &checks(plan)),
        _ => {}
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

/// The line of a server. Its `route` is its clone id, by which the cookies of its sessions name it.
fn member(line: &str, seed: &str, server: &Server, plan: &Plan) -> String {
    let (line, route) = (line.replace(seed, &server.address.to_string()), &server.clone);
    let slow = roll::slow_start(plan.options.liberty.is_some());
    let slow = if plan.options.roll { format!(" slow_start={slow:?}") } else { String::new() };
    format!("{} route={route}{slow};", line.trim_end_matches(';'))
}

/// How the servers are asked how they are. A Java machine on a busy machine may pause for longer than a stand-in.
fn checks(plan: &Plan) -> [&'static str; 2] {
    match (plan.options.liberty.is_some(), plan.options.roll) {
        (true, false) => ["health_check uri=/health/ready interval=1s fails=3;", "health_check_timeout 3s;"],
        (true, true) => ["health_check uri=/health/ready interval=1s fails=3 mandatory;", "health_check_timeout 3s;"],
        (false, false) => ["health_check uri=/health/ready interval=1s fails=1;", "health_check_timeout 1s;"],
        (false, true) => ["health_check uri=/health/ready interval=1s fails=1 mandatory;", "health_check_timeout 1s;"],
    }
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
    fn what_differs_from_the_seed() {
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
            "conf.d/liberty-lb.conf:36: proxy_pass http://liberty_app; => proxy_pass http://liberty_app; + \
             health_check uri=/health/ready interval=1s fails=1; + health_check_timeout 1s;",
            "conf.d/liberty-upstream.conf:1: # affinity by the servers' cookie, at random without it => ",
            "conf.d/liberty-upstream.conf:2: map $cookie_JSESSIONID $aff_key { => ",
            "conf.d/liberty-upstream.conf:3: default $request_id; => ",
            "conf.d/liberty-upstream.conf:4: \"~.+\"   $cookie_JSESSIONID; => ",
            "conf.d/liberty-upstream.conf:5: } => ",
            "conf.d/liberty-upstream.conf:7: hash $aff_key consistent; => zone liberty_app 64k; + sticky liberty;",
            "conf.d/liberty-upstream.conf:8: server 10.0.0.11:9080 max_fails=3 fail_timeout=30s; \
             => server 127.0.0.11:9080 max_fails=3 fail_timeout=30s route=s1;",
            "conf.d/liberty-upstream.conf:9: server 10.0.0.12:9080 max_fails=3 fail_timeout=30s; => ",
            "conf.d/liberty-upstream.conf:10: server 10.0.0.13:9080 max_fails=3 fail_timeout=30s; => ",
            "conf.d/liberty-upstream.conf:11: keepalive 64; => keepalive 64; + keepalive_timeout 20s;",
        ];
        assert_eq!(shown(1), expected);
    }

    #[test]
    fn a_roll_needs_an_api_and_brings_servers_back_slowly() {
        let plan = Plan::new(Options { roll: true, ..options() }).unwrap();
        let (files, _) = generate(&plan);
        let text = |path: &str| files.iter().find(|file| file.path == path).unwrap().text.clone();
        assert!(text("conf.d/lab-api.conf").contains("listen unix:lab/api.sock;"));
        assert_eq!(text("conf.d/liberty-upstream.conf").matches(" slow_start=3s;").count(), 3);
        assert!(text("conf.d/liberty-lb.conf").contains("fails=1 mandatory;"));
    }

    #[test]
    fn as_many_servers_as_wanted() {
        let plan = Plan::new(Options { servers: 5, ..options() }).unwrap();
        let (files, _) = generate(&plan);
        let upstream = files.iter().find(|file| file.path == "conf.d/liberty-upstream.conf").unwrap();
        for number in 11..=15 {
            let clone = format!("s{}", number - 10);
            let line = format!("    server 127.0.0.{number}:9080 max_fails=3 fail_timeout=30s route={clone};\n");
            assert_eq!(upstream.text.matches(&line).count(), 1);
        }
        assert!(!upstream.text.contains("10.0.0.1"));
    }
}
