//! `api`: what is shown, what is refused, what changes; and `bedloe upstream` on top of it.

mod changes;
mod safety;
mod shown;
mod tls;
mod upstream;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::support::balancer::{Balancer, PATIENCE};

/// A server on a unix socket, over which everything may be changed.
pub(crate) const BY_SOCKET: &str = "server { listen unix:FOLDER/api.sock; location /api/ { api write=on; } }";

/// The interface of a balancer, by its unix socket.
pub(crate) struct Api(PathBuf);

impl Api {
    pub(crate) fn of(balancer: &Balancer) -> Self {
        Self(balancer.path("api.sock"))
    }

    /// Status and body of an answer to this request below `/api/9/`.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Json) {
        ask(&self.0, method, &format!("/api/9/{path}"), body)
    }

    pub(crate) fn get(&self, path: &str) -> Json {
        let (status, json) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {json}");
        json
    }

    /// A server of the upstream `app`, with what is counted of it.
    pub(crate) fn peer(&self, id: u64) -> Json {
        let upstream = self.get("http/upstreams/app");
        let peers = upstream["peers"].as_array().expect("peers");
        peers.iter().find(|peer| peer["id"] == id).unwrap_or_else(|| panic!("{id}: {upstream}")).clone()
    }

    pub(crate) fn patch(&self, id: u64, body: &str) -> Json {
        let (status, json) = self.ask("PATCH", &format!("http/upstreams/app/servers/{id}"), body);
        assert_eq!(status, 200, "{body}: {json}");
        json
    }

    /// The code of an error, with its status.
    fn fault(&self, method: &str, path: &str, body: &str) -> (u64, String) {
        let (status, json) = self.ask(method, path, body);
        let code = json["error"]["code"].as_str().unwrap_or_else(|| panic!("{method} {path} {body}: {json}"));
        assert_eq!(json["error"]["status"], u64::from(status), "{json}");
        (status.into(), code.to_owned())
    }
}

fn ask(socket: &Path, method: &str, path: &str, body: &str) -> (u16, Json) {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n");
    let mut stream = UnixStream::connect(socket).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    read(&answer)
}

fn read(answer: &str) -> (u16, Json) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let json = if body.is_empty() { Json::Null } else { serde_json::from_str(body).expect("JSON") };
    (status, json)
}
