//! `bedloe import`: what becomes of a plugin-cfg.xml, what is left out and said, and files that are none.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn import(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bedloe")).arg("import").args(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn plugin() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/import/plugin-cfg.xml").display().to_string()
}

#[test]
fn a_plugins_configuration_becomes_one_that_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nginx.conf");
    let path = path.to_str().expect("a plain path");
    let made = import(&["--listen", "127.0.0.1:18081", "-o", path, &plugin()]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let written = fs::read_to_string(path).expect("a file");
    for line in [
        "upstream Shop_Cluster {",
        "sticky liberty cookie=SHOPID;",
        "server 10.0.0.11:9080 weight=20 max_fails=1 fail_timeout=60s route=s1; # node_1",
        "server 10.0.0.12:9080 weight=10 max_conns=50 max_fails=1 fail_timeout=60s route=s2; # node_2",
        "server 10.0.0.13:9080 weight=20 max_fails=1 fail_timeout=60s route=s3 backup; # node_3",
        "upstream Plain {",
        "random;",
        "server 10.0.0.21:9081 weight=20 max_fails=1 fail_timeout=10s; # alone",
        "listen 127.0.0.1:18081 default_server;",
        "server_name shop.example.com;",
        "location = /shop {",
        "location /shop/ {",
        "location ~ \"^.*\\\\.jsp$\" {",
        "location = /plain {",
        "location / {",
        "proxy_connect_timeout 8s;",
        "proxy_read_timeout 900s;",
    ] {
        assert!(written.lines().any(|each| each.trim() == line), "{line:?} is missing in\n{written}");
    }
    fs::create_dir(folder.path().join("logs")).expect("a folder");
    let prefix = folder.path().to_str().expect("a plain path");
    let check = Command::new(env!("CARGO_BIN_EXE_bedloe")).args(["check", "-p", prefix, "-c", path]).output();
    let check = check.expect("the program runs");
    assert_eq!(check.status.code(), Some(0), "{}\n{written}", text(&check.stderr));
}

#[test]
fn what_has_no_counterpart_is_a_warning_and_a_comment() {
    let made = import(&[&plugin()]);
    let (out, err) = (text(&made.stdout), text(&made.stderr));
    assert_eq!(made.status.code(), Some(0), "{err}");
    for (line, words) in [
        (2, "TrustedProxyEnable=\"true\" of <Config> has no counterpart"),
        (4, "<Property> has no counterpart"),
        (12, "PostBufferSize has no counterpart"),
        (28, "the server nowhere has no <Transport>, and is left out"),
        (37, "the route leads to no cluster: \"Gone\""),
    ] {
        assert!(err.contains(&format!("plugin-cfg.xml:{line}: warning: {words}")), "{line}: {words} in {err}");
        assert!(out.contains(&format!("#   {line}: {words}")), "{line}: {words} in {out}");
    }
    assert_eq!(err.lines().count(), out.lines().filter(|line| line.starts_with("#   ")).count(), "{err}\n{out}");
}

#[test]
fn files_that_are_no_plugins_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.xml");
    let name = path.to_str().expect("a plain path");
    let bomb = "<!DOCTYPE Config [<!ENTITY a 'aaaa'>]><Config>&a;</Config>";
    for (content, words) in [
        (bomb, "a.xml:1:1: the file is no XML that can be used: a DOCTYPE"),
        ("<Config>\n<Route></Config>", "a.xml:2:"),
        ("<server/>", "want <Config>, as a plugin-cfg.xml"),
        ("", "the file is no XML"),
    ] {
        fs::write(&path, content).expect("a file");
        let made = import(&[name]);
        let err = text(&made.stderr);
        assert!(made.status.code() == Some(1) && err.contains(words), "{content}: {err}");
        assert!(made.stdout.is_empty());
    }
    let made = import(&["/nowhere/plugin-cfg.xml"]);
    assert!(made.status.code() == Some(1) && text(&made.stderr).contains("cannot read /nowhere/plugin-cfg.xml"));
}

/// Texts of the file are words and comments of the result, whatever they hold.
#[test]
fn texts_of_the_file_stay_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, made) = (folder.path().join("a.xml"), folder.path().join("nginx.conf"));
    let odd = "x&#10;} evil; {&quot;\\$a";
    let content = format!(
        "<Config Odd=\"{odd}\"><ServerCluster Name=\"{odd}\"><Server Name=\"{odd}\" CloneID=\"{odd}\">\
         <Transport Hostname=\"127.0.0.1\" Port=\"9080\"/></Server></ServerCluster>\
         <UriGroup Name=\"u\"><Uri Name=\"/{odd}/*\"/></UriGroup>\
         <VirtualHostGroup Name=\"h\"><VirtualHost Name=\"{odd}:80\"/></VirtualHostGroup>\
         <Route ServerCluster=\"{odd}\" UriGroup=\"u\" VirtualHostGroup=\"h\"/></Config>"
    );
    fs::write(&path, content).expect("a file");
    let (path, made) = (path.to_str().expect("a path"), made.to_str().expect("a path"));
    let output = import(&["-o", made, path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let err = text(&output.stderr);
    assert!(!err.is_empty() && err.lines().all(|line| line.contains("a.xml:1: warning: ")), "{err}");
    let written = fs::read_to_string(made).expect("a file");
    assert!(!written.lines().any(|line| line.trim_start().starts_with("} evil")), "{written}");
}

#[test]
fn what_is_no_address_to_listen_at_is_an_error() {
    let made = import(&["--listen", "80; } evil {", &plugin()]);
    let err = text(&made.stderr);
    assert!(made.status.code() == Some(2) && made.stdout.is_empty(), "{err}");
    assert!(err.contains("--listen") && err.contains("want PORT, ADDRESS, ADDRESS:PORT"), "{err}");
}
