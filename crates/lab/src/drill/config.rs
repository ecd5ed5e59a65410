//! The configurations of the balancers that are drilled: bedloe's is the lab's, those of nginx and HAProxy do the same
//! with the best that each has without a licence.
//!
//! Neither moves a request that waits before an answer's time-out, which is one second for them: a page that takes
//! longer is out of their reach. nginx has no checks without a licence.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::config::{self, File};
use crate::plan::Plan;

/// The port of the load: without TLS, so that the figures are those of the faults.
const PORT: u16 = 8090;
/// The line of the seed before which the load's listener is written.
const BEFORE: &str = "    server_name liberty.example.com;";

/// Where the load goes to.
pub(super) fn target(plan: &Plan) -> SocketAddr {
    SocketAddr::new(plan.https.ip(), PORT)
}

/// The lab's configuration, with one more listener.
pub(super) fn bedloe(plan: &Plan) -> Vec<File> {
    let listen = format!("    listen {};\n{BEFORE}", target(plan));
    let (files, _) = config::generate(plan);
    files.into_iter().map(|file| File { text: file.text.replace(BEFORE, &listen), ..file }).collect()
}

/// nginx's: failures of requests take a server out, and a group a server, in which the others are its backup, keeps
/// sessions where they are.
pub(super) fn nginx(plan: &Plan) -> Vec<File> {
    let (mut routes, mut groups) = (String::new(), group(plan, "any", None));
    for server in &plan.servers {
        let clone = &server.clone;
        let _ = writeln!(routes, "        ~:{clone}$ {clone};");
        groups += &group(plan, clone, Some(clone));
    }
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|of| format!("    {of}_temp_path temp_{of};\n"));
    let (temporary, target) = (temporary.concat(), target(plan));
    let text = format!(
        "worker_processes auto;
pid nginx.pid;
error_log logs/error.log warn;
worker_rlimit_nofile 20000;
events {{
    worker_connections 8000;
}}
http {{
{temporary}    log_format tries '$upstream_addr';
    access_log logs/tries.log tries;
    keepalive_timeout 65s;
    keepalive_requests 100000;
    map $cookie_JSESSIONID $group {{
        default any;
{routes}    }}
{groups}    server {{
        listen {target};
        location / {{
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $host;
            proxy_connect_timeout 1s;
            proxy_read_timeout 1s;
            proxy_next_upstream error timeout http_502 http_503 http_504;
            proxy_next_upstream_tries 3;
            proxy_pass http://$group;
        }}
    }}
}}
"
    );
    vec![File { path: "nginx.conf", text }]
}

/// A group of nginx's; with `first` the other servers stand in for that one.
fn group(plan: &Plan, name: &str, first: Option<&str>) -> String {
    let mut text = format!("    upstream {name} {{\n        zone {name} 128k;\n");
    for server in &plan.servers {
        let backup = if first.is_some_and(|first| first != server.clone) { " backup" } else { "" };
        let _ = writeln!(text, "        server {} max_fails=1 fail_timeout=2s{backup};", server.address);
    }
    text + "        keepalive 64;\n        keepalive_timeout 20s;\n    }\n"
}

/// HAProxy's: checks once a second, failures of requests counted as well, GETs tried again, sessions by clone id.
pub(super) fn haproxy(plan: &Plan) -> Vec<File> {
    let (mut routes, mut servers) = (String::new(), String::new());
    for server in &plan.servers {
        let (name, clone, address) = (&server.name, &server.clone, server.address);
        let _ = writeln!(routes, "    use-server {name} if {{ req.cook(JSESSIONID) -m end :{clone} }}");
        let _ = writeln!(servers, "    server {name} {address} check");
    }
    let (target, socket) = (target(plan), plan.admin());
    let text = format!(
        "global
    maxconn 8000
    no strict-limits
    hard-stop-after 10s
    stats socket {} mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 1s
    timeout client 65s
    timeout server 1s
    timeout check 1s
    timeout http-keep-alive 65s
    option http-keep-alive
    http-reuse safe
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response junk-response response-timeout 502 503 504
frontend clients
    bind {target}
    default_backend liberty_app
backend liberty_app
    balance roundrobin
    http-request disable-l7-retry unless METH_GET
    option httpchk
    http-check send meth GET uri /health/ready ver HTTP/1.1 hdr Host liberty
    http-check expect status 200
    http-check expect string checks
    default-server inter 1s fastinter 250ms downinter 250ms fall 1 rise 1
    default-server observe layer7 error-limit 3 on-error mark-down
{routes}{servers}",
        socket.display()
    );
    vec![File { path: "haproxy.cfg", text }]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::plan::tests::options;

    #[test]
    fn all_have_the_same_servers_and_the_same_address() {
        let plan = Plan::new(options()).unwrap();
        for files in [bedloe(&plan), nginx(&plan), haproxy(&plan)] {
            let text: String = files.iter().map(|file| file.text.as_str()).collect();
            for part in ["127.0.0.10:8090", "127.0.0.11:9080", "127.0.0.12:9080", "127.0.0.13:9080", "s3"] {
                assert!(text.contains(part), "{part} is missing in {text}");
            }
        }
    }
}
