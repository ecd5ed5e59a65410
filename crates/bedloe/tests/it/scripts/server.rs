//! The server that scripts ask: what it answers is in the path.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

/// A server that lives as long as the test's process.
pub(super) struct Server(SocketAddr);

/// A request.
struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        Self(address)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.0)
    }

    pub(super) fn host(&self) -> String {
        self.0.to_string()
    }
}

fn serve(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        let (status, fields, body) = answer(&request)?;
        let has_body = !matches!(status, 204 | 304);
        let length = if has_body { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        write!(writer, "HTTP/1.1 {status} Said So\r\n{fields}{length}\r\n").ok()?;
        if has_body && request.method != "HEAD" {
            writer.write_all(&body).ok()?;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Status, fields and body; nothing closes the connection.
#[allow(clippy::disallowed_methods, reason = "an answer that takes a known time")]
fn answer(request: &Request) -> Option<(u16, String, Vec<u8>)> {
    let path = request.target.split('?').next().unwrap_or_default();
    let (first, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let number = || rest.parse::<u64>().unwrap_or(0);
    Some(match first {
        "status" => (u16::try_from(number()).unwrap(), String::new(), format!("status {rest}").into()),
        "redirect" if number() > 1 => (302, format!("Location: /redirect/{}\r\n", number() - 1), "on".into()),
        "redirect" => (302, "Location: /echo\r\n".into(), "on".into()),
        "moved" => (u16::try_from(number()).unwrap(), "Location: ../echo?moved\r\n".into(), Vec::new()),
        "sleep" => {
            thread::sleep(Duration::from_millis(number()));
            (200, String::new(), "slept".into())
        }
        "bytes" => (200, String::new(), vec![b'x'; usize::try_from(number()).unwrap()]),
        "cookie" => {
            let (name, value) = rest.split_once('/').unwrap_or((rest, ""));
            (
                200,
                format!("Set-Cookie: {name}={value}; Path=/\r\nSet-Cookie: other=1; Path=/only; HttpOnly\r\n"),
                "set".into(),
            )
        }
        "gzip" => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(b"a text that was compressed").unwrap();
            (200, "Content-Encoding: gzip\r\n".into(), gzip.finish().unwrap())
        }
        "text" => (200, "X-One: 1\r\nx-many: a\r\nX-MANY: b\r\n".into(), "plain text".into()),
        "close" => return None,
        _ => (200, "Content-Type: application/json\r\n".into(), echo(request).into()),
    })
}

fn echo(request: &Request) -> String {
    let ours = ["user-agent", "host"];
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .filter(|(name, _)| !ours.contains(&name.as_str()))
        .collect();
    headers.sort();
    let headers: serde_json::Map<String, serde_json::Value> =
        headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    json!({ "method": request.method, "target": request.target, "headers": headers, "body": request.body }).to_string()
}
