//! Requests and answers that are in order, translated both ways.

use std::process::{Command, Stdio};

use http::Request;

use super::before;
use crate::support::balancer::Balancer;
use crate::support::http2::{Client, request, run};
use crate::support::scripted::{Scripted, ok};
use crate::support::skipped;

#[test]
fn a_request_and_its_answer() {
    let upstream = Scripted::answering(
        "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Case: Kept\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
         Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\nhi",
    );
    let location = "proxy_set_header X-Proto \"$server_protocol $http2 $request_uri $scheme $host\";";
    let balancer = before(&[upstream.address()], location);
    let mut request = request("GET", "/a/b?c=d");
    request.headers_mut().insert("x-mine", "yes".parse().unwrap());
    request.headers_mut().append("cookie", "one=1".parse().unwrap());
    request.headers_mut().append("cookie", "two=2".parse().unwrap());
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    let answer = run(async { Client::to(balancer.address()).await.ask(request, None).await }).unwrap();
    let mut fields: Vec<_> = answer.fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    fields.retain(|(name, _)| *name != "date");
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            ("content-length", &b"2"[..]),
            ("server", b"bedloe"),
            ("set-cookie", b"a=1"),
            ("set-cookie", b"b=2"),
            ("x-case", b"Kept"),
        ]
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "hi"));
    assert_eq!(
        upstream.all(),
        "GET /a/b?c=d HTTP/1.1\r\nHost: app\r\nX-Proto: HTTP/2.0 h2c /a/b?c=d http a\r\nx-mine: yes\r\n\
         cookie: one=1; two=2\r\n\r\n"
    );
    let line = balancer.logged("access.log", "GET");
    assert!(line.contains("\"GET /a/b?c=d HTTP/2.0\" 200 2 "), "{line}");
}

#[test]
fn answers_without_a_body() {
    for (answer, method, status, length) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", "GET", 204, None),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: x\r\n\r\n", "GET", 304, Some("7")),
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD", 200, Some("7")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD", 200, None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET", 200, Some("0")),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "GET",
            200,
            Some("0"),
        ),
    ] {
        let upstream = Scripted::answering(answer);
        let balancer = before(&[upstream.address()], "");
        run(async {
            let client = Client::to(balancer.address()).await;
            for _ in 0..2 {
                let answer = client.ask(request(method, "/"), None).await.unwrap();
                assert_eq!((answer.status, answer.field("content-length"), answer.body.len()), (status, length, 0));
            }
        });
        assert_eq!(upstream.received().len(), 1, "the connection is kept: {answer}");
    }
}

#[test]
fn answers_of_the_balancers_own() {
    let http = "server { listen LISTEN http2; location = /text { return 200 \"$server_protocol\"; }
        location = /moved { return 301 /there; } location = /none { return 204; }
        location = /gone { return 444; } location /new { return 307 https://b$request_uri; } }";
    let balancer = Balancer::start(http);
    run(async {
        let client = Client::to(balancer.address()).await;
        let answer = client.get("/text").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "HTTP/2.0"));
        let answer = client.get("/moved").await;
        let at = format!("http://a:{}/there", balancer.address().port());
        assert_eq!((answer.status, answer.field("location")), (301, Some(&*at)));
        assert_eq!(answer.field("content-length"), Some(&*answer.body.len().to_string()));
        assert_eq!(client.get("/new?x").await.field("location"), Some("https://b/new?x"));
        assert_eq!(client.get("/none").await.status, 204);
        assert_eq!(client.get("/other").await.status, 404);
        let head = client.ask(request("HEAD", "/text"), None).await.unwrap();
        assert_eq!((head.field("content-length"), head.body.len()), (Some("8"), 0));
        assert!(client.ask(request("GET", "/gone"), None).await.unwrap_err().is_reset());
        assert_eq!(client.get("/text").await.status, 200, "only its stream ended");
        for method in ["TRACE", "CONNECT"] {
            let target = if method == "CONNECT" { "a:1" } else { "http://a/text" };
            let request = Request::builder().method(method).uri(target).body(()).unwrap();
            assert_eq!(client.ask(request, None).await.unwrap().status, 405, "{method}");
        }
    });
}

#[test]
fn a_failure_of_all_servers_is_an_answer_and_logged() {
    let refusing = crate::support::upstream::Refusing::start("127.0.0.1".parse().unwrap()).unwrap();
    let balancer = before(&[refusing.address()], "");
    run(async {
        let client = Client::to(balancer.address()).await;
        assert_eq!(client.get("/").await.status, 502);
        assert_eq!(client.get("/").await.status, 502, "the connection goes on");
    });
    balancer.logged("error.log", "connect() failed (111: Connection refused)");
}

#[test]
fn many_streams_at_a_time() {
    let upstream = Scripted::start(|link, _| {
        loop {
            let head = link.head()?;
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            link.send(ok(&path.repeat(100)))?;
        }
    });
    let balancer = before(&[upstream.address()], "");
    run(async {
        let client = Client::to(balancer.address()).await;
        // From its first answer on the client knows how many streams it may open.
        assert_eq!(client.get("/x").await.status, 200);
        let streams = (0..500).map(|n| {
            let requests = Client { requests: client.requests.clone() };
            tokio::spawn(async move { (n, requests.get(&format!("/{n}")).await) })
        });
        for stream in streams.collect::<Vec<_>>() {
            let (n, answer) = stream.await.unwrap();
            assert_eq!(answer.text(), format!("/{n}").repeat(100));
        }
    });
}

#[test]
fn a_listener_without_http2_speaks_http1_and_one_with_it_both() {
    let upstream = Scripted::named("hi");
    let balancer = Balancer::before(&[upstream.address()]);
    let answer = balancer.ask("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 505 "), "{answer}");
    let balancer = before(&[upstream.address()], "");
    for start in ["", "P", "PR", "PRI * HTTP/2.0\r\n\r\nS"] {
        let mut client = balancer.connect();
        client.send(start);
        let rest = if start == "P" { "OST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" } else { "x\r\n\r\n" };
        client.send(rest);
        let expected = if start == "P" { "HTTP/1.1 200 " } else { "HTTP/1.1 " };
        let rest = client.rest();
        assert!(rest.starts_with(expected), "{start:?}: {rest}");
    }
}

#[test]
fn curl_gets_it_by_alpn() {
    if Command::new("curl").arg("--version").output().is_err() {
        skipped("curl_gets_it_by_alpn", "curl");
        return;
    }
    let upstream = Scripted::named("hi");
    let folder = tempfile::tempdir().unwrap();
    let pair = lab::certificate::make("127.0.0.1".parse().unwrap()).unwrap();
    std::fs::write(folder.path().join("crt"), &pair.certificate).unwrap();
    std::fs::write(folder.path().join("key"), &pair.key).unwrap();
    let http = format!(
        "server {{ listen LISTEN ssl; http2 on; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/key;
         location / {{ proxy_pass http://{}; proxy_set_header X \"$http2 $https\"; }} }}",
        upstream.address()
    );
    let balancer = Balancer::start_in(folder, "worker_processes 1;", &http);
    for (protocol, version, field) in [("--http2", "2", "X: h2 on\r\n"), ("--http1.1", "1.1", "X:  on\r\n")] {
        let output = Command::new("curl")
            .args(["-sk", protocol, "-w", " %{http_version}", &format!("https://{}/", balancer.address())])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("hi {version}"));
        upstream.wait_for(field);
    }
}
