//! A balancer that cannot start says why, in words that help, and exits with 1; one that runs takes nginx's signals.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use crate::support::balancer::{Balancer, PATIENCE, Reserved, fails, pause};

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

#[test]
fn an_admin_socket_where_a_file_is() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("admin"), "mine").expect("a file");
    let (said, code) = fails(folder.path(), "", SERVER);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a file that is no socket is there already"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("admin")).expect("a file"), "mine");
}

#[test]
fn a_pid_file_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("pid")).expect("a folder");
    let (said, code) = fails(folder.path(), "", SERVER);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot write the pid file") && !said.contains("serving"), "{said}");
}

/// Runs a shell's line with the balancer behind it, in a folder with a configuration of one server.
fn shell(folder: &Path, before: &str, arguments: &str) -> (String, Option<i32>) {
    let server = SERVER.replace("LISTEN", &Reserved::new().address.to_string());
    let text = format!("pid pid; error_log stderr; events {{}} http {{ access_log off; {server} }}");
    fs::write(folder.join("nginx.conf"), text).expect("a file");
    let line = format!("{before} exec {} run {arguments}", env!("CARGO_BIN_EXE_bedloe"));
    let output = Command::new("sh").arg("-c").arg(line).current_dir(folder).output().expect("a shell");
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

#[test]
fn too_few_open_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let (said, code) = shell(folder.path(), "ulimit -n 8;", "-c nginx.conf -p .");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the limit of open files is 8")
            && said.contains("`ulimit -n 1024`, and `bedloe tune apply --role balancer` for good"),
        "{said}"
    );
    assert!(!said.contains("panic"), "{said}");
}

#[test]
fn a_relative_file_is_below_the_prefix() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("below")).expect("a folder");
    let (said, code) = shell(folder.path(), "", "-c nginx.conf -p below");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot read below/nginx.conf"), "{said}");
}

#[test]
fn logs_are_opened_anew() {
    let balancer = Balancer::start(SERVER);
    let folder = balancer.admin().parent().expect("a folder").to_owned();
    balancer.ask("GET /before HTTP/1.0\r\n\r\n");
    balancer.logged("access.log", "/before");
    fs::rename(folder.join("access.log"), folder.join("access.log.1")).expect("a file");
    balancer.signal(Signal::USR1);
    let end = Instant::now() + PATIENCE;
    while !folder.join("access.log").exists() {
        assert!(Instant::now() < end, "no new log");
        pause();
    }
    balancer.ask("GET /after HTTP/1.0\r\n\r\n");
    balancer.logged("access.log", "/after");
    assert!(!balancer.log("access.log.1").contains("/after"));
}
