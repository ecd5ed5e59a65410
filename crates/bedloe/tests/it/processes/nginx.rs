//! The program under the name `nginx`: nginx's flags, its background, its signals by `-s`, and what Debian's unit does.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::balancer::{Reserved, children, wait_until};
use crate::support::raw::Raw;

/// A folder with a link `nginx` to the program, and a configuration.
pub(super) struct Installed {
    pub(super) folder: TempDir,
    pub(super) port: Reserved,
}

impl Installed {
    pub(super) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bedloe"), folder.path().join("nginx")).expect("a link");
        let installed = Self { folder, port: Reserved::new() };
        installed.write(text);
        installed
    }

    pub(super) fn write(&self, text: &str) {
        let text = format!(
            "pid FOLDER/pid; error_log FOLDER/error.log notice; events {{}}
             http {{ access_log off; server {{ listen LISTEN; return 200 {text}; }} }}"
        );
        let address = self.address().to_string();
        let text = text.replace("LISTEN", &address).replace("FOLDER", &self.path("").display().to_string());
        fs::write(self.path("nginx.conf"), text).expect("a file");
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `nginx` with the configuration and these arguments, run to its end.
    pub(super) fn nginx(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.path("nginx"));
        command.arg("-c").arg(self.path("nginx.conf")).args(arguments).output().expect("it starts")
    }

    /// Starts it in the background.
    pub(super) fn start(&self) -> Running {
        let output = self.nginx(&["-g", "daemon on; master_process on;"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
        // It has ended, so the other one serves: nothing is waited for.
        Running(self.pid("pid"))
    }

    pub(super) fn pid(&self, file: &str) -> u32 {
        read_pid(&self.path(file)).expect("a pid file")
    }

    pub(super) fn body(&self) -> String {
        let mut client = Raw::to(self.address());
        client.send("GET / HTTP/1.0\r\n\r\n");
        client.reply().body
    }
}

pub(super) fn read_pid(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// A process in the background, ended when dropped.
pub(super) struct Running(pub(super) u32);

impl Running {
    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0.cast_signed()).expect("a process"), signal).expect("it runs");
    }

    pub(super) fn is_running(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.0)).is_ok_and(|stat| !stat.contains(") Z "))
    }

    pub(super) fn wait(&self) {
        wait_until("its end", || !self.is_running());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let name = fs::read_to_string(format!("/proc/{}/cmdline", self.0)).unwrap_or_default();
        // The number may be another process's by now.
        if name.contains("nginx") || name.contains("bedloe") {
            let _ = kill_process(Pid::from_raw(self.0.cast_signed()).expect("a process"), Signal::KILL);
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_debian_s_unit_does() {
    let installed = Installed::new("old");
    // ExecStartPre, ExecStart, PIDFile.
    let tested = installed.nginx(&["-t", "-q", "-g", "daemon on; master_process on;"]);
    assert_eq!((tested.status.code(), text(&tested)), (Some(0), String::new()));
    let running = installed.start();
    assert_eq!(installed.body(), "old");
    let worker = children(running.0)[0];
    let shown = fs::read_to_string(format!("/proc/{worker}/cmdline")).expect("it runs");
    assert!(shown.starts_with("nginx: worker process\0"), "{shown:?}");
    let stat = fs::read_to_string(format!("/proc/{}/stat", running.0)).expect("it runs");
    let session = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(3)).expect("a session");
    assert_eq!(session, running.0.to_string(), "it leads a session of its own");
    // ExecReload.
    installed.write("new");
    let reload = installed.nginx(&["-g", "daemon on; master_process on;", "-s", "reload"]);
    assert_eq!((reload.status.code(), text(&reload)), (Some(0), String::new()));
    wait_until("the reload", || installed.body() == "new");
    // ExecStop: start-stop-daemon --stop --retry QUIT/5 --pidfile.
    running.signal(Signal::QUIT);
    running.wait();
    assert!(!installed.path("pid").exists());
}

#[test]
fn signals_go_to_the_master_of_the_pid_file() {
    let installed = Installed::new("one");
    let sent = installed.nginx(&["-s", "reload"]);
    let said = text(&sent);
    assert_eq!(sent.status.code(), Some(1));
    assert!(
        said.starts_with("nginx: [error] open() \"") && said.contains("pid\" failed (2: No such file or directory)"),
        "{said}"
    );
    let running = installed.start();
    assert_eq!(installed.nginx(&["-s", "reopen"]).status.code(), Some(0));
    let log = || fs::read_to_string(installed.path("error.log")).unwrap_or_default();
    wait_until("the signal", || log().contains("reopening logs"));
    assert_eq!(installed.nginx(&["-s", "quit"]).status.code(), Some(0));
    running.wait();
    let running = installed.start();
    let mut stop = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    stop.args(["signal", "stop", "-c"]);
    assert_eq!(stop.arg(installed.path("nginx.conf")).status().expect("it starts").code(), Some(0));
    running.wait();
}

/// To kill(2) a number below 1 means more than one process; -1 all of them.
#[test]
fn a_pid_file_that_names_no_process_signals_nobody() {
    let installed = Installed::new("one");
    for number in ["-1", "0", "-2147483648", "", "1 2", "18446744073709551615"] {
        fs::write(installed.path("pid"), number).expect("a file");
        let sent = installed.nginx(&["-s", "reload"]);
        assert_eq!(sent.status.code(), Some(1), "{number}");
        assert!(text(&sent).contains(&format!("invalid PID number \"{number}\"")), "{}", text(&sent));
    }
}

#[test]
fn a_start_that_fails_is_the_caller_s_to_know() {
    let installed = Installed::new("old");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let text_of =
        format!("pid FOLDER/pid; error_log FOLDER/log; events {{}} http {{ server {{ listen {address}; }} }}");
    let text_of = text_of.replace("FOLDER", &installed.path("").display().to_string());
    fs::write(installed.path("nginx.conf"), text_of).expect("a file");
    let output = installed.nginx(&[]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("nginx: [emerg] cannot listen on {address}")), "{said}");
    assert!(!installed.path("pid").exists());
}

#[test]
fn findings_are_nginx_s_lines() {
    let installed = Installed::new("old");
    let file = installed.path("nginx.conf");
    let ok = installed.nginx(&["-t"]);
    let expected = format!(
        "nginx: the configuration file {0} syntax is ok\nnginx: configuration file {0} test is successful\n",
        file.display()
    );
    assert_eq!((ok.status.code(), text(&ok)), (Some(0), expected));
    let dump = installed.nginx(&["-T", "-q"]);
    let whole = fs::read_to_string(&file).expect("a file");
    let dumped = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert_eq!(dumped, format!("# configuration file {}:\n{whole}\n", file.display()));
    fs::write(&file, "events {}\nhttp {\n  lisen 80;\n}\n").expect("a file");
    let wrong = installed.nginx(&["-t"]);
    let said = text(&wrong);
    assert_eq!(wrong.status.code(), Some(1));
    let first = format!("nginx: [emerg] unknown directive \"lisen\" in {}:3", file.display());
    assert!(said.starts_with(&first), "{said}");
    assert!(said.ends_with(&format!("nginx: configuration file {} test failed\n", file.display())), "{said}");
}

#[test]
fn the_version_is_what_tools_look_for() {
    let installed = Installed::new("old");
    let version = format!("nginx version: nginx/1.29.8 (bedloe/{})\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(&installed.nginx(&["-v"])), version);
    let all = text(&installed.nginx(&["-V"]));
    assert!(all.starts_with(&version) && all.contains("\nconfigure arguments: --"), "{all}");
    assert!(all.contains("--with-http_ssl_module") && all.contains("--without-http_fastcgi_module"), "{all}");
    let help = text(&installed.nginx(&["-h"]));
    assert!(help.starts_with(&version) && help.contains("Usage: nginx [-?hvVtTq] [-s signal]"), "{help}");
}

/// Owner, group and mode of the files of a running nginx, before and after its logs were opened anew.
fn owners(installed: &Installed) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let shown = |name: &str| {
        let meta = fs::metadata(installed.path(name)).expect(name);
        format!("{name} {}:{} {:o}", meta.uid(), meta.gid(), meta.mode())
    };
    let logs = ["error.log", "access.log"];
    let mut all: Vec<String> = ["pid", "body"].iter().chain(&logs).map(|name| shown(name)).collect();
    for log in logs {
        fs::rename(installed.path(log), installed.path("moved")).expect("a log");
    }
    assert!(installed.nginx(&["-s", "reopen"]).status.success());
    let is_given = |log: &str| fs::metadata(installed.path(log)).is_ok_and(|meta| meta.uid() != 0);
    wait_until("the new logs", || logs.iter().all(|log| is_given(log)));
    all.extend(logs.map(shown));
    all
}

#[test]
#[allow(clippy::print_stderr, reason = "a test that is skipped must be seen")]
fn files_belong_to_whom_nginx_gives_them() {
    let Some(program) = crate::support::nginx::find() else {
        return crate::support::nginx::skipped("files_belong_to_whom_nginx_gives_them");
    };
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: files_belong_to_whom_nginx_gives_them: this is not root");
    }
    let [theirs, ours] = [program.as_path(), Path::new(env!("CARGO_BIN_EXE_bedloe"))].map(|program| {
        let installed = Installed::new("old");
        fs::remove_file(installed.path("nginx")).expect("a link");
        std::os::unix::fs::symlink(program, installed.path("nginx")).expect("a link");
        let text = fs::read_to_string(installed.path("nginx.conf")).expect("a file");
        let folder = installed.path("").display().to_string();
        let logs = format!("access_log {folder}access.log; client_body_temp_path {folder}body;");
        let text = text.replace("access_log off;", &logs).replace("pid ", "user daemon; pid ");
        fs::write(installed.path("nginx.conf"), text).expect("a file");
        let running = installed.start();
        let found = owners(&installed);
        running.signal(Signal::TERM);
        running.wait();
        found
    });
    assert_eq!(ours, theirs);
}
