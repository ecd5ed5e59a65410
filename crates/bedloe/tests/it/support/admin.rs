//! What a balancer says of itself on its admin socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use super::balancer::PATIENCE;

/// `GET /status`.
pub(crate) fn status(socket: &Path) -> Value {
    let mut stream = ask(socket, "/status", "Connection: close\r\n");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    serde_json::from_str(body).expect("JSON")
}

/// The server of that number in the first upstream.
pub(crate) fn server(socket: &Path, index: usize) -> Value {
    status(socket)["upstreams"][0]["servers"][index].clone()
}

/// `GET /events`, from the moment on when this returns.
pub(crate) struct Events {
    lines: BufReader<UnixStream>,
    /// Events that came and were not asked for yet.
    ahead: Vec<Value>,
}

impl Events {
    pub(crate) fn open(socket: &Path) -> Self {
        let mut lines = BufReader::new(ask(socket, "/events", ""));
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            lines.read_line(&mut line).expect("a head");
        }
        Self { lines, ahead: Vec::new() }
    }

    /// The next event of that name.
    pub(crate) fn next(&mut self, name: &str) -> Value {
        loop {
            if let Some(at) = self.ahead.iter().position(|event| event["event"] == name) {
                return self.ahead.remove(at);
            }
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).expect("an event") > 0, "the events end");
            // Lines between the events are sizes of chunks.
            self.ahead.extend(serde_json::from_str::<Value>(&line).ok().filter(Value::is_object));
        }
    }
}

fn ask(socket: &Path, path: &str, fields: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).expect("an admin socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: admin\r\n{fields}\r\n").expect("it reads");
    stream
}
