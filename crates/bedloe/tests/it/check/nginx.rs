//! `bedloe check` takes and refuses what `nginx -t` takes and refuses of what a machine lacks: files, folders, names,
//! addresses, users.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::{check, stderr};
use crate::support::nginx;

/// What is written of `http`, and whether it can be used. FOLDER is a folder that has `crt` and `key`, `other` which is
/// the key of another certificate, `dh`, and `broken`, which is no PEM at all; links that lead to where a file can be
/// made (`onward`), to where none can (`dangling`), and to itself (`loop`); a `pipe`, and a `socket`.
const TABLE: &[(&str, bool)] = &[
    ("server { listen 127.0.0.1:0; }", true),
    ("include FOLDER/none.conf;", false),
    ("include FOLDER/none/*.conf; server { listen 127.0.0.1:0; }", true),
    ("access_log FOLDER/none/log; server { listen 127.0.0.1:0; }", false),
    ("server { listen 127.0.0.1:0; location / { access_log FOLDER/none/log; } }", false),
    ("server { listen 127.0.0.1:0; error_log FOLDER/none/log; }", false),
    ("server { listen 127.0.0.1:0; location / { error_log FOLDER; } }", false),
    ("client_body_temp_path FOLDER/none/below; server { listen 127.0.0.1:0; }", false),
    ("client_body_temp_path FOLDER/made; server { listen 127.0.0.1:0; }", true),
    ("server { listen 127.0.0.1:0; root FOLDER/none; }", true),
    ("server { listen 192.0.2.1:8080; }", false),
    ("server { listen [2001:db8::1]:8080; }", false),
    ("server { listen nowhere.invalid:8080; }", false),
    ("upstream a { server nowhere.invalid; } server { listen 127.0.0.1:0; }", false),
    ("server { listen 127.0.0.1:0; location / { proxy_pass http://nowhere.invalid; } }", false),
    ("server { listen 127.0.0.1:0; location / { proxy_pass https://nowhere.invalid/a; } }", false),
    ("server { listen 127.0.0.1:0; location / { proxy_pass http://localhost; } }", true),
    ("server { listen 127.0.0.1:0; location / { proxy_pass http://$host; } }", true),
    ("resolver nowhere.invalid; server { listen 127.0.0.1:0; }", false),
    ("set_real_ip_from nowhere.invalid; server { listen 127.0.0.1:0; }", false),
    ("access_log syslog:server=nowhere.invalid; server { listen 127.0.0.1:0; }", false),
    ("error_log syslog:server=nowhere.invalid; server { listen 127.0.0.1:0; }", false),
    ("auth_basic a; auth_basic_user_file FOLDER/none; server { listen 127.0.0.1:0; }", true),
    ("server { listen 127.0.0.1:0; ssl_certificate FOLDER/none; ssl_certificate_key FOLDER/key; }", false),
    ("server { listen 127.0.0.1:0 ssl; ssl_certificate FOLDER/none; ssl_certificate_key FOLDER/key; }", false),
    ("server { listen 127.0.0.1:0 ssl; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/none; }", false),
    ("server { listen 127.0.0.1:0 ssl; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/key; }", true),
    ("server { listen 127.0.0.1:0 ssl; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/other; }", false),
    ("server { listen 127.0.0.1:0 ssl; ssl_certificate FOLDER/broken; ssl_certificate_key FOLDER/key; }", false),
    ("server { listen 127.0.0.1:0 ssl; }", false),
    ("TLS ssl_verify_client on; ssl_client_certificate FOLDER/none; }", false),
    ("TLS ssl_verify_client on; ssl_client_certificate FOLDER/broken; }", false),
    ("TLS ssl_verify_client on; ssl_client_certificate FOLDER/crt; }", true),
    ("TLS ssl_verify_client on; ssl_client_certificate FOLDER/crt; ssl_crl FOLDER/none; }", false),
    ("TLS ssl_verify_client on; ssl_client_certificate FOLDER/crt; ssl_crl FOLDER/broken; }", false),
    ("TLS ssl_trusted_certificate FOLDER/none; }", false),
    ("TLS ssl_trusted_certificate FOLDER/crt; }", true),
    ("TLS ssl_trusted_certificate FOLDER/key; }", false),
    ("TLS ssl_client_certificate FOLDER/none; }", true),
    ("TLS ssl_verify_client on; ssl_client_certificate FOLDER/key; }", false),
    ("TLS ssl_dhparam FOLDER/none; }", false),
    ("TLS ssl_dhparam FOLDER/crt; }", false),
    ("TLS ssl_dhparam FOLDER/dh; }", true),
    ("ssl_dhparam FOLDER/none; ssl_trusted_certificate FOLDER/none; server { listen 127.0.0.1:0; }", true),
    ("TLS ssl_stapling on; ssl_stapling_file FOLDER/crt; }", false),
    ("TLS ssl_stapling_file FOLDER/none; }", true),
    ("access_log FOLDER/dangling; server { listen 127.0.0.1:0; }", false),
    ("access_log FOLDER/onward; server { listen 127.0.0.1:0; }", true),
    ("access_log FOLDER/loop; server { listen 127.0.0.1:0; }", false),
    ("access_log FOLDER/crt/log; server { listen 127.0.0.1:0; }", false),
    ("server { listen 127.0.0.1:0; error_log FOLDER/socket; }", false),
    ("server { listen 127.0.0.1:0; listen unix:FOLDER/none/socket; }", false),
    ("server { listen 127.0.0.1:0 so_keepalive=40000:1:200; }", true),
    ("TLS ssl_stapling on; ssl_stapling_file FOLDER/none; }", false),
    ("PROXY proxy_ssl_certificate FOLDER/none; proxy_ssl_certificate_key FOLDER/key; } }", false),
    ("PROXY proxy_ssl_certificate FOLDER/crt; proxy_ssl_certificate_key FOLDER/other; } }", false),
    ("PROXY proxy_ssl_certificate FOLDER/crt; proxy_ssl_certificate_key FOLDER/key; } }", true),
    ("PROXY proxy_ssl_verify on; proxy_ssl_trusted_certificate FOLDER/none; } }", false),
    ("PROXY proxy_ssl_verify on; proxy_ssl_trusted_certificate FOLDER/broken; } }", false),
    ("PROXY proxy_ssl_verify on; proxy_ssl_trusted_certificate FOLDER/crt; } }", true),
    ("PROXY proxy_ssl_verify on; } }", false),
];

const TLS: &str = "server { listen 127.0.0.1:0 ssl; ssl_certificate FOLDER/crt; ssl_certificate_key FOLDER/key;";
const PROXY: &str = "server { listen 127.0.0.1:0; location / { proxy_pass https://127.0.0.1;";

/// What stands outside of `http`, and whether it can be used.
const MAIN: &[(&str, bool)] = &[
    ("pid FOLDER/none/pid;", false),
    ("pid FOLDER;", false),
    ("pid FOLDER/dangling;", false),
    ("pid FOLDER/onward;", true),
    ("pid FOLDER/pipe;", true),
    ("pid FOLDER/socket;", false),
    ("error_log FOLDER/none/log;", false),
    ("include FOLDER/none.conf;", false),
];

/// The group ffdhe2048 of RFC 7919.
const PARAMETERS: &str = "-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
";

pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let make = || lab::certificate::make(Ipv4Addr::LOCALHOST.into()).expect("a certificate");
    let (pair, other) = (make(), make());
    for (name, text) in
        [("crt", pair.certificate.as_str()), ("key", &pair.key), ("other", &other.key), ("broken", "no PEM\n")]
    {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    fs::write(folder.path().join("dh"), PARAMETERS).expect("a file");
    for (name, to) in [("dangling", "none/log"), ("onward", "made.log"), ("loop", "loop")] {
        symlink(to, folder.path().join(name)).expect("a link");
    }
    drop(UnixListener::bind(folder.path().join("socket")).expect("a socket"));
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, folder.path().join("pipe"), FileType::Fifo, mode, 0).expect("a pipe");
    folder
}

/// All configurations, and whether each can be used.
pub(super) fn configurations(folder: &Path) -> Vec<(String, bool)> {
    let own = folder.to_str().expect("a plain path");
    let of_http = TABLE.iter().map(|(http, expected)| ("pid FOLDER/pid; error_log stderr;", *http, *expected));
    let of_main = MAIN.iter().map(|(main, expected)| (*main, "server { listen 127.0.0.1:0; }", *expected));
    let whole = |(main, http, expected): (&str, &str, bool)| {
        let http = http.replacen("TLS", TLS, 1).replacen("PROXY", PROXY, 1);
        let temporary = ["proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path FOLDER/t{name};"));
        let body = if http.contains("client_body_temp_path") { "" } else { "client_body_temp_path FOLDER/body;" };
        let pid = if main.contains("pid ") { "" } else { "pid FOLDER/pid;" };
        let errors = if main.contains("error_log ") { "" } else { "error_log stderr;" };
        let log = if http.contains("access_log FOLDER") { "" } else { "access_log off;" };
        let log = if http.contains("access_log syslog") { "" } else { log };
        let text =
            format!("{main} {pid} {errors} events {{ }} http {{ {} {body} {log} {http} }}\n", temporary.concat());
        (text.replace("FOLDER", own), expected)
    };
    of_http.chain(of_main).map(whole).collect()
}

/// Port 0 is none for nginx: it gets a port that is free now.
fn nginx_takes(program: &Path, folder: &Path, text: &str) -> (bool, String) {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = socket.local_addr().expect("an address").port();
    drop(socket);
    fs::write(folder.join("real.conf"), text.replace("127.0.0.1:0", &format!("127.0.0.1:{port}"))).expect("a file");
    let tested = Command::new(program).args(["-t", "-c", "real.conf", "-e", "stderr", "-p"]).arg(folder).output();
    let tested = tested.expect("it starts");
    (tested.status.success(), stderr(&tested))
}

#[test]
fn what_a_machine_lacks_is_refused_as_nginx_refuses_it() {
    let program = nginx::find();
    if program.is_none() {
        nginx::skipped("check beside nginx -t");
    }
    let folder = folder();
    let own = folder.path().to_str().expect("a plain path");
    for (text, expected) in configurations(folder.path()) {
        // Files that would be made by the one must not be there for the other.
        let _ = fs::remove_dir(folder.path().join("made"));
        fs::write(folder.path().join("own.conf"), &text).expect("a file");
        let checked = check(folder.path(), &["-q", "-c", "own.conf", "-p", own]);
        assert_eq!(checked.status.success(), expected, "{text}: bedloe says {}", stderr(&checked));
        if let Some(program) = &program {
            let (takes, said) = nginx_takes(program, folder.path(), &text);
            assert_eq!(takes, expected, "{text}: nginx says {said}");
        }
    }
}

#[test]
fn files_of_passwords_are_looked_at() {
    let folder = folder();
    let own = folder.path().to_str().expect("a plain path");
    let table = [
        (None, "warning[file-unreadable]"),
        (Some("# nobody\n"), "no user is in the file of passwords"),
        (Some("ann:{PLAIN}x\nbob:$y$j9T$abc\neve:rqXexS6ZhobKA\n"), "the passwords of bob, eve in"),
        (Some("ann:$2y$05$abc:a comment\nbob:$apr1$a$b\r\n"), "bedloe: the configuration file"),
    ];
    for (users, expected) in table {
        let _ = fs::remove_file(folder.path().join("users"));
        if let Some(users) = users {
            fs::write(folder.path().join("users"), users).expect("a file");
        }
        let text = "pid pid; error_log stderr; events {} http { access_log off; auth_basic a;\n\
                    auth_basic_user_file users; server { listen 127.0.0.1:0; } }";
        fs::write(folder.path().join("own.conf"), text).expect("a file");
        let checked = check(folder.path(), &["-c", "own.conf", "-p", own]);
        let said = stderr(&checked);
        assert!(checked.status.success(), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
        assert_eq!(said.contains("warning"), !expected.starts_with("bedloe"), "{said}");
    }
}

#[test]
fn addresses_that_are_in_use_are_those_of_the_balancer_itself() {
    let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = socket.local_addr().expect("an address");
    let folder = folder();
    let text =
        format!("pid pid; error_log stderr; events {{}} http {{ access_log off; server {{ listen {address}; }} }}");
    fs::write(folder.path().join("own.conf"), text).expect("a file");
    let own = folder.path().to_str().expect("a plain path");
    let checked = check(folder.path(), &["-c", "own.conf", "-p", own]);
    assert!(checked.status.success(), "{}", stderr(&checked));
}
