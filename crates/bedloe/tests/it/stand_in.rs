//! `bedloe stand-in` as a program: its first line, its end, its orders' log. What it answers is tested beside its code.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::support::stand_in::start;

fn bedloe() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bedloe"))
}

fn ask(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "{head}\r\nHost: a\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

fn order(address: &str, id: &str) -> String {
    ask(address, &format!("POST /accounts-external/api/orders HTTP/1.1\r\nContent-Length: 0\r\nX-Order-Id: {id}"))
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).expect("it runs");
}

#[test]
fn help_says_that_it_is_for_trying() {
    let help = bedloe().args(["stand-in", "--help"]).output().expect("the program runs");
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("for trying and testing, not for use"));
}

#[test]
fn it_serves_and_stops_when_told() {
    let mut server = start(&["--clone", "s1"]);
    let said = ask(&server.address, "GET /accounts-external/api/session HTTP/1.1");
    assert!(said.contains(r#"{"n":1,"server":"liberty-1","id":""#) && said.contains(":s1; Path=/; HttpOnly"), "{said}");
    signal(&server.child, rustix::process::Signal::TERM);
    assert!(server.child.wait().expect("it ends").success());
}

#[test]
fn orders_outlive_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("orders");
    let log = log.to_str().expect("a plain path");
    let server = start(&["--orders-log", log]);
    assert!(order(&server.address, "a-1").ends_with(r#"{"id":"a-1","count":1,"server":"liberty-1"}"#));
    drop(server);
    let server = start(&["--orders-log", log]);
    assert!(order(&server.address, "a-1").ends_with(r#"{"id":"a-1","count":2,"server":"liberty-1"}"#));
    let listing = ask(&server.address, "GET /accounts-external/api/orders HTTP/1.1");
    assert!(listing.contains(r#""total":2,"distinct":1,"repeated":1"#), "{listing}");
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let server = start(&[]);
    let second = bedloe().args(["stand-in", "--listen", &server.address]).output().expect("the program runs");
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    let expected =
        format!("bedloe: stand-in: cannot listen at {}: Address already in use (os error 98)\n", server.address);
    assert_eq!(said, expected);
}

#[test]
fn options_that_make_no_sense_are_refused_in_words() {
    let table = [
        (vec!["--listen", "localhost:9333"], "write an IP address and a port, for example 127.0.0.1:9080"),
        (vec!["--clone-separator", ";"], "a clone separator is a character such as ':', '+' or '!', not ';'"),
        (vec!["--clone-separator", "\u{e9}"], "a clone separator is a character such as"),
        (vec!["--clone-separator", "a"], "a clone separator is a character such as"),
        (vec!["--clone", "a", "--no-additional-info"], "cannot be used with"),
        (vec!["--clone", "a b"], "a clone id has letters"),
        (vec!["--error-rate", "2"], "an error rate is between 0 and 1, not 2"),
    ];
    for (arguments, part) in table {
        // What is not refused ends here too, at an address that this machine does not have.
        let mut command = bedloe();
        command.arg("stand-in").args(&arguments);
        if arguments[0] != "--listen" {
            command.args(["--listen", "192.0.2.1:9"]);
        }
        let run = command.output().expect("the program runs");
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && said.contains(part), "{arguments:?}: {said}");
    }
}

#[test]
fn it_dies_with_the_process_that_started_it() {
    // The shell is the parent that is killed: it starts the server, tells its id, and waits.
    let script = format!(
        "'{}' stand-in --listen 127.0.0.1:0 --die-with-parent $$ & echo $!; wait",
        env!("CARGO_BIN_EXE_bedloe")
    );
    let mut shell = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().expect("a shell");
    let mut lines = BufReader::new(shell.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    lines.next().expect("its id");
    lines.next().expect("its address");
    shell.kill().expect("the shell runs");
    shell.wait().expect("the shell ends");
    // The pipe ends when the last process that holds it has: nobody told the server to stop but the kernel.
    assert_eq!(lines.next(), None);
}
