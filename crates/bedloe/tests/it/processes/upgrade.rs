//! USR2: the program is started anew with the sockets of the one that runs, and either may stay.

use rustix::process::Signal;

use super::load::Load;
use super::nginx::{Installed, Running, read_pid};
use crate::support::admin;
use crate::support::balancer::{Balancer, children, wait_until};
use crate::support::scripted::Scripted;

/// Waits for the pid file of another process than this one.
fn other_than(path: &std::path::Path, pid: u32) -> Running {
    let mut found = pid;
    wait_until("the new program's pid file", || {
        found = read_pid(path).unwrap_or(pid);
        found != pid
    });
    Running(found)
}

#[test]
fn under_load_nothing_is_lost() {
    let upstream = Scripted::named("hi");
    let mut balancer = Balancer::before(&[upstream.address()]);
    let load = Load::start(balancer.address(), 8);
    let pid = balancer.folder().join("pid");
    load.wait_for(100);
    balancer.signal(Signal::USR2);
    let mut running = other_than(&pid, balancer.pid());
    assert_eq!(read_pid(&balancer.folder().join("pid.oldbin")), Some(balancer.pid()));
    wait_until("its worker", || balancer.said().matches("bedloe: serving ").count() == 2);
    load.wait_for(100);
    balancer.signal(Signal::QUIT);
    assert_eq!(balancer.wait().code(), Some(0));
    assert!(!balancer.folder().join("pid.oldbin").exists() && balancer.admin().exists());
    assert_eq!(admin::status(&balancer.admin())["pid"], children(running.0)[0]);
    // And on from there.
    for _ in 0..3 {
        load.wait_for(100);
        let serving = balancer.said().matches("bedloe: serving ").count();
        running.signal(Signal::USR2);
        let next = other_than(&pid, running.0);
        wait_until("its worker", || balancer.said().matches("bedloe: serving ").count() > serving);
        running.signal(Signal::QUIT);
        running.wait();
        running = next;
    }
    load.wait_for(100);
    let (answers, failures) = load.end();
    assert!(failures.is_empty(), "{} of {answers} failed: {failures:?}", failures.len());
    running.signal(Signal::TERM);
    running.wait();
    assert!(!pid.exists() && !balancer.admin().exists(), "it leaves nothing behind");
}

#[test]
fn the_old_program_takes_back_what_it_had() {
    let installed = Installed::new("old");
    let old = installed.start();
    let load = Load::start_for(installed.address(), 4, "old");
    old.signal(Signal::USR2);
    let new = other_than(&installed.path("pid"), old.0);
    wait_until("its worker", || !children(new.0).is_empty());
    load.wait_for(50);
    old.signal(Signal::WINCH);
    // Its worker drains, and itself stays.
    wait_until("its rest", || children(old.0).iter().all(|child| *child == new.0));
    load.wait_for(50);
    old.signal(Signal::HUP);
    wait_until("its worker", || children(old.0).len() == 2);
    new.signal(Signal::QUIT);
    new.wait();
    wait_until("its pid file", || read_pid(&installed.path("pid")) == Some(old.0));
    load.wait_for(50);
    let (answers, failures) = load.end();
    assert!(failures.is_empty(), "{} of {answers} failed: {failures:?}", failures.len());
    assert!(old.is_running() && !installed.path("pid.oldbin").exists());
}

/// A third program would take `.oldbin` from the first one.
#[test]
fn the_new_program_is_not_replaced_while_the_old_one_is_there() {
    let installed = Installed::new("old");
    let old = installed.start();
    old.signal(Signal::USR2);
    let new = other_than(&installed.path("pid"), old.0);
    wait_until("its worker", || !children(new.0).is_empty());
    new.signal(Signal::USR2);
    let log = || std::fs::read_to_string(installed.path("error.log")).unwrap_or_default();
    wait_until("a refusal", || log().contains("the changing binary signal is ignored"));
    assert_eq!((installed.pid("pid"), installed.pid("pid.oldbin")), (new.0, old.0));
    old.signal(Signal::QUIT);
    old.wait();
    new.signal(Signal::USR2);
    let third = other_than(&installed.path("pid"), new.0);
    assert_eq!(installed.pid("pid.oldbin"), new.0);
    wait_until("its worker", || !children(third.0).is_empty());
    new.signal(Signal::QUIT);
    new.wait();
    assert_eq!(installed.body(), "old");
}

#[test]
fn a_new_program_that_does_not_start_changes_nothing() {
    let installed = Installed::new("old");
    let old = installed.start();
    std::fs::write(installed.path("nginx.conf"), "events {").expect("a file");
    old.signal(Signal::USR2);
    let log = || std::fs::read_to_string(installed.path("error.log")).unwrap_or_default();
    wait_until("its end", || log().contains("new binary process exited with code 1"));
    assert_eq!(installed.pid("pid"), old.0);
    assert_eq!(installed.body(), "old");
}

/// The form of the variable is nginx's own, so either program may take over from the other.
#[test]
fn nginx_itself_takes_over() {
    let Some(program) = crate::support::nginx::find() else {
        return crate::support::nginx::skipped("nginx_itself_takes_over");
    };
    let installed = Installed::new("old");
    let old = installed.start();
    std::fs::remove_file(installed.path("nginx")).expect("a link");
    std::os::unix::fs::symlink(&program, installed.path("nginx")).expect("a link");
    let load = Load::start_for(installed.address(), 4, "old");
    load.wait_for(50);
    old.signal(Signal::USR2);
    let new = other_than(&installed.path("pid"), old.0);
    wait_until("its worker", || !children(new.0).is_empty());
    old.signal(Signal::QUIT);
    old.wait();
    load.wait_for(50);
    // And back.
    std::fs::remove_file(installed.path("nginx")).expect("a link");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bedloe"), installed.path("nginx")).expect("a link");
    new.signal(Signal::USR2);
    let back = other_than(&installed.path("pid"), new.0);
    wait_until("its worker", || !children(back.0).is_empty());
    load.wait_for(50);
    let (answers, failures) = load.end();
    assert!(failures.is_empty(), "{} of {answers} failed: {failures:?}", failures.len());
    new.signal(Signal::QUIT);
    new.wait();
    assert_eq!(installed.body(), "old");
}
