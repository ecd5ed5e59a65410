//! What systemd sees: notifications, and sockets that it opened itself.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};

use super::nginx::{Installed, Running};
use crate::support::balancer::{PATIENCE, wait_until};
use crate::support::raw::Raw;
use crate::support::skipped;

/// A process of ours, ended when dropped.
struct Guard(Child);

impl Guard {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0.id().cast_signed()).expect("a process"), signal).expect("it runs");
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(installed: &Installed) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.arg("run").arg("-c").arg(installed.path("nginx.conf")).stderr(Stdio::null());
    command
}

#[test]
fn it_is_told_of_start_reload_and_end() {
    let installed = Installed::new("old");
    let path = installed.path("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("an option");
    let next = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).expect("a notification");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut guard = Guard(command(&installed).env("NOTIFY_SOCKET", &path).spawn().expect("it starts"));
    let ready = next();
    let main = format!("MAINPID={}\n", guard.0.id());
    assert!(ready.starts_with("READY=1\n") && ready.contains(&main) && ready.contains("STATUS=serving "), "{ready}");
    guard.signal(Signal::HUP);
    let reloading = next();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert!(next().starts_with("READY=1\n"));
    fs::write(installed.path("nginx.conf"), "events {").expect("a file");
    guard.signal(Signal::HUP);
    assert!(next().starts_with("RELOADING=1\n"));
    let refused = next();
    assert!(
        refused.starts_with("READY=1\n") && refused.contains("STATUS=The new configuration is refused"),
        "{refused}"
    );
    guard.signal(Signal::QUIT);
    assert!(next().starts_with("STOPPING=1\n"));
    assert!(guard.0.wait().expect("it ends").success());
}

/// systemd ends a service with its main process, and whatever is left of it when it is told of an end.
#[test]
fn it_is_told_who_serves_on_when_one_of_two_programs_ends() {
    let installed = Installed::new("old");
    let path = installed.path("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("an option");
    let next = || {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).expect("a notification");
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let number = text.lines().find_map(|line| line.strip_prefix("MAINPID=")?.parse::<u32>().ok());
        (text, number.unwrap_or(0))
    };
    let mut guard = Guard(command(&installed).env("NOTIFY_SOCKET", &path).spawn().expect("it starts"));
    let old = guard.0.id();
    assert_eq!(next().1, old);
    guard.signal(Signal::USR2);
    let new = Running(next().1);
    assert_ne!(new.0, old);
    new.signal(Signal::QUIT);
    let (text, number) = next();
    assert!(number == old && text.starts_with("READY=1\n"), "{text}");
    guard.signal(Signal::USR2);
    let new = Running(next().1);
    guard.signal(Signal::QUIT);
    assert!(guard.0.wait().expect("it ends").success());
    new.signal(Signal::QUIT);
    let (text, _) = next();
    assert!(text.starts_with("STOPPING=1\n"), "{text}");
    new.wait();
    socket.set_nonblocking(true).expect("an option");
    assert!(socket.recv(&mut [0; 8]).is_err(), "that was all");
}

/// Numbers that are no sockets, or no descriptors at all, are told and left alone.
#[test]
fn descriptors_that_are_not_there_are_ignored() {
    let installed = Installed::new("old");
    for numbers in ["3;", "4;5;", "3;3;4;", "-1;1;x;99999;"] {
        let mut start = command(&installed);
        let mut guard = Guard(start.env("NGINX", numbers).stderr(Stdio::piped()).spawn().expect("it starts"));
        wait_until("its pid file", || super::nginx::read_pid(&installed.path("pid")).is_some());
        let mut client = Raw::to(installed.address());
        client.send("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(client.reply().body, "old", "{numbers}");
        guard.signal(Signal::TERM);
        assert!(guard.0.wait().expect("it ends").success());
        let said = std::io::read_to_string(guard.0.stderr.take().expect("a pipe")).expect("text");
        assert!(said.contains("invalid socket in the variable NGINX: "), "{numbers}: {said}");
    }
}

/// A shell stands in for systemd: it becomes the program, so that the number in `LISTEN_PID` is right.
#[test]
fn a_socket_that_was_opened_for_it_is_found_by_its_address() {
    let installed = Installed::new("old");
    let listener = net::listen::open(installed.address(), 16).expect("the port is reserved");
    let file = fs::metadata(format!("/proc/self/fd/{}", listener.as_raw_fd())).expect("an open file");
    let number = std::os::unix::fs::MetadataExt::ino(&file);
    let script = format!(
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec {} run -c {}",
        env!("CARGO_BIN_EXE_bedloe"),
        installed.path("nginx.conf").display()
    );
    let listener = OwnedFd::from(listener);
    fcntl_setfd(&listener, FdFlags::CLOEXEC).expect("a flag");
    let mut shell = Command::new("sh");
    let guard = Guard(shell.arg("-c").arg(script).stdin(listener).stderr(Stdio::null()).spawn().expect("a shell"));
    // It answers from the start: the socket was there before the program was.
    drop(shell);
    let mut client = Raw::to(installed.address());
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.reply().body, "old");
    let has_socket = || {
        let files = fs::read_dir(format!("/proc/{}/fd", guard.0.id())).into_iter().flatten().filter_map(Result::ok);
        let links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.filter(|link| link.display().to_string() == format!("socket:[{number}]")).count()
    };
    wait_until("the one descriptor of the master", || has_socket() == 1);
}

/// A unit as it is shipped, with this program in its place.
fn unit(name: &str, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(packaging().join(name)).expect("the unit");
    let path = folder.join(name);
    fs::write(&path, text.replace("/usr/bin/bedloe", env!("CARGO_BIN_EXE_bedloe"))).expect("a file");
    path
}

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

#[test]
fn the_units_are_right_and_expose_little() {
    let folder = tempfile::tempdir().expect("a folder");
    // How much each may be exposed, in tenths.
    for (name, exposed) in [("bedloe.service", 35), ("bedloe-agent.service", 20)] {
        let unit = unit(name, folder.path());
        let analyze = |arguments: &[&str]| Command::new("systemd-analyze").args(arguments).arg(&unit).output();
        let Ok(verified) = analyze(&["verify", "--man=no"]) else {
            return skipped("the_units_are_right_and_expose_little", "systemd-analyze");
        };
        let said = String::from_utf8_lossy(&verified.stderr);
        let ours: Vec<&str> = said.lines().filter(|line| line.contains(name)).collect();
        assert!(ours.is_empty(), "{said}");
        let secure = analyze(&["security", "--offline=true", &format!("--threshold={exposed}")]);
        let secure = secure.expect("it was there before");
        assert!(secure.status.success(), "{}", String::from_utf8_lossy(&secure.stdout));
    }
}

/// The configuration that the package brings: it is served as it stands, and lets `bedloe upstream` in.
#[test]
fn the_configuration_of_the_package_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = fs::read_to_string(packaging().join("debian/nginx.conf")).expect("the configuration");
    for place in ["/run/bedloe", "/var/log/bedloe", "/var/lib/bedloe"] {
        assert!(text.contains(place), "{place}");
        text = text.replace(place, folder.path().to_str().expect("text"));
    }
    let path = folder.path().join("nginx.conf");
    fs::write(&path, text).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    let guard = Guard(command.arg("run").arg("-c").arg(&path).stderr(Stdio::null()).spawn().expect("it starts"));
    wait_until("its api", || folder.path().join("api.sock").exists());
    let list = Command::new(env!("CARGO_BIN_EXE_bedloe")).args(["upstream", "list", "-c"]).arg(&path).output();
    let list = list.expect("the program runs");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    guard.signal(Signal::TERM);
}
