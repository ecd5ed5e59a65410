//! `auth_request` and `limit_req` where time matters: bodies that are still to come, clients that leave meanwhile.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::support::balancer::Balancer;
use crate::support::http2::{Client, request, run};
use crate::support::scripted::{Scripted, ok};

/// More than fits behind a request's head.
const LARGE: usize = 100_000;

/// A balancer that asks one server and passes on to another.
fn between(auth: &Scripted, app: &Scripted, listen: &str) -> Balancer {
    Balancer::start(&format!(
        "server {{ {listen}
            location / {{ auth_request /auth; proxy_pass http://{}; }}
            location = /auth {{ internal; proxy_pass http://{}; }}
        }}",
        app.address(),
        auth.address()
    ))
}

/// A server that lets in, each request once the test says so.
fn held() -> (Scripted, std::sync::mpsc::Sender<()>) {
    let (go, gone) = channel::<()>();
    let gone = Mutex::new(gone);
    let server = Scripted::start(move |link, _| {
        loop {
            link.head()?;
            let _ = gone.lock().expect("no panic").recv();
            link.send("HTTP/1.1 204 No Content\r\n\r\n")?;
        }
    });
    (server, go)
}

/// A server that reads a body up to its end, `END`.
fn taking() -> Scripted {
    Scripted::start(|link, _| {
        loop {
            link.head()?;
            link.until("END")?;
            link.send(ok("done"))?;
        }
    })
}

#[test]
fn a_body_that_is_still_to_come_is_the_requests_alone() {
    let ((auth, go), app) = (held(), taking());
    let balancer = between(&auth, &app, "listen LISTEN;");
    let mut client = balancer.connect();
    for round in 0..2 {
        client.send(format!("POST /large/{round} HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\nbegin"));
        auth.wait_for("GET /auth HTTP/1.1\r\n");
        let rest = format!("{}END", "x".repeat(LARGE - 8));
        // Some of it is there while the other server is still being asked.
        client.send(&rest[..LARGE / 2]);
        go.send(()).expect("it waits");
        client.send(&rest[LARGE / 2..]);
        assert_eq!(client.reply().body, "done");
    }
    assert!(!auth.all().contains("Content-Length"), "{}", auth.all());
    assert!(!auth.all().contains("begin"));
    assert!(app.all().contains("Content-Length: 100000\r\n\r\nbeginxxx"));
}

#[test]
fn streams_of_one_connection_are_let_in_one_by_one() {
    let ((auth, go), app) = (held(), taking());
    let balancer = between(&auth, &app, "listen LISTEN http2;");
    run(async {
        let client = Client::to(balancer.address()).await;
        for _ in 0..2 {
            go.send(()).expect("it runs");
            let answer = client.ask(request("POST", "/up"), Some(&["some ", "END"])).await.unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
        }
    });
    assert!(auth.all().starts_with("GET /auth HTTP/1.1\r\n"), "{}", auth.all());
    assert!(!auth.all().contains("END"), "{}", auth.all());
}

#[test]
fn a_client_that_leaves_meanwhile_is_let_in_nowhere() {
    let ((auth, go), app) = (held(), taking());
    let balancer = between(&auth, &app, "listen LISTEN;");
    let mut client = balancer.connect();
    client.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n");
    auth.wait_for("GET /auth HTTP/1.1\r\n");
    drop(client);
    let line = balancer.logged("access.log", "/gone");
    assert!(line.contains("\"GET /gone HTTP/1.1\" 499 0 "), "{line}");
    assert_eq!(app.all(), "");
    drop(go);
}

#[test]
fn a_client_that_leaves_while_a_limit_holds_it_back_is_let_go_at_once() {
    let app = taking();
    let balancer = Balancer::start(&format!(
        "limit_req_zone $server_port zone=one:1m rate=1r/m;
        server {{ listen LISTEN; error_log FOLDER/late.log info;
            location / {{ limit_req zone=one burst=5; proxy_pass http://{}; }}
            location /first {{ limit_req zone=one burst=5; try_files /none =404; }} }}",
        app.address()
    ));
    assert!(balancer.ask("GET /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 404"));
    let mut client = balancer.connect();
    client.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    balancer.logged("late.log", "delaying request");
    drop(client);
    let line = balancer.logged("access.log", "/late");
    assert!(line.contains("\"GET /late HTTP/1.1\" 499 0 "), "{line}");
    assert_eq!(app.all(), "");
}

#[test]
fn a_head_lets_in_whatever_becomes_of_its_body() {
    for head in ["Content-Length: 10", "Transfer-Encoding: chunked", "X-Up-To: the end"] {
        let auth = Scripted::start(move |link, _| {
            loop {
                link.head()?;
                link.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n4\r\n\n"))?;
            }
        });
        let app = Scripted::answering(ok("in"));
        let balancer = between(&auth, &app, "listen LISTEN;");
        let mut client = balancer.connect();
        for _ in 0..2 {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.reply().body, "in", "{head}");
        }
    }
}
