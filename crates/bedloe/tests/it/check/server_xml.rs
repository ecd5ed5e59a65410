//! `bedloe check --server-xml`: what of Liberty's files does not fit to the balancer's, and files that are no such.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CONFIGURATION: &str = "events {}
http {
    access_log off;
    upstream app {
        sticky liberty;
        server 10.0.0.11:9080 route=s1;
        server 10.0.0.12:9080 route=s2;
        keepalive 16;
        KEEP
    }
    server { listen 127.0.0.1:18080; location / { proxy_pass http://app; } }
}
";

/// Writes the files, checks, and gives `code line` of all findings, in order, with the whole output.
fn found(files: &[(&str, &str)], keep: &str, servers: &[&str]) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("a folder");
    fs::write(folder.path().join("nginx.conf"), CONFIGURATION.replace("KEEP", keep)).expect("a file");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["check", "--json", "-p"]).arg(folder.path()).arg("-c").arg(folder.path().join("nginx.conf"));
    for server in servers {
        command.arg("--server-xml").arg(folder.path().join(server));
    }
    let output = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let all: Value = serde_json::from_slice(&output.stdout).expect(&said);
    let of_servers = |each: &&Value| each["file"].as_str().is_some_and(|file| !file.ends_with(".conf"));
    let shown = |each: &Value| format!("{} {}", each["code"].as_str().unwrap_or_default(), each["line"]);
    let found = all["diagnostics"].as_array().expect("a list").iter().filter(of_servers).map(shown).collect();
    (found, said)
}

const FEATURES: &str = "<featureManager><feature>mpHealth-4.0</feature></featureManager>";

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    let bad = "<server>
  <featureManager><feature>servlet-6.0</feature></featureManager>
  <httpEndpoint id='defaultHttpEndpoint' httpPort='9080' httpsPort='-1'/>
  <httpSession cloneId='s'/>
</server>";
    let (codes, said) = found(&[("a/server.xml", bad)], "", &["a/server.xml"]);
    let expected = ["no-mphealth 2", "host-unreachable 3", "persist-timeout 3", "clone-id-no-route 4"];
    assert_eq!(codes, expected, "{said}");
    let other = bad
        .replace("'9080'", "'9081'")
        .replace("cloneId='s'", "invalidateOnUnauthorizedSessionRequestException='true'");
    let (codes, said) = found(&[("a/server.xml", &other)], "", &["a/server.xml"]);
    assert_eq!(codes, ["no-mphealth 2", "port-differs 3"], "{said}");
    assert!(said.contains("no server of an upstream has port 9081: they have 9080"), "{said}");
    let unnamed = format!("<server>{FEATURES}\n<httpEndpoint host='*' id='defaultHttpEndpoint'/></server>");
    let (codes, said) = found(&[("a/server.xml", &unnamed)], "keepalive_timeout 20s;", &["a/server.xml"]);
    assert_eq!(codes, ["no-clone-id 1"], "{said}");
}

#[test]
fn clone_ids_are_compared() {
    let server = |id: &str| {
        format!(
            "<server>{FEATURES}<httpEndpoint id='defaultHttpEndpoint' host='*'/>\n\
             <httpSession cloneId='{id}'/></server>"
        )
    };
    let files = [("a.xml", server("s1")), ("b.xml", server("s10")), ("c.xml", server("s1"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (codes, said) = found(&files, "keepalive_timeout 20s;", &["a.xml", "b.xml", "c.xml"]);
    let expected = ["clone-id-part 2", "clone-id-no-route 2", "clone-id-twice 2", "clone-id-part 2"];
    let (mut sorted, mut wanted) = (codes.clone(), expected.to_vec());
    sorted.sort();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted, "{said}");
}

#[test]
fn includes_variables_and_defaults_count() {
    let main = "<server>
  <include location='${shared}/http.xml'/>
  <include location='server.xml'/>
  <include location='./not-there.xml' optional='true'/>
  <variable name='shared' value='never'/>
  <variable name='clone' defaultValue='${clone.id}'/>
  <httpSession cloneId='${clone}'/>
</server>";
    let shared = format!(
        "<server>{FEATURES}
        <httpEndpoint id='defaultHttpEndpoint' host='${{host}}' httpPort='${{port}}' httpOptionsRef='o'/>
        <httpOptions id='o' persistTimeout='2m'/></server>"
    );
    let bootstrap = "# made by hand\nshared = common\nclone.id=s2\nhost=*\nport=9080\n";
    let files = [("s/server.xml", main), ("s/common/http.xml", &shared), ("s/bootstrap.properties", bootstrap)];
    let (codes, said) = found(&files, "", &["s/server.xml"]);
    assert!(codes.is_empty(), "{said}");
    let dropin = "<server>\n<httpSession cloneId='s9'/></server>";
    let more = [files[0], files[1], files[2], ("s/configDropins/overrides/x.xml", dropin)];
    let (codes, said) = found(&more, "", &["s/server.xml"]);
    assert_eq!(codes, ["clone-id-no-route 2"], "{said}");
}

#[test]
fn of_variables_that_are_not_known_nothing_is_said() {
    let text = format!(
        "<server>{FEATURES}
<httpEndpoint id='defaultHttpEndpoint' host='${{env.HOST}}' httpPort='${{port}}' httpsPort='-1'/>
<httpSession cloneId='${{clone}}'/></server>"
    );
    let (codes, said) = found(&[("a.xml", &text)], "keepalive_timeout 20s;", &["a.xml"]);
    assert_eq!(codes, ["server-xml-variable 2", "server-xml-variable 2", "server-xml-variable 3"], "{said}");
}

#[test]
fn files_that_are_no_servers_are_errors() {
    let bomb = "<!DOCTYPE server [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>\n<server description='&b;'/>";
    for (text, code) in [
        (bomb, "server-xml-syntax 1"),
        ("<server>\n<a></server>", "server-xml-syntax 2"),
        ("<web-app/>", "server-xml-syntax 1"),
        ("", "server-xml-syntax 1"),
        ("<server>\n<include location='gone.xml'/></server>", "server-xml-unreadable 2"),
    ] {
        let (codes, said) = found(&[("a.xml", text)], "", &["a.xml"]);
        assert_eq!(codes.first().map(String::as_str), Some(code), "{text}: {said}");
        assert!(said.contains("\"ok\": false"), "{said}");
    }
    let (codes, said) = found(&[], "", &["gone.xml"]);
    assert_eq!(codes, ["server-xml-unreadable 0"], "{said}");
    assert!(!Path::new("gone.xml").exists());
}
