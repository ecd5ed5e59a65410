//! What an upstream's answer may command (`X-Accel-*`), which of its fields are hidden or passed on, and how fast it is
//! sent.

use std::sync::{Mutex, mpsc};
use std::time::Instant;

use crate::support::balancer::Balancer;
use crate::support::nginx;
use crate::support::scripted::{Scripted, ok};

const GET: &str = "GET /x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A balancer whose upstream sends requests for `/` to this address, and whose other locations are these.
fn sent_to(upstream: &Scripted, locations: &str) -> Balancer {
    Balancer::start(&http(upstream, "LISTEN", locations))
}

fn http(upstream: &Scripted, listen: &str, locations: &str) -> String {
    let address = upstream.address();
    format!(
        "upstream app {{ server {address}; }}
         server {{ listen {listen}; location / {{ proxy_pass http://app; proxy_http_version 1.1;
         proxy_set_header Connection \"\"; }} {locations} }}"
    )
}

fn redirecting(address: &str) -> Scripted {
    Scripted::answering(format!(
        "HTTP/1.1 200 OK\r\nX-Accel-Redirect: {address}\r\nSet-Cookie: a=b\r\nX-Mine: 1\r\nETag: \"1\"\r\n\
         Content-Type: text/x\r\nContent-Length: 2\r\n\r\nno"
    ))
}

const SHOWN: &str = "$request_method $uri $args $request_uri";

#[test]
fn an_answer_sends_the_request_to_an_internal_location() {
    let upstream = redirecting("/in/%61 b?c=d");
    let locations = format!("location /in/ {{ internal; return 200 \"{SHOWN}\"; }}");
    let balancer = sent_to(&upstream, &locations);
    let expected = "HTTP/1.1 200 OK\r\nServer: bedloe\r\nSet-Cookie: a=b\r\nContent-Type: text/x\r\n\
                    Content-Length: 22\r\nConnection: keep-alive\r\n\r\nGET /in/a b c=d /x?y";
    let mut client = balancer.connect();
    for request in [
        "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        client.send(request);
        let reply = client.reply();
        assert_eq!(reply.head + &reply.body, expected.replace("22", &reply.body.len().to_string()));
    }
    // For a client there is no such location.
    assert!(balancer.ask(GET.replace("/x?y", "/in/a")).starts_with("HTTP/1.1 404 "));
    balancer.logged("access.log", "\"POST /x?y HTTP/1.1\" 200 20 ");
}

#[test]
fn an_internal_location_may_be_proxied_and_gets_no_body() {
    let second = Scripted::answering(
        "HTTP/1.1 203 OK\r\nContent-Type: text/y\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nhi",
    );
    let first = redirecting("/in/a%20b?c=d");
    let locations = format!("location /in/ {{ internal; proxy_pass http://{}; }}", second.address());
    let balancer = sent_to(&first, &locations);
    let mut client = balancer.connect();
    for size in [3, 300_000] {
        client.send(format!("POST /x?y HTTP/1.1\r\nHost: a\r\nX-Mine: 1\r\nContent-Length: {size}\r\n\r\n"));
        client.send("x".repeat(size));
        let reply = client.reply();
        assert_eq!((reply.status(), reply.body.as_str()), (203, "hi"));
        assert_eq!(reply.head.matches("Content-Type: text/y\r\n").count(), 1, "{}", reply.head);
        assert_eq!(reply.head.matches("ontent-Type").count(), 1, "{}", reply.head);
        assert!(reply.head.contains("Set-Cookie: c=d\r\n") && reply.head.contains("Set-Cookie: a=b\r\n"));
        assert!(!reply.head.contains("X-Mine") && !reply.head.contains("ETag"), "{}", reply.head);
    }
    let asked = format!("GET /in/a%20b?c=d HTTP/1.1\r\nHost: {}\r\nX-Mine: 1\r\n\r\n", second.address());
    assert_eq!(second.all(), asked.repeat(2));
}

#[test]
fn redirects_that_lead_nowhere() {
    let cases = [
        ("../etc", 404, "unsafe URI \"../etc\" was detected"),
        ("/in/../../etc", 404, "unsafe URI"),
        ("x\", client: 192.0.2.1", 404, "unsafe URI \"x\\x22, client: 192.0.2.1\" was detected"),
        ("@named", 500, "could not find named location \"@named\""),
        ("/round", 500, "internal redirection cycle"),
    ];
    for (address, status, logged) in cases {
        let upstream = redirecting(address);
        let balancer = sent_to(&upstream, "");
        let answer = balancer.ask(GET);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{address}: {answer}");
        assert!(!answer.contains("Set-Cookie") && !answer.contains("X-Accel"), "{answer}");
        balancer.logged("error.log", logged);
    }
}

#[test]
fn a_redirect_that_is_ignored_is_hidden_and_one_that_is_passed_goes_on() {
    let upstream = redirecting("/in/");
    let balancer = Balancer::before_with(&[upstream.address()], "", "proxy_ignore_headers X-Accel-Redirect;");
    let answer = balancer.ask(GET);
    assert!(answer.ends_with("no") && !answer.contains("X-Accel"), "{answer}");
    let location = "proxy_ignore_headers X-Accel-Redirect; proxy_pass_header x-accel-redirect;";
    let balancer = Balancer::before_with(&[upstream.address()], "", location);
    assert!(balancer.ask(GET).contains("\r\nX-Accel-Redirect: /in/\r\n"));
}

#[test]
fn nginx_follows_the_same_redirects() {
    let Some(program) = nginx::find() else {
        return nginx::skipped("nginx_follows_the_same_redirects");
    };
    for address in ["/in/%61 b?c=d", "/in/x", "/nowhere", "/in/../x", "@x"] {
        let upstream = redirecting(address);
        let locations =
            format!("location /in/ {{ internal; return 200 \"{SHOWN}\"; }} location /nowhere {{ return 404; }}");
        let nginx = nginx::Nginx::start(&program, &http(&upstream, "SOCKET", &locations)).expect("nginx starts");
        let mut stream = nginx.connect().expect("a connection");
        io(&mut stream, GET);
        let theirs = read(&mut stream);
        let ours = sent_to(&upstream, &locations).ask(GET);
        assert_eq!(essence(&ours), essence(&theirs), "{address}");
    }
}

fn io(stream: &mut impl std::io::Write, text: &str) {
    stream.write_all(text.as_bytes()).expect("it reads");
}

fn read(stream: &mut impl std::io::Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text");
    text
}

/// Status, fields but for those of the program itself, and the body of what is no error.
fn essence(answer: &str) -> (String, Vec<String>, String) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
    if status != "200" {
        return (status, Vec::new(), String::new());
    }
    let own = ["Server: ", "Date: "];
    let mut fields: Vec<String> = head.lines().skip(1).map(str::to_owned).collect();
    fields.retain(|line| !own.iter().any(|name| line.starts_with(name)));
    fields.sort();
    (status, fields, body.to_owned())
}

#[test]
fn fields_of_answers_are_hidden_and_passed() {
    let upstream = Scripted::answering(
        "HTTP/1.1 200 OK\r\nServer: liberty\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Powered-By: Servlet\r\n\
         X-Accel-Buffering: no\r\nX-Accel-Expires: 1\r\nX-Accel-Charset: x\r\nX-Pad: x\r\nX-Other: 1\r\n\
         Content-Length: 2\r\n\r\nhi",
    );
    let cases: [(&str, &[&str], &[&str]); 4] = [
        ("", &["Server: bedloe", "X-Powered-By", "X-Other"], &["liberty", "X-Accel", "X-Pad", "01 Jan 1970"]),
        ("proxy_hide_header X-Powered-By; proxy_hide_header x-other;", &["bedloe"], &["X-Powered", "X-Other"]),
        ("proxy_pass_header Server;", &["Server: liberty"], &["bedloe", "01 Jan 1970", "X-Pad"]),
        ("proxy_pass_header Date; proxy_pass_header X-Accel-Expires;", &["bedloe", "X-Accel-Expires: 1"], &["liberty"]),
    ];
    for (location, shown, hidden) in cases {
        let answer = Balancer::before_with(&[upstream.address()], "", location).ask(GET);
        for text in shown {
            assert_eq!(answer.matches(text).count(), 1, "{location}: {text} in {answer}");
        }
        assert!(!hidden.iter().any(|text| answer.contains(text)), "{location}: {answer}");
        assert_eq!(answer.matches("\r\nServer: ").count(), 1, "{answer}");
    }
}

#[test]
fn answers_are_sent_at_a_limited_rate() {
    let body = "x".repeat(30_000);
    let plain = Scripted::named(&body);
    let asking = Scripted::answering(ok(&body).replace("OK\r\n", "OK\r\nX-Accel-Limit-Rate: 30000\r\n"));
    let chunked = Scripted::answering(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7530\r\n{body}\r\n0\r\n\r\n"
    ));
    let cases = [
        (&plain, "limit_rate 30k;", true),
        (&chunked, "limit_rate 30000; send_timeout 100ms;", true),
        (&plain, "limit_rate $arg_rate;", true),
        (&plain, "limit_rate $arg_none;", false),
        (&plain, "limit_rate 1; limit_rate_after 100k;", false),
        (&asking, "", true),
        (&asking, "proxy_ignore_headers X-Accel-Limit-Rate;", false),
    ];
    for (upstream, location, is_slow) in cases {
        let balancer = Balancer::before_with(&[upstream.address()], "", location);
        let started = Instant::now();
        let answer = balancer.ask(GET.replace("?y", "?rate=30000"));
        assert!(answer.matches('x').count() >= 30_000, "{location}");
        let took_ms = started.elapsed().as_millis();
        assert_eq!(took_ms >= 600, is_slow, "{location}: {took_ms} ms");
        assert!(took_ms < 5_000, "{location}: {took_ms} ms");
        assert!(!answer.contains("Limit-Rate"));
    }
}

#[test]
fn events_arrive_one_by_one() {
    let plain = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"];
    let chunks = ["9\r\ndata: 1\n\n\r\n", "9\r\ndata: 2\n\n\r\n", "9\r\ndata: 3\n\n\r\n"];
    for (field, pieces) in [("X: 1\r\n", plain), ("Transfer-Encoding: chunked\r\n", chunks)] {
        for location in ["", "proxy_buffering off;", "proxy_buffering on; proxy_buffers 4 4k;"] {
            let (go, wait) = mpsc::channel();
            let wait = Mutex::new(wait);
            let upstream = Scripted::start(move |link, _| {
                link.head()?;
                link.send(format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{field}\r\n"))?;
                // The next one is sent only when the client has this one.
                for piece in pieces {
                    link.send(piece)?;
                    let _ = wait.lock().map(|wait| wait.recv());
                }
                Ok(())
            });
            let balancer = Balancer::before_with(&[upstream.address()], "", location);
            let mut client = balancer.connect();
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client.head();
            for piece in chunks {
                assert_eq!(String::from_utf8_lossy(&client.bytes(piece.len())), piece);
                go.send(()).expect("the server waits");
            }
        }
    }
}
