//! What `bedloe check` says of a configuration, `bedloe run` does: it starts or refuses. So does a master that is told
//! to read it (HUP): it goes over, or says why not and serves on as before.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use rustix::fs::OFlags;
use rustix::process::Signal;

use super::nginx::{configurations, folder};
use super::{check, stderr};
use crate::support::balancer::{Balancer, PATIENCE, wait_until};

const OLD: &str = "server { listen LISTEN; return 200 old; }";

/// A program that is ended when it goes out of scope.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether `bedloe run` serves this file, and what it says until it does or ends.
fn serves(folder: &Path, file: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["run", "-c", file, "-p"]).arg(folder).current_dir(folder);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let _running = Running(child);
    let (sender, said) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut all = String::new();
    loop {
        match said.recv_timeout(PATIENCE) {
            Ok(line) => all = all + &line + "\n",
            Err(mpsc::RecvTimeoutError::Disconnected) => return (false, all),
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("it stands still with {file}: {all}"),
        }
        if all.contains("bedloe: serving ") {
            return (true, all);
        }
    }
}

/// A master that serves, in a folder with what the table of configurations names.
fn master() -> Balancer {
    Balancer::start_in(folder(), "worker_processes 1;", OLD)
}

/// Has it read this configuration; whether it takes it.
fn takes(balancer: &Balancer, text: &str) -> bool {
    let count = |what: &str| balancer.said().matches(what).count();
    let (served, refused) = ("the new configuration is served", "the new configuration is refused");
    let (served_before, refused_before) = (count(served), count(refused));
    fs::write(balancer.path("nginx.conf"), text).expect("a file");
    balancer.signal(Signal::HUP);
    wait_until("a decision", || count(served) > served_before || count(refused) > refused_before);
    count(served) > served_before
}

fn is_old(balancer: &Balancer) -> bool {
    balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nold")
}

#[test]
fn what_check_takes_is_served() {
    let folder = folder();
    for (text, expected) in configurations(folder.path()) {
        let _ = fs::remove_dir(folder.path().join("made"));
        fs::write(folder.path().join("own.conf"), &text).expect("a file");
        let (served, said) = serves(folder.path(), "own.conf");
        assert_eq!(served, expected, "{text}: {said}");
    }
}

#[test]
fn what_check_takes_a_master_takes_by_hup() {
    let balancer = master();
    for (text, expected) in configurations(balancer.folder()) {
        let _ = fs::remove_dir(balancer.path("made"));
        assert_eq!(takes(&balancer, &text), expected, "{text}: {}", balancer.said());
        if expected {
            balancer.rewrite("worker_processes 1;", OLD);
            balancer.reload();
        }
        assert!(is_old(&balancer), "{text}");
    }
}

/// The broken files that the tests of the language have, but for those of several files.
fn broken() -> Vec<String> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/src/tests/cases/broken.txt");
    let text = fs::read_to_string(cases).expect("the cases");
    let cases = text.split("==== ").skip(1).filter_map(|case| {
        let (head, rest) = case.split_once('\n')?;
        let (input, expected) = rest.split_once("----\n")?;
        let context = head.rsplit_once('[').map_or("", |(_, context)| context.trim_end_matches(']'));
        let (open, close) = match context {
            "http" => ("http {\n", "\n} events {}\n"),
            "server" => ("http { server {\n", "\n} } events {}\n"),
            "location" => ("http { server { location / {\n", "\n} } } events {}\n"),
            "upstream" => ("http { upstream u {\n", "\n} } events {}\n"),
            "main" => ("", "\nevents {}\n"),
            _ => ("", ""),
        };
        let is_one_file = !input.contains("++++ ");
        (is_one_file && expected.contains(" error[")).then(|| format!("{open}{input}{close}"))
    });
    cases.collect()
}

#[test]
fn broken_files_are_not_served() {
    let balancer = master();
    let files = broken();
    assert!(files.len() > 80, "{} files", files.len());
    for text in files {
        assert!(!takes(&balancer, &text), "{text}: {}", balancer.said());
        let (served, said) = serves(balancer.folder(), "nginx.conf");
        assert!(!served, "{text}: {said}");
    }
    assert!(is_old(&balancer));
}

#[test]
fn logs_that_are_pipes_are_written_while_somebody_reads_them() {
    let balancer = master();
    let pipe = balancer.path("pipe");
    let text = |listen: &str| {
        let text = format!(
            "worker_processes 1; pid FOLDER/pid; error_log stderr; events {{}}\n\
             http {{ access_log FOLDER/pipe; client_body_temp_path FOLDER/body;\n\
             server {{ listen {listen}; return 200 piped; }} }}\n"
        );
        text.replace("FOLDER", &balancer.folder().display().to_string())
    };
    let own = text(&balancer.address().to_string());
    fs::write(balancer.path("own.conf"), text("127.0.0.1:0")).expect("a file");
    let checked = || check(balancer.folder(), &["-q", "-c", "own.conf"]);
    let refused = checked();
    assert!(stderr(&refused).contains("it is a pipe that nobody reads"), "{}", stderr(&refused));
    assert!(!refused.status.success() && !serves(balancer.folder(), "own.conf").0 && !takes(&balancer, &own));
    assert!(is_old(&balancer));

    let no_wait = OFlags::NONBLOCK.bits().cast_signed();
    let mut reader = File::options().read(true).custom_flags(no_wait).open(&pipe).expect("a pipe");
    assert!(checked().status.success() && serves(balancer.folder(), "own.conf").0);
    assert!(takes(&balancer, &own) && takes(&balancer, &own));
    assert!(balancer.ask("GET /into-the-pipe HTTP/1.0\r\n\r\n").ends_with("piped"));
    let mut read = Vec::new();
    wait_until("a line", || {
        let mut part = [0; 1024];
        let count = reader.read(&mut part).unwrap_or(0);
        read.extend_from_slice(&part[..count]);
        String::from_utf8_lossy(&read).contains("GET /into-the-pipe")
    });
}
