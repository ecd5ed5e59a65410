//! The seed configuration, as it stands, and what becomes of settings on their way down.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use super::{MAIN, Memory, load_text, load_with, options};
use crate::template::Template;
use crate::tree::{Algorithm, Config, Handler, LocationKind, LogLevel, LogTarget, Lookup, PassTo, Return, Rule};
use crate::{Loaded, load};

const NGINX: &str = include_str!("../../../../examples/seed/nginx.conf");
const LB: &str = include_str!("../../../../examples/seed/conf.d/liberty-lb.conf");
const UPSTREAM: &str = include_str!("../../../../examples/seed/conf.d/liberty-upstream.conf");

pub(super) fn files() -> [(&'static str, &'static str); 3] {
    [(MAIN, NGINX), ("/etc/nginx/conf.d/liberty-lb.conf", LB), ("/etc/nginx/conf.d/liberty-upstream.conf", UPSTREAM)]
}

fn config(loaded: Loaded) -> Config {
    loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

#[test]
fn the_seed_loads() {
    let loaded = load_with(&files());
    assert_eq!(loaded.files.len(), 3);
    let needs: Vec<_> = loaded.needs.iter().map(|need| need.path.to_str().unwrap()).collect();
    assert_eq!(needs, ["/etc/nginx/ssl/liberty.crt", "/etc/nginx/ssl/liberty.key"]);
    let writes: Vec<_> = loaded.writes.iter().map(|file| (file.directive, file.place.line)).collect();
    assert_eq!(writes, [("pid", 4), ("error_log", 5)]);
    let config = config(loaded);
    assert_eq!(config.main.worker_processes, None);
    assert_eq!(config.main.worker_rlimit_nofile, Some(200_000));
    let (user, group) = config.main.user.as_ref().unwrap();
    assert_eq!((user.name.as_str(), user.place.column, group), ("www-data", 6, &None));
    assert_eq!(config.main.error_logs[0].level, LogLevel::Warn);
    assert_eq!(config.events.worker_connections, 65_535);
    let map = &config.http.maps[0];
    assert_eq!(map.name, "aff_key");
    let Lookup::Texts(texts) = &map.lookup else { panic!("{map:?}") };
    assert_eq!(texts.default, Template::parse("$request_id").unwrap());
    assert_eq!((texts.patterns[0].0.source.as_str(), texts.patterns[0].0.ignore_case), (".+", false));
    let upstream = &config.http.upstreams[0];
    assert!(matches!(&upstream.algorithm, Algorithm::Hash { consistent: true, .. }));
    assert_eq!(
        upstream.servers.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["10.0.0.11:9080", "10.0.0.12:9080", "10.0.0.13:9080"]
    );
    assert_eq!(
        (upstream.keepalive, upstream.servers[0].max_fails, upstream.servers[0].fail_timeout_ms),
        (64, 3, 30_000)
    );
}

#[test]
fn the_seeds_servers_are_whole() {
    let config = config(load_with(&files()));
    let [plain, secure] = config.http.servers.as_slice() else { panic!("two servers") };
    assert!(matches!(plain.rules.as_slice(), [Rule::Return(Return { status: 301, .. })]));
    assert!(plain.listens[0].default_server && plain.tls.is_none());
    let tls = secure.tls.as_ref().unwrap();
    assert_eq!((tls.session_timeout_ms, tls.session_cache), (86_400_000, 40_000));
    assert!(secure.listens[0].ssl && secure.listens[0].http2);
    let [health, root] = secure.locations.as_slice() else { panic!("two locations") };
    assert_eq!((&health.kind, health.path.as_str()), (&LocationKind::Exact, "/lb-health"));
    let Handler::Proxy(proxy) = &health.handler else { panic!("a proxy") };
    assert!(matches!(proxy.to, PassTo::Upstream(0)));
    assert_eq!(proxy.uri.as_deref(), Some("/health/ready"));
    assert_eq!(proxy.settings.next_upstream.statuses, [502, 503, 504]);
    let names: Vec<_> = proxied(root).set_headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Connection", "Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto"]);
    assert_eq!((root.settings.keepalive_timeout_ms, root.settings.keepalive_requests), (65_000, 100_000));
    let log = &config.http.access_logs[root.settings.access_logs[0]];
    assert_eq!(log.to, LogTarget::File("/var/log/nginx/access.log".into()));
}

#[test]
fn the_seeds_traps_are_told() {
    let mut options = options();
    options.hard_nofile_limit = Some(1_048);
    let files = files().map(|(path, text)| (path.into(), text.as_bytes().to_vec())).into_iter().collect();
    let loaded = load(Path::new(MAIN), &Memory(files), &options);
    let warnings = loaded.diagnostics.iter().filter(|found| found.severity == crate::Severity::Warning);
    let told: Vec<_> = warnings.map(|w| (w.code, w.place.line, w.help.is_some())).collect();
    assert_eq!(
        told,
        [
            ("nofile-above-limit", 3, true),
            ("listen-backlog", 2, true),
            ("listen-backlog", 7, true),
            ("balanced-health-location", 15, true),
            ("post-not-retried", 34, true),
            ("affinity-by-cookie-hash", 7, true),
            ("keepalive-outlives-server", 11, true),
        ]
    );
}

#[test]
fn settings_go_down_and_lists_are_replaced_whole() {
    let config = config(load_text(
        "http { server { location /a { proxy_pass http://127.0.0.1; proxy_set_header C c; access_log off; }
           location /b { proxy_pass http://127.0.0.1/b; proxy_read_timeout 3s; } keepalive_timeout 7s; error_log e; }
         proxy_set_header A a; proxy_set_header B b; proxy_read_timeout 5s; access_log a.log; access_log b.log;
         client_max_body_size 0; } events {} error_log stderr info;",
    ));
    assert_eq!(config.main.error_logs[0].to, LogTarget::Stderr);
    let [a, b] = config.http.servers[0].locations.as_slice() else { panic!("two locations") };
    let names = |l: &crate::tree::Location| proxied(l).set_headers.iter().map(|h| h.0.clone()).collect::<Vec<_>>();
    assert_eq!((names(a), names(b)), (vec!["C".to_owned()], vec!["A".to_owned(), "B".to_owned()]));
    assert_eq!((proxied(a).read_timeout_ms, proxied(b).read_timeout_ms), (5_000, 3_000));
    assert_eq!((a.settings.access_logs.len(), b.settings.access_logs.len()), (0, 2));
    assert_eq!((a.settings.keepalive_timeout_ms, a.settings.client_max_body_size), (7_000, 0));
    assert_eq!(b.settings.error_logs[0].to, LogTarget::File("/usr/share/nginx/e".into()));
    assert_eq!(b.settings.error_logs[0].level, LogLevel::Error);
    assert_eq!(config.http.upstreams.len(), 1, "one for both locations");
    assert_eq!((config.http.upstreams[0].name.as_str(), config.http.upstreams[0].keepalive), ("127.0.0.1", 0));
}

#[test]
fn addresses_share_their_options_and_certificate() {
    let config = config(load_text(
        "http { server { listen 127.0.0.1:1 ssl backlog=9; ssl_certificate c; ssl_certificate_key k; return 204; }
         server { listen 127.0.0.1:1; server_name x; return 204; } } events {}",
    ));
    let [first, second] = config.http.servers.as_slice() else { panic!("two servers") };
    assert!(second.listens[0].ssl && second.listens[0].backlog == 9);
    assert_eq!(first.tls.as_ref().unwrap().certificates[0].certificate, Path::new("/etc/nginx/c"));
    assert!(second.tls.is_some());
}

#[test]
fn the_command_line_adds_directives_and_a_log() {
    let mut options = options();
    options.globals = Some("worker_processes 3; pid p".to_owned());
    options.error_log = Some("stderr".into());
    let files = [(MAIN.into(), b"events {}".to_vec())].into_iter().collect();
    let config = config(load(Path::new(MAIN), &Memory(files), &options));
    assert_eq!((config.main.worker_processes, config.main.pid.as_path()), (Some(3), Path::new("/usr/share/nginx/p")));
    assert_eq!(config.main.error_logs[0].to, LogTarget::Stderr);
}

#[test]
fn ten_thousand_servers_take_no_time() {
    let mut text = String::from("events {} http { proxy_set_header Host $host;\n");
    for i in 0..10_000 {
        writeln!(text, "upstream u{i} {{ server 10.0.{}.{}:9080; keepalive_timeout 20s; }}", i / 250, i % 250).unwrap();
        writeln!(text, "server {{ listen 80; server_name n{i}.test; location / {{ proxy_pass http://u{i}; }} }}")
            .unwrap();
    }
    text.push('}');
    let started = Instant::now();
    let loaded = load_text(&text);
    assert_eq!(config(loaded).http.servers.len(), 10_000);
    // Under 1 s even without optimisation on a busy machine; a quadratic pass would take minutes.
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn a_server_may_have_the_name_of_the_machine() {
    let loaded = load_text("events {} http { server { server_name $hostname a; return 200; } }");
    assert_eq!(loaded.config.unwrap().http.servers[0].names, ["this.test", "a"]);
}

/// The `proxy_*` settings of a location that passes requests on.
fn proxied(location: &crate::tree::Location) -> &crate::tree::ProxySettings {
    let Handler::Proxy(proxy) = &location.handler else { panic!("a proxy") };
    &proxy.settings
}
