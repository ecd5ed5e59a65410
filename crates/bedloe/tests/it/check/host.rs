//! What this machine lacks for a configuration: certificates and keys of no use, folders, users, a server.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use super::{check, folder_serving, folder_with, stderr};

const TLS: &str = "server {\nlisten 127.0.0.1:8443 ssl; return 204;\nssl_certificate crt;\nssl_certificate_key key;\n}";
const CERTIFICATE: &str = "nginx.conf:8:17";
const KEY: &str = "nginx.conf:9:21";

/// What is said of a configuration that cannot be used.
fn refused(folder: &Path) -> String {
    let output = check(folder, &["-c", "nginx.conf"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

#[test]
fn certificates_and_keys_are_tried() {
    let make = || lab::certificate::make(Ipv4Addr::LOCALHOST.into()).expect("a certificate");
    let (pair, other) = (make(), make());
    let (crt, key) = (pair.certificate.as_bytes(), pair.key.as_bytes());
    let encrypted = pair.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let damaged = pair.certificate.replacen("MII", "M!I", 1);
    let der = &[0x30, 0x82, 1, 2, 3];
    let table: [(&[u8], &[u8], &str, &str); 13] = [
        (b"", key, CERTIFICATE, "the file is empty"),
        (crt, b"", KEY, "the file is empty"),
        (b"nonsense", key, CERTIFICATE, "no PEM block of a certificate"),
        (crt, b"nonsense", KEY, "no PEM block of a key"),
        (der, key, CERTIFICATE, "openssl x509 -inform der"),
        (crt, der, KEY, "openssl pkey -inform der"),
        (key, crt, CERTIFICATE, "swapped"),
        (key, crt, KEY, "it holds a certificate, not a key"),
        (&crt[..crt.len() / 2], key, CERTIFICATE, "cut off"),
        (crt, &key[..key.len() / 2], KEY, "cut off"),
        (crt, encrypted.as_bytes(), KEY, "encrypted with a passphrase"),
        (crt, other.key.as_bytes(), KEY, "it is not the key of the certificate"),
        (damaged.as_bytes(), key, CERTIFICATE, "openssl x509"),
    ];
    for (crt, key, place, expected) in table {
        let folder = folder_serving(TLS);
        fs::write(folder.path().join("crt"), crt).expect("a file");
        fs::write(folder.path().join("key"), key).expect("a file");
        let text = refused(folder.path());
        assert!(text.contains("error[certificate-unusable]") && text.contains(expected), "{expected}: {text}");
        assert!(text.contains(place), "{place}: {text}");
    }
}

#[test]
fn folders_for_logs_and_the_pid_file_are_looked_at() {
    let folder = folder_with(
        "pid none/pid;\nerror_log none/error.log;\nevents {}\nhttp {\naccess_log none/access.log;\n\
         server { listen 127.0.0.1:8080; access_log /; return 204; }\n}\n",
    );
    let own = folder.path().to_str().expect("a plain path");
    let output = check(folder.path(), &["-c", "nginx.conf", "-p", own]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for expected in
        ["cannot write the pid file", "none/error.log", "none/access.log", "Is a directory", "bedloe: 4 errors"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let mut left = fs::read_dir(folder.path()).expect("a folder");
    assert!(left.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "nginx.conf")), "nothing is made");
    let defaults = folder_with("events {}\nhttp { server { listen 127.0.0.1:8080; return 204; } }\n");
    let own = defaults.path().to_str().expect("a plain path");
    let text = stderr(&check(defaults.path(), &["-c", "nginx.conf", "-p", own]));
    for expected in ["logs/access.log", "logs/error.log", "logs/nginx.pid", "bedloe: 3 errors"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_configuration_that_serves_nothing_is_an_error() {
    let text = refused(folder_serving("").path());
    assert!(text.contains("error[no-server]: the configuration has no server to listen for"), "{text}");
}

#[test]
fn users_are_looked_up() {
    let folder = folder_serving("server { listen 127.0.0.1:8080; return 204; }");
    let check = |user: &str| {
        let output = check(folder.path(), &["-c", "nginx.conf", "-g", user]);
        (output.status.code(), stderr(&output))
    };
    if !rustix::process::geteuid().is_root() {
        let (code, text) = check("user nosuchuser;");
        assert_eq!(code, Some(0), "{text}");
        return assert!(text.contains("\"user\" has no effect: this process is not root's"), "{text}");
    }
    let (code, text) = check("user root;");
    assert!(code == Some(0) && !text.contains("warning"), "{text}");
    let (code, text) = check("user nosuchuser;");
    assert!(code == Some(1) && text.contains("command line:1:6"), "{text}");
    assert!(text.contains("no user \"nosuchuser\"") && text.contains("no group \"nosuchuser\""), "{text}");
    let (code, text) = check("user root nosuchgroup;");
    assert!(code == Some(1) && text.contains("command line:1:11"), "{text}");
}
