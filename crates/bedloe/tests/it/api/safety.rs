//! Who may ask, and who may change: not a page in a browser, and not whoever reaches the port.

use super::{Api, BY_SOCKET, read};
use crate::support::balancer::Balancer;

/// A server at an address: its changes need what stands here.
fn start(gates: &str) -> Balancer {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("users"), "ann:{PLAIN}secret\n").expect("a file");
    let http = format!(
        "upstream app {{ zone app 64k; server 127.0.0.1:1; server 127.0.0.1:2; }}
         server {{ listen LISTEN; server_name balancer.test;
             location /api {{ api write=on; {gates} }}
             location /shown/ {{ api; }} }}
         {BY_SOCKET}"
    );
    Balancer::start_in(folder, "worker_processes 1;", &http)
}

const SAFE: &str = "auth_basic api; auth_basic_user_file FOLDER/users; allow 127.0.0.1; deny all;";
const ANN: &str = "Authorization: Basic YW5uOnNlY3JldA==\r\n";
const SERVER: &str = "/api/9/http/upstreams/app/servers/0";

const HOLD: (&str, &str, &str) = ("POST", "/api/9/http/upstreams/app/hold", r#"{"owner":"a","seconds":9}"#);

/// Status and code of an answer.
fn ask(balancer: &Balancer, method: &str, path: &str, fields: &str, body: &str) -> (u16, String) {
    let host = if fields.contains("Host:") { "" } else { "Host: 127.0.0.1\r\n" };
    let length = body.len();
    let answer = balancer.ask(format!(
        "{method} {path} HTTP/1.1\r\n{host}{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ));
    if answer.contains("text/html") {
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        return (status.expect("a status"), String::new());
    }
    let (status, json) = read(&answer);
    (status, json["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn pages_of_other_hosts_are_refused() {
    let balancer = start(SAFE);
    let forbidden = (403, "Forbidden".to_owned());
    for (fields, is_answered) in [
        ("Host: 127.0.0.1:80\r\n", true),
        ("Host: [::1]:80\r\n", true),
        ("Host: localhost\r\n", true),
        ("Host: LOCALHOST:8080\r\n", true),
        ("Host: balancer.test\r\n", true),
        ("Host: balancer.test\r\nOrigin: http://balancer.test\r\n", true),
        ("Host: balancer.test\r\nOrigin: http://evil.test\r\n", false),
        ("Host: balancer.test\r\nOrigin: null\r\n", false),
        ("Host: balancer.test\r\nOrigin: http://balancer.test\r\nOrigin: http://evil.test\r\n", false),
        ("Host: 127.0.0.1\r\nOrigin: http://127.0.0.1:81\r\n", false),
        ("Host: evil.test\r\n", false),
        ("Host: balancer.test.evil.test\r\n", false),
        ("Host: 127.0.0.1.evil.test\r\n", false),
    ] {
        let expected = if is_answered { (200, String::new()) } else { forbidden.clone() };
        assert_eq!(ask(&balancer, "GET", "/shown/9/nginx", fields, ""), expected, "{fields}");
        let named = format!("{fields}{ANN}");
        assert_eq!(ask(&balancer, "PATCH", SERVER, &named, r#"{"down":true}"#), expected, "{fields}");
    }
}

#[test]
fn changes_need_a_password_and_an_address_or_a_unix_socket() {
    let forbidden = (403, "Forbidden".to_owned());
    let open = [
        "",
        "allow 127.0.0.1; deny all;",
        "auth_basic api; auth_basic_user_file FOLDER/users;",
        "auth_basic api; auth_basic_user_file FOLDER/users; allow all;",
        "satisfy any; auth_basic api; auth_basic_user_file FOLDER/users; allow 127.0.0.1; deny all;",
        "auth_basic off; auth_basic_user_file FOLDER/users; allow 127.0.0.1; deny all;",
        "auth_basic $arg_realm; auth_basic_user_file FOLDER/users; allow 127.0.0.1; deny all;",
    ];
    for gates in open {
        let balancer = start(gates);
        balancer.wait_for_line("api-unprotected");
        for (method, path, body) in [
            ("PATCH", SERVER, r#"{"down":true}"#),
            ("DELETE", "/api/9/http/requests", ""),
            ("DELETE", SERVER, ""),
            HOLD,
        ] {
            assert_eq!(ask(&balancer, method, path, ANN, body), forbidden, "{method} with {gates:?}");
        }
        assert_eq!(ask(&balancer, "GET", SERVER, ANN, "").0, 200, "{gates}");
        let api = Api::of(&balancer);
        assert_eq!(api.get("http/upstreams/app/servers/0")["down"], false);
        assert_eq!(api.patch(0, r#"{"down":true}"#)["down"], true, "by the socket");
    }
    let balancer = start(SAFE);
    assert!(!balancer.said().contains("api-unprotected"), "{}", balancer.said());
    assert_eq!(ask(&balancer, "PATCH", SERVER, "", r#"{"down":true}"#).0, 401);
    assert_eq!(ask(&balancer, "PATCH", SERVER, ANN, r#"{"down":true}"#), (200, String::new()));
    assert_eq!(ask(&balancer, "PATCH", "/shown/9/http/upstreams/app/servers/0", ANN, "{}").1, "MethodDisabled");
    assert_eq!(ask(&balancer, "DELETE", "/shown/9/http/requests", ANN, "").1, "MethodDisabled");
}

#[test]
fn bodies_are_bounded() {
    let balancer = start(&format!("{SAFE} client_max_body_size 100k;"));
    let large = format!("{{\"route\":\"{}\"}}", "a".repeat(90_000));
    assert_eq!(ask(&balancer, "PATCH", SERVER, ANN, &large), (413, "RequestEntityTooLarge".to_owned()));
    let chunked = format!(
        "PATCH {SERVER} HTTP/1.1\r\nHost: localhost\r\n{ANN}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         6\r\n{{\"down\r\n7\r\n\":true}}\r\n0\r\n\r\n"
    );
    let (status, json) = read(&balancer.ask(chunked));
    assert_eq!((status, &json["down"]), (200, &true.into()));
}
