//! `bedloe tune`: on folder trees, on this machine where it only reads, and, where root may make one, on a network
//! namespace's own kernel values.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::skipped;

fn tune(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.arg("tune").args(arguments).stdin(Stdio::null());
    command.output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        ("etc/passwd", "root:x:0:0::/:/bin/sh\nnginx:x:101:101::/:/bin/false\n"),
        ("etc/security/limits.conf", "# none\n"),
        ("lib/systemd/system/nginx.service", "[Service]\nExecStart=/usr/sbin/nginx\n"),
        ("proc/sys/net/core/somaxconn", "4096\n"),
        ("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

/// Paths, modes, owners and contents below a folder, sorted.
fn snapshot(folder: &Path) -> Vec<(String, u32, u32, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let stat = fs::symlink_metadata(&path).expect("an entry");
        let content = if stat.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
        if stat.is_dir() {
            all.extend(snapshot(&path));
        }
        all.push((path.display().to_string(), stat.mode(), stat.uid(), content));
    }
    all.sort();
    all
}

#[test]
fn a_tree_is_checked_planned_applied_and_undone() {
    let folder = tree();
    let root = folder.path().to_str().expect("a plain path");
    let before = snapshot(folder.path());
    let on = |what: &str, more: &[&str]| tune(&[&[what, "--role", "balancer", "--root", root], more].concat());

    let check = on("check", &[]);
    assert_eq!(check.status.code(), Some(1), "{}", text(&check.stderr));
    let table = text(&check.stdout);
    let line = table.lines().find(|line| line.starts_with("net.core.somaxconn ")).expect("a row");
    assert!(line.contains(" 4096 ") && line.contains(" 65535 ") && line.contains(" NO "), "{line}");
    assert!(
        table.contains(&format!("`bedloe tune plan --role balancer --rate 8000 --connections 20000 --root {root}`"))
    );
    let json: Value = serde_json::from_slice(&on("check", &["--json"]).stdout).expect("JSON");
    assert_eq!((&json["ok"], &json["role"]), (&Value::Bool(false), &Value::from("balancer")));
    let of = |json: &Value, name: &str| {
        let all = json["settings"].as_array().expect("rows").clone();
        all.into_iter().find(|row| row["setting"] == name).expect("a row")
    };
    let range = of(&json, "net.ipv4.ip_local_port_range");
    assert_eq!((&range["now"], &range["wanted"]), (&Value::from("32768 60999"), &Value::from("1024 65535")));

    let plan = on("plan", &[]);
    assert_eq!(plan.status.code(), Some(0));
    assert!(text(&plan.stdout).contains("net.ipv4.tcp_fin_timeout = 15\n"));
    // Without a terminal nobody can be asked.
    let refused = on("apply", &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("--yes") && text(&refused.stdout).contains("tcp_fin_timeout = 15"));
    assert_eq!(snapshot(folder.path()), before, "nothing but showing so far");

    let applied = on("apply", &["--yes"]);
    assert_eq!(applied.status.code(), Some(0), "{}", text(&applied.stderr));
    let after = snapshot(folder.path());
    assert_eq!(on("check", &[]).status.code(), Some(0));
    let again = on("apply", &["--yes"]);
    assert!(again.status.success() && text(&again.stdout).contains("nothing to change"), "{}", text(&again.stdout));
    assert_eq!(snapshot(folder.path()), after);

    let undone = tune(&["undo", "--root", root, "--yes"]);
    assert_eq!(undone.status.code(), Some(0), "{}", text(&undone.stderr));
    assert!(text(&undone.stdout).starts_with(&format!("# below {root}\n")), "{}", text(&undone.stdout));
    assert_eq!(snapshot(folder.path()), before);
    assert!(text(&tune(&["undo", "--root", root, "--yes"]).stdout).contains("nothing to undo"));
}

#[test]
fn a_tree_whose_name_is_no_text_has_its_json_too() {
    use std::os::unix::ffi::OsStrExt;
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().join(std::ffi::OsStr::from_bytes(b"tree\xff"));
    fs::create_dir(&root).expect("a folder");
    for what in ["check", "plan"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
        command.args(["tune", what, "--role", "balancer", "--json", "--root"]).arg(&root).stdin(Stdio::null());
        let done = command.output().expect("the program runs");
        let json: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        assert!(json["root"].as_str().is_some_and(|root| root.ends_with("tree\u{fffd}")), "{json:#}");
    }
}

/// The plan is a script that does what `apply` does.
#[test]
fn the_plan_is_what_is_applied() {
    let (scripted, applied) = (tree(), tree());
    for folder in [&scripted, &applied] {
        let own = folder.path().join("etc/security/limits.d/zz-bedloe.conf");
        fs::create_dir(own.parent().expect("a parent")).expect("a folder");
        fs::write(own, "bob\tsoft\tnproc\t7\nEND\n").expect("a file with somebody's own lines");
    }
    let root = |folder: &tempfile::TempDir| folder.path().display().to_string();
    let plan = tune(&["plan", "--role", "injector", "--root", &root(&scripted)]).stdout;
    let run = Command::new("sh").args(["-e", "-c", &text(&plan)]).output().expect("a shell");
    assert!(run.status.success(), "{}\n{}", text(&run.stderr), text(&plan));
    assert!(tune(&["apply", "--yes", "--role", "injector", "--root", &root(&applied)]).status.success());
    fs::remove_dir_all(applied.path().join("var")).expect("the record");
    let relative = |folder: &tempfile::TempDir| {
        let prefix = root(folder);
        let all = snapshot(folder.path()).into_iter();
        all.map(|(path, mode, uid, text)| (path.replacen(&prefix, "", 1), mode, uid, text)).collect::<Vec<_>>()
    };
    assert_eq!(relative(&scripted), relative(&applied));
}

#[test]
fn this_machine_is_read_and_left_alone() {
    let sysctls = || {
        let names = ["net/core/somaxconn", "net/ipv4/ip_local_port_range", "net/ipv4/tcp_fin_timeout", "fs/file-max"];
        names.map(|name| fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default())
    };
    let before = sysctls();
    for role in ["balancer", "liberty", "injector"] {
        let check = tune(&["check", "--role", role, "--json"]);
        let json: Value = serde_json::from_slice(&check.stdout).expect("JSON");
        let is_ok = json["ok"].as_bool().expect("a word");
        assert_eq!(check.status.code(), Some(i32::from(!is_ok)), "{}", text(&check.stderr));
        let rows = json["settings"].as_array().expect("rows");
        assert_eq!(is_ok, rows.iter().all(|row| row["ok"] == true));
        assert!(rows.iter().all(|row| row["why"].as_str().is_some_and(|why| why.len() > 20)), "{json:#}");
        assert!(tune(&["plan", "--role", role]).status.success());
    }
    assert_eq!(sysctls(), before);
}

#[test]
fn bad_input_is_said_to_be_bad() {
    for (arguments, code, words) in [
        (&["check"][..], 2, "--role"),
        (&["check", "--role", "database"], 2, "balancer"),
        (&["check", "--role", "balancer", "--rate", "0"], 2, "--rate"),
        (&["check", "--role", "balancer", "--connections", "99999999999"], 2, "--connections"),
        (&["check", "--role", "balancer", "--service", "../x"], 2, "name of a service"),
        (&["check", "--role", "balancer", "--user", "a b"], 2, "name of a user"),
        (&["check", "--role", "balancer", "--port", "0"], 2, "--port"),
        (&["check", "--role", "balancer", "--root", "/nowhere/at/all"], 1, "cannot open the folder"),
        (&["undo", "--root", "/nowhere/at/all"], 1, "cannot open the folder"),
    ] {
        let done = tune(arguments);
        let err = text(&done.stderr);
        assert!(done.status.code() == Some(code) && err.contains(words), "{arguments:?}: {:?} {err}", done.status);
    }
}

/// A network, mounts and processes of its own: what is changed there is gone with it.
fn apart(script: &str) -> Option<Output> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-e", "-c"]);
    let preamble = r#"
        mount -t tmpfs none /etc; mount -t tmpfs none /var/lib
        mkdir -p /etc/security /etc/systemd/system
        printf '[Service]\n' > /etc/systemd/system/nginx.service
        # What belongs to the whole machine is out of reach.
        keep() { mount --bind $1 $1; mount -o remount,bind,ro $1; }
        for part in /proc/sys/fs /proc/sys/vm /proc/sys/kernel /sys; do keep $part; done
        cd /proc/sys/net
        state() { find /etc /var/lib ! -name up -printf '%p %m %U %G %s\n' | sort
            grep -r . /etc --include=*.conf --include=*.service || true
            tail -n +1 core/somaxconn ipv4/ip_local_port_range ipv4/ip_local_reserved_ports ipv4/tcp_fin_timeout \
                ipv4/tcp_tw_reuse ipv4/tcp_max_syn_backlog
            test -z "$server" || grep 'open files' /proc/$server/limits; }
    "#;
    let is_root = rustix::process::geteuid().is_root();
    let output = command.arg(format!("{preamble}{script}")).env("B", env!("CARGO_BIN_EXE_bedloe"));
    let output = output.stdin(Stdio::null()).output().ok().filter(|_| is_root)?;
    let err = text(&output.stderr);
    (!err.contains("unshare failed") && !err.contains("unshare: ")).then_some(output)
}

#[test]
fn a_kernel_takes_the_values_and_gets_its_own_back() {
    let script = r#"
        mkfifo /etc/up
        (ulimit -Sn 512; exec "$B" stand-in --listen 0.0.0.0:9080 > /etc/up) & server=$!
        exec 3< /etc/up; read line <&3
        state > /dev/shm/$$.before
        "$B" tune apply --role balancer --yes
        cat core/somaxconn ipv4/ip_local_port_range ipv4/ip_local_reserved_ports ipv4/tcp_fin_timeout ipv4/tcp_tw_reuse
        grep 'open files' /proc/$server/limits
        "$B" tune apply --role balancer --yes
        "$B" tune undo --yes
        state > /dev/shm/$$.after
        diff /dev/shm/$$.before /dev/shm/$$.after && echo THE SAME
        kill $server
    "#;
    let Some(done) = apart(&format!("mount -t tmpfs none /dev/shm\n{script}")) else {
        return skipped("a kernel's values", "unshare for root");
    };
    let out = text(&done.stdout);
    let said = format!("{out}\n{}", text(&done.stderr));
    assert!(done.status.success(), "{said}");
    assert!(out.contains("\n65535\n1024\t65535\n9080\n15\n1\n"), "{said}");
    let limits = out.lines().find(|line| line.starts_with("Max open files")).expect("the limits");
    // A root without the right to raise hard limits is told, and the rest is done.
    let is_kept = out.contains("# open files of bedloe (process ");
    assert!(limits.contains(" 200000 ") != is_kept, "{said}");
    assert!(out.contains("# nothing to change") && out.ends_with("THE SAME\n"), "{said}");
}

#[test]
fn a_value_that_the_kernel_refuses_undoes_the_run() {
    // The kernel gives no connection a port below those that anybody may listen at.
    let script = r#"
        mount -t tmpfs none /dev/shm
        echo 2000 > ipv4/ip_unprivileged_port_start
        state > /dev/shm/before
        "$B" tune apply --role balancer --yes && exit 1
        state > /dev/shm/after
        diff /dev/shm/before /dev/shm/after && echo THE SAME
        keep core/somaxconn
        "$B" tune check --role balancer || true
    "#;
    let Some(done) = apart(script) else { return skipped("a refused value", "unshare for root") };
    let (out, err) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "{out}\n{err}");
    let words = "net.ipv4.ip_local_port_range = 1024 65535 was refused: Invalid argument (os error 22); \
                 everything of this run was undone";
    assert!(err.contains(words), "{err}");
    assert!(out.contains("THE SAME\n"), "{out}");
    assert!(out.contains("net.core.somaxconn is closed even to root here, as in a container"), "{out}");
}

/// A `systemctl` of the test's tells what it found when it was called; it fails where a file says so.
#[test]
fn systemd_is_told_after_the_pieces_are_written_and_taken_away() {
    let script = r#"
        mount -t tmpfs none /dev/shm; mount -t tmpfs none /run
        mkdir -p /run/systemd/system /dev/shm/sbin
        cat > /dev/shm/sbin/systemctl <<'END'
#!/bin/sh
echo "CALLED $* $(tail -n 1 /etc/systemd/system/nginx.service.d/zz-bedloe.conf 2> /dev/null)" >> /dev/shm/calls
test ! -e /dev/shm/fails || { echo 'Failed to reload daemon: no answer' >&2; exit 1; }
END
        chmod +x /dev/shm/sbin/systemctl
        test ! -L /usr/sbin || { echo NO OWN PLACE; exit 0; }
        mount --bind /dev/shm/sbin /usr/sbin
        state > /dev/shm/before
        "$B" tune apply --role balancer --yes > /dev/null
        "$B" tune undo --yes > /dev/null
        touch /dev/shm/fails
        "$B" tune apply --role balancer --yes > /dev/null && exit 1
        state > /dev/shm/after
        diff /dev/shm/before /dev/shm/after
        rm /dev/shm/fails
        "$B" tune apply --role balancer --yes > /dev/null
        touch /dev/shm/fails
        "$B" tune undo --yes > /dev/null && exit 1
        state > /dev/shm/after
        diff /dev/shm/before /dev/shm/after && echo THE SAME
        "$B" tune undo --yes
        cat /dev/shm/calls
    "#;
    let Some(done) = apart(script) else { return skipped("systemd's part", "unshare for root") };
    let (out, err) = (text(&done.stdout), text(&done.stderr));
    if out.contains("NO OWN PLACE") {
        return skipped("systemd's part", "a folder of programs that a test may cover");
    }
    assert!(done.status.success(), "{out}\n{err}");
    let (set, gone) = ("CALLED daemon-reload LimitNOFILE=200000:524288", "CALLED daemon-reload ");
    let calls: Vec<&str> = out.lines().filter(|line| line.starts_with("CALLED")).collect();
    assert_eq!(calls, [set, gone, set, gone, set, gone], "{out}\n{err}");
    // What systemd does not hear of is put back all the same, and no record keeps later runs out.
    assert!(out.contains("THE SAME\nnothing to undo"), "{out}");
    let refused = "systemctl daemon-reload was refused: Failed to reload daemon: no answer (exit status: 1); \
                   everything of this run was undone; systemd has not read its units again";
    assert!(err.contains(refused) && err.contains("run `systemctl daemon-reload` once it answers"), "{err}");
}

/// A run that was cut off, as by a loss of power: each command says so, and `undo` ends it.
#[test]
fn a_run_that_was_cut_off_is_told_of() {
    let folder = tree();
    let root = folder.path().to_str().expect("a plain path");
    let tune_folder = folder.path().join("var/lib/bedloe/tune");
    fs::create_dir_all(tune_folder.parent().expect("a parent")).expect("a folder");
    let before = snapshot(folder.path());
    let told = |out: &Output| text(&out.stdout).contains("# a run was cut off, unless it is still at work");
    // Killed once its record is there, it seldom comes to the end.
    let is_cut_off = (0..100).any(|_| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
        command.args(["tune", "apply", "--yes", "--role", "balancer", "--root", root]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
        while !tune_folder.join("0001.json").exists() && child.try_wait().expect("a state").is_none() {
            std::thread::yield_now();
        }
        child.kill().and_then(|()| child.wait()).expect("it ends");
        let is_cut_off = told(&tune(&["check", "--role", "balancer", "--root", root]));
        assert!(is_cut_off || tune(&["undo", "--yes", "--root", root]).status.success());
        is_cut_off
    });
    assert!(is_cut_off, "no run of many was killed between its first change and its last");
    let check = tune(&["check", "--role", "balancer", "--root", root, "--json"]);
    let json: Value = serde_json::from_slice(&check.stdout).expect("JSON");
    assert!(json["unfinished"].as_str().is_some_and(|text| text.contains("`bedloe tune undo`")), "{json:#}");
    let refused = tune(&["apply", "--yes", "--role", "balancer", "--root", root]);
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(1), String::new()));
    assert!(text(&refused.stderr).contains("`bedloe tune undo` puts back"), "{}", text(&refused.stderr));
    assert!(tune(&["undo", "--yes", "--root", root]).status.success());
    assert_eq!(snapshot(folder.path()), before);
}

/// Who reads no further is told by the exit code, and by words of what was done.
#[test]
fn output_that_nobody_takes_changes_nothing_unsaid() {
    let folder = tree();
    let root = folder.path().to_str().expect("a plain path");
    let before = snapshot(folder.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["tune", "apply", "--yes", "--role", "balancer", "--root", root]).stdin(Stdio::null());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let done = command.stdout(full).output().expect("the program runs");
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).starts_with("bedloe: nothing was changed: cannot write"), "{}", text(&done.stderr));
    assert_eq!(snapshot(folder.path()), before);
}
