//! A balancer that cannot start says why, in words that help, and exits with 1.

use std::fs;
use std::net::TcpListener;

use crate::support::balancer::{Balancer, fails};

const SERVER: &str = "server { listen LISTEN; return 204; }";

fn assert_fails(main: &str, http: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let (said, code) = fails(folder.path(), main, http);
    assert_eq!(code, Some(1), "{said}");
    for part in expected {
        assert!(said.contains(part), "no {part:?} in:\n{said}");
    }
    assert!(!folder.path().join("admin").exists() && !folder.path().join("pid").exists(), "something is left behind");
}

#[test]
fn ports_in_use() {
    let taken = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [first, second] = taken.each_ref().map(|listener| listener.local_addr().expect("an address").to_string());
    let http = format!("server {{ listen {first}; return 204; }} server {{ listen {second}; return 204; }}");
    let (first, second) = (format!("cannot listen on {first}: "), format!("cannot listen on {second}: "));
    assert_fails("", &http, &[&first, &second, "in use", "ss -ltnp"]);
}

#[test]
fn an_address_that_is_not_there() {
    assert_fails(
        "",
        "server { listen 192.0.2.1:8080; return 204; }",
        &["cannot listen on 192.0.2.1:8080", "no interface"],
    );
}

#[test]
fn a_certificate_that_is_missing_or_none() {
    let tls = "server { listen LISTEN ssl; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/key; return 204; }";
    assert_fails("", tls, &["/crt"]);
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["crt", "key"] {
        fs::write(folder.path().join(name), "nonsense").expect("a file");
    }
    let (said, code) = fails(folder.path(), "", tls);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("/crt") && said.contains("/key"), "{said}");
}

#[test]
fn a_log_whose_folder_is_missing() {
    let http = SERVER.replace("return", "access_log FOLDER/none/access.log; return");
    assert_fails("", &http, &["cannot open the log", "/none/access.log", "No such file"]);
}

#[test]
fn no_server_at_all() {
    assert_fails("", "", &["no server to listen for"]);
}

#[test]
fn a_configuration_with_errors() {
    assert_fails("", "server { lisen LISTEN; }", &["unknown directive \"lisen\"", "did you mean \"listen\"?"]);
}

#[test]
fn an_admin_socket_that_another_process_answers() {
    let balancer = Balancer::start(SERVER);
    let folder = balancer.admin().parent().expect("a folder").to_owned();
    let (said, code) = fails(&folder, "", SERVER);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot open the admin socket") && said.contains("another process answers"), "{said}");
    assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 204 "), "the first one serves on");
    assert!(balancer.admin().exists());
}
