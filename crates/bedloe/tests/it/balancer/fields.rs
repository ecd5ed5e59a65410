//! Which fields go on and which do not, what the configuration sets, and that nothing a client sends breaks a head
//! apart.

use crate::support::balancer::Balancer;
use crate::support::scripted::Scripted;

/// What the upstream gets for a request with these fields.
fn forwarded(location: &str, fields: &str) -> String {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before_with(&[upstream.address()], "", location);
    let answer = balancer.ask(format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}Connection: close\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    upstream.all()
}

#[test]
fn fields_that_say_who_the_client_is_cannot_be_nominated_away() {
    let location = "proxy_set_header X-Real-IP $remote_addr;";
    let fields = "Connection: X-Forwarded-For, Host, X-Real-IP, Content-Length\r\nX-Forwarded-For: 1.2.3.4\r\n";
    let expected = "GET / HTTP/1.1\r\nHost: app\r\nX-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    // `proxy_set_header` of a location replaces what the outer levels set, the empty Connection among it.
    assert_eq!(forwarded(location, fields), expected);
}

#[test]
fn names_that_liberty_would_trust_or_mistake_are_dropped() {
    let fields = "$WSRA: 10.0.0.1\r\n$WSIS: true\r\n$wssn: x\r\nX_Real_IP: 10.0.0.1\r\nX.Y: 1\r\nX-Fine: 2\r\n";
    assert_eq!(forwarded("", fields), "GET / HTTP/1.1\r\nHost: app\r\nX-Fine: 2\r\n\r\n");
}

#[test]
fn a_dropped_name_is_no_variable_either() {
    let location = "proxy_set_header X-Identity $http_x_identity;";
    let fields = "X_Identity: forged\r\n";
    assert_eq!(forwarded(location, fields), "GET / HTTP/1.1\r\nHost: app\r\n\r\n");
    let fields = "X_Identity: forged\r\nX-Identity: me\r\n";
    assert_eq!(forwarded(location, fields), "GET / HTTP/1.1\r\nHost: app\r\nX-Identity: me\r\n\r\n");
}

#[test]
fn addresses_are_appended_to_those_of_earlier_proxies() {
    let location = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";
    let forwarded_for = |fields| {
        let request = forwarded(location, fields);
        request.lines().find_map(|line| line.strip_prefix("X-Forwarded-For: ")).map(str::to_owned)
    };
    assert_eq!(forwarded_for("").as_deref(), Some("127.0.0.1"));
    assert_eq!(forwarded_for("X-Forwarded-For: 1.2.3.4\r\n").as_deref(), Some("1.2.3.4, 127.0.0.1"));
    assert_eq!(forwarded_for("x-forwarded-for: 1\r\nX-FORWARDED-FOR: 2\r\n").as_deref(), Some("1, 2, 127.0.0.1"));
}

#[test]
fn what_the_configuration_sets_replaces_what_the_client_sent() {
    let location = "proxy_set_header Host $host; proxy_set_header X-Proto $scheme; proxy_set_header Accept \"\";";
    let fields = "x-PROTO: https\r\nAccept: x\r\nUser-Agent: u\r\n";
    let expected = "GET / HTTP/1.1\r\nHost: a.example\r\nX-Proto: http\r\nUser-Agent: u\r\n\r\n";
    assert_eq!(forwarded(location, fields), expected);
}

#[test]
fn decoded_line_ends_break_no_head_to_the_upstream_apart() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before_with(&[upstream.address()], "", "proxy_set_header X-Path $uri;");
    for target in ["/%0d%0aX-Admin:%201", "/%0aX-Admin:1", "/%0dX", "/a%0d%0a%0d%0aGET%20/smuggled"] {
        let answer = balancer.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{target} got {answer}");
    }
    assert_eq!(upstream.all(), "");
    // Not decoded it is harmless and goes on as it is.
    let arguments = "/?%0d%0aX-Admin:%201";
    balancer.ask(format!("GET {arguments} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    let expected = format!("GET {arguments} HTTP/1.1\r\nHost: app\r\nX-Path: /\r\n\r\n");
    assert_eq!(upstream.all(), expected);
}

#[test]
fn decoded_line_ends_break_no_request_line_apart() {
    let upstream = Scripted::named("hi");
    let servers = upstream.address();
    let balancer = Balancer::start(&format!(
        "server {{ listen LISTEN; location /in/ {{ proxy_pass http://{servers}/out/; proxy_http_version 1.1; }} }}"
    ));
    for target in ["/in/%0d%0aX:%201", "/in/%20HTTP/1.1%0d%0a", "/in/a%0a"] {
        let answer = balancer.ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        let seen = upstream.all();
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(
            !seen.contains("\r\nX: 1")
                && seen.lines().filter(|line| line.contains("HTTP/1.1")).all(|line| { line.split(' ').count() == 3 }),
            "{target} became {seen:?}"
        );
    }
}

#[test]
fn decoded_line_ends_break_no_redirect_apart() {
    let balancer = Balancer::start(
        "server { listen LISTEN; location / { return 301 https://$host$uri; }
         location /raw { return 302 /x$request_uri; } }",
    );
    let split = balancer.ask("GET /%0d%0aSet-Cookie:%20a=1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(split.starts_with("HTTP/1.1 400 ") && !split.contains("Set-Cookie"), "{split}");
    let raw = balancer.ask("GET /raw%0d%0aSet-Cookie:%20a=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let port = balancer.address().port();
    assert!(raw.contains(&format!("\r\nLocation: http://a:{port}/x/raw%0d%0aSet-Cookie:%20a=1\r\n")), "{raw}");
}

#[test]
fn a_cookie_or_argument_breaks_nothing_apart() {
    let location = "proxy_set_header X-A $arg_a; proxy_set_header X-C $cookie_c;";
    let fields = "Cookie: c=1%0d%0aX:2\r\n";
    let expected = "GET / HTTP/1.1\r\nHost: app\r\nX-C: 1%0d%0aX:2\r\nCookie: c=1%0d%0aX:2\r\n\r\n";
    assert_eq!(forwarded(location, fields), expected);
}
