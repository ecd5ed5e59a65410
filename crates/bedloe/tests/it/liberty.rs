//! `bedloe lab --liberty`: what is missing is said with the remedy; and real servers, where Java and a release of Open
//! Liberty are to be had without fetching anything.
#![allow(clippy::print_stderr, reason = "says what it skips")]

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::lab::Place;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn lab(arguments: &[&str], environment: &[(&str, &Path)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.arg("lab").args(arguments).envs(environment.iter().copied());
    let output = command.output().expect("the program runs");
    (output.status.code(), said(&output))
}

/// A folder with a `java` that says that it is one of 17, and nothing else.
fn java() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let bin = home.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    let java = bin.join("java");
    fs::write(&java, "#!/bin/sh\necho 'openjdk version \"17.0.15\" 2025-04-15' >&2\n").expect("a file");
    fs::set_permissions(&java, fs::Permissions::from_mode(0o755)).expect("rights");
    home
}

#[test]
fn what_a_lab_of_liberty_lacks_is_told_with_the_remedy() {
    let (empty, java) = (tempfile::tempdir().expect("a folder"), java());
    let (nothing, home) = (empty.path(), java.path());
    let all = [("JAVA_HOME", home), ("PATH", nothing), ("XDG_CACHE_HOME", nothing)];
    let (code, said) = lab(&["--liberty"], &[("JAVA_HOME", nothing)]);
    assert!(code == Some(1) && said.contains("no `java` in JAVA_HOME") && said.contains("apt-get install"), "{said}");
    let (code, said) = lab(&["--liberty"], &all);
    assert!(code == Some(1) && said.contains("no `mvn` on PATH") && said.contains("--liberty-home"), "{said}");
    let left = nothing.join("bedloe/liberty").read_dir().expect("the cache").count();
    assert_eq!(left, 0, "something is left in the cache");
    let (code, said) = lab(&["--liberty-home", "/nowhere"], &all);
    assert!(code == Some(1) && said.contains("/nowhere is no Liberty: there is no bin/server"), "{said}");
    let (code, said) = lab(&["--liberty", "latest"], &all);
    assert!(code == Some(2) && said.contains("want a release such as 26.0.0.5"), "{said}");
}

/// The release that an earlier `bedloe lab --liberty` has fetched.
fn release() -> Option<PathBuf> {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let home = caches.join("bedloe/liberty").join(lab::liberty::VERSION).join("wlp");
    let has_java = Command::new("java").arg("-version").output().is_ok();
    (has_java && home.join("bin/server").is_file()).then_some(home)
}

#[test]
fn a_kill_of_a_real_server_loses_no_request() {
    let Some(home) = release() else {
        let fetch = "`bedloe lab --liberty --duration 1s` fetches it";
        eprintln!(
            "skipped: a_kill_of_a_real_server_loses_no_request: no Java, or no Open Liberty in the cache; {fetch}"
        );
        return;
    };
    let place = Place::new(20);
    let home = home.to_string_lossy();
    let line =
        ["--liberty-home", &home, "--servers", "2", "--rate", "50", "--duration", "3s", "--kill", "liberty-2@1s"];
    let output = place.output(&line);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in ["liberty-2 is ready after", "liberty-2  is killed (SIGKILL)", "150 requests, 0 lost"] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    for last in [11, 12] {
        let address = place.address(last, 9080);
        assert!(TcpStream::connect(address).is_err(), "somebody still listens at {address}");
    }
}
