//! `bedloe stand-in` as a process: a server with sessions as Liberty has them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A stand-in at a free port; killed when dropped.
pub(crate) struct StandIn {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn start(arguments: &[&str]) -> StandIn {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bedloe"));
    command.args(["stand-in", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a first line");
    let (_, address) = line.trim().split_once(" listens at ").expect("an address");
    StandIn { child, address: address.to_owned() }
}
