//! `proxy_request_buffering`: bodies kept whole before a server is picked, in memory and in temporary files, and sent
//! again; and bodies passed on as they come.

use std::sync::mpsc;

use crate::support::balancer::Balancer;
use crate::support::scripted::{Link, Scripted, ok};

const LENGTH: usize = 300_000;

fn body() -> String {
    (0..LENGTH / 10).map(|n| format!("{n:09}\n")).collect()
}

fn put(fields: &str, body: &str) -> String {
    format!("PUT / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

/// Cuts a body into chunks of this size.
fn chunks(body: &str, size: usize) -> String {
    body.as_bytes().chunks(size).map(|c| format!("{:x}\r\n{}\r\n", c.len(), String::from_utf8_lossy(c))).collect()
}

/// Reads a head and a body of that length, and answers.
fn taking(link: &mut Link) -> std::io::Result<()> {
    link.until(&body()[LENGTH - 100..])?;
    link.send(ok("whole"))
}

#[test]
fn a_kept_body_goes_whole_to_the_next_server_from_memory_and_from_a_file() {
    for size in ["1m", "16k", "0"] {
        let first = Scripted::start(|link, _| {
            link.head()?;
            link.swallow(100_000)
        });
        let second = Scripted::start(|link, _| taking(link));
        let location = format!("client_body_buffer_size {size};");
        let balancer = Balancer::before_with(&[first.address(), second.address()], "", &location);
        let mut client = balancer.connect();
        client.send(put(&format!("Content-Length: {LENGTH}\r\n"), &body()));
        assert_eq!(client.reply().body, "whole", "{size}");
        let head = format!("PUT / HTTP/1.1\r\nHost: app\r\nContent-Length: {LENGTH}\r\n\r\n");
        assert!(second.all() == head + &body(), "{size}");
        // The connection goes on.
        client.send(put("Content-Length: 1\r\n", "x"));
        second.wait_for("Content-Length: 1\r\n\r\nx");
    }
}

#[test]
fn no_server_is_asked_before_a_kept_body_is_whole_and_nothing_is_left_of_it() {
    let upstream = Scripted::start(|link, _| {
        while link.head()?.starts_with("GET") {
            link.send(ok("hi"))?;
        }
        taking(link)
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    let body = body();
    client.send(put(&format!("Content-Length: {LENGTH}\r\n"), &body[..LENGTH / 2]));
    // Somebody else is served meanwhile, so that what was sent has been read.
    for _ in 0..3 {
        assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("hi"));
        assert!(!upstream.all().contains("PUT"));
    }
    assert_eq!(balancer.files("client_body_temp"), 0, "a temporary file has a name");
    client.send(&body[LENGTH / 2..]);
    assert_eq!(client.reply().body, "whole");
    drop(client);
    let mut client = balancer.connect();
    client.send(put(&format!("Content-Length: {LENGTH}\r\n"), &body[..LENGTH / 2]));
    drop(client);
    balancer.logged("access.log", "\"PUT / HTTP/1.1\" 400 0 ");
    assert_eq!(upstream.all().matches("PUT").count(), 1);
}

#[test]
fn a_body_that_is_not_kept_is_passed_on_as_it_comes() {
    let (go, wait) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Scripted::start(move |link, _| {
        link.until("abc")?;
        let _ = wait.lock().map(|wait| wait.recv());
        link.until("def")?;
        link.send(ok("hi"))
    });
    let balancer = Balancer::before_with(&[upstream.address()], "", "proxy_request_buffering off;");
    let mut client = balancer.connect();
    client.send(put("Content-Length: 6\r\n", "abc"));
    upstream.wait_for("abc");
    go.send(()).expect("it waits");
    client.send("def");
    assert_eq!(client.reply().body, "hi");
}

#[test]
fn a_body_in_chunks_goes_on_by_its_length_once_it_is_whole() {
    let body = body();
    for (size, pieces) in [("1m", 1_000), ("16k", 100_000), ("16k", 7_001)] {
        let upstream = Scripted::start(|link, _| taking(link));
        let location = format!("client_body_buffer_size {size};");
        let balancer = Balancer::before_with(&[upstream.address()], "", &location);
        let mut client = balancer.connect();
        client.send(put("Transfer-Encoding: chunked\r\n", &(chunks(&body, pieces) + "0\r\n\r\n")));
        assert_eq!(client.reply().body, "whole");
        let head = format!("PUT / HTTP/1.1\r\nHost: app\r\nContent-Length: {LENGTH}\r\n\r\n");
        assert!(upstream.all() == head + &body, "{size} {pieces}");
    }
}

#[test]
fn trailers_keep_a_body_in_chunks() {
    let upstream = Scripted::start(|link, _| {
        link.until("0\r\nT: 1\r\n\r\n")?;
        link.send(ok("whole"))
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    let body = body();
    client.send(put("Trailer: T\r\nTransfer-Encoding: chunked\r\n", &(chunks(&body, 999) + "0\r\nT: 1\r\n\r\n")));
    assert_eq!(client.reply().body, "whole");
    // In pieces of its own, which are those of the file.
    let expected: String = chunks(&body, 64 * 1024) + "0\r\nT: 1\r\n\r\n";
    let seen = upstream.all();
    let (head, seen) = seen.split_once("\r\n\r\n").expect("a body");
    assert!(head.ends_with("Trailer: T\r\nTransfer-Encoding: chunked"), "{head}");
    let content = |text: &str| {
        let lines = text.split("\r\n").map(str::to_owned).collect::<Vec<_>>();
        lines.chunks(2).take_while(|pair| pair[0] != "0").map(|pair| pair[1].clone()).collect::<String>()
    };
    assert!(content(seen) == content(&expected) && content(seen) == body);
}

#[test]
fn a_request_behind_a_kept_body_is_served_next() {
    let upstream = Scripted::start(|link, _| {
        link.until("END")?;
        link.send(ok("posted"))?;
        link.head()?;
        link.send(ok("got"))
    });
    let balancer = Balancer::before(&[upstream.address()]);
    let mut client = balancer.connect();
    let body = "x".repeat(60_000) + "END";
    client.send(put(&format!("Content-Length: {}\r\n", body.len()), &body) + "GET /1 HTTP/1.1\r\nX: ");
    assert_eq!(client.reply().body, "posted");
    client.send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.reply().body, "got");
    let seen = upstream.all();
    assert_eq!(seen.rsplit("END").next(), Some("GET /1 HTTP/1.1\r\nHost: app\r\nX: GET /smuggled HTTP/1.1\r\n\r\n"));
}

#[test]
fn a_kept_body_over_the_limit_reaches_no_server() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before_with(&[upstream.address()], "", "client_max_body_size 100k;");
    let mut client = balancer.connect();
    client.send(put("Transfer-Encoding: chunked\r\n", ""));
    client.try_send(chunks(&body(), 1_000) + "0\r\n\r\n");
    assert_eq!(client.reply().status(), 413);
    let mut client = balancer.connect();
    client.send(put("Transfer-Encoding: chunked\r\n", ""));
    client.try_send(chunks(&body()[..60_000], 1_000) + "zz\r\n");
    assert_eq!(client.reply().status(), 400);
    assert_eq!(upstream.all(), "");
}

#[test]
fn a_body_that_cannot_be_kept_is_a_500_and_says_why() {
    let upstream = Scripted::named("hi");
    let location = "client_body_temp_path FOLDER/here 1 2;";
    let balancer = Balancer::before_with(&[upstream.address()], "", location);
    std::fs::remove_dir(balancer.path("here")).expect("the start has made it");
    let mut client = balancer.connect();
    client.send(put(&format!("Content-Length: {LENGTH}\r\n"), ""));
    client.try_send(body());
    assert_eq!(client.reply().status(), 500);
    let line = balancer.logged("error.log", "cannot keep a request body in");
    assert!(line.contains("(client_body_temp_path)") && line.contains("No such file"), "{line}");
    assert_eq!(upstream.all(), "");
}
