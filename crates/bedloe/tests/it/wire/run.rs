//! Plays the rows of a table before a running balancer, and tells of all that were not kept.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::script::{Row, Step};
use crate::support::balancer::{Balancer, PATIENCE};

/// How often the client is looked at while a connection to the upstream is awaited: an answer tells that none comes.
pub(super) const LOOK: Duration = Duration::from_millis(5);
/// The longest piece that is also sent byte by byte.
const TRICKLE_MAX: usize = 2_048;

/// The locations that rows speak to. No upstream connection is kept, so that each request has its own.
pub(super) const LOCATIONS: &str = "
    upstream app { server UPSTREAM; keepalive 0; }
    server {
        listen LISTEN;
        proxy_http_version 1.1;
        location / { proxy_pass http://app; proxy_set_header Connection \"\"; }
        location /1.0/ { proxy_pass http://app; proxy_http_version 1.0; proxy_set_header Connection \"\"; }
        location /host/ { proxy_pass http://app; proxy_set_header Host $host; }
        location /two/ { client_max_body_size 2; proxy_pass http://app; }
    }";

/// Whether a side sends its bytes at once or one by one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    Whole,
    Trickled,
}

/// Plays each row twice, and fails with all the rows that were not kept.
pub(super) fn play(rows: &[Row]) {
    let upstream = Upstream::start();
    let balancer = Balancer::start(&LOCATIONS.replace("UPSTREAM", &upstream.address.to_string()));
    at_both_paces(rows, |row| row.rule, |row, pace| Course::new(&balancer, &upstream, pace).run(row));
}

/// Runs each row whole and trickled, and fails with the names of all that were not kept.
pub(super) fn at_both_paces<R>(
    rows: &[R],
    rule: impl Fn(&R) -> &'static str,
    mut run: impl FnMut(&R, Pace) -> Result<(), String>,
) {
    let mut broken = Vec::new();
    for row in rows {
        for pace in [Pace::Whole, Pace::Trickled] {
            if let Err(what) = run(row, pace) {
                broken.push(format!("{}, {pace:?}: {what}", rule(row)));
            }
        }
    }
    assert!(broken.is_empty(), "{} of {} rows:\n{}", broken.len(), 2 * rows.len(), broken.join("\n"));
}

/// The server behind the balancer: its connections are taken by whoever plays a row.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) accepted: Receiver<TcpStream>,
}

impl Upstream {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, accepted) = channel();
        // It ends with the first connection that nobody takes any more.
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Self { address, accepted }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Wakes the thread out of its accept; the connection closes with its listener.
        drop(std::mem::replace(&mut self.accepted, channel().1));
        let _ = TcpStream::connect(self.address);
    }
}

/// A row being played.
struct Course<'a> {
    upstream: &'a Upstream,
    pace: Pace,
    client: Side,
    link: Option<Side>,
}

impl<'a> Course<'a> {
    fn new(balancer: &Balancer, upstream: &'a Upstream, pace: Pace) -> Self {
        let client = Side::new(TcpStream::connect(balancer.address()).expect("the balancer accepts"));
        Self { upstream, pace, client, link: None }
    }

    fn run(mut self, row: &Row) -> Result<(), String> {
        let played = row.steps.iter().try_for_each(|step| self.step(step).map_err(|what| format!("{step:?}: {what}")));
        let ended = if played.is_ok() { self.end(row) } else { Ok(()) };
        // What a broken row has left behind must not be taken for the next one's.
        drop((self.client, self.link));
        while self.upstream.accepted.try_recv().is_ok() {}
        played.and(ended)
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Sends(bytes) => self.client.send(bytes, self.pace),
            Step::Finishes => self.client.finish(),
            Step::Sees(bytes) => {
                self.end_link()?;
                let mut link = self.accept()?;
                let seen = link.expect(bytes, Some(&self.client));
                self.link = Some(link);
                return seen;
            }
            Step::Answers(bytes) => {
                // Content comes in one piece: where it is cut decides which chunks the client gets.
                let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
                let pace = self.pace;
                let link = self.link()?;
                link.send(&bytes[..head], pace);
                link.send(&bytes[head..], Pace::Whole);
            }
            Step::Hangs => self.link()?.finish(),
            Step::Dropped => return self.link()?.expect_end(),
            Step::Gets(bytes) => return self.client.expect(bytes, None),
            Step::Page(status) => return self.client.expect_page(*status, "close").and(self.client.expect_end()),
            Step::PageAndGoesOn(status) => return self.client.expect_page(*status, "keep-alive"),
            Step::Closes => return self.client.expect_end(),
        }
        Ok(())
    }

    /// Nothing may come that the row does not speak of, on either side.
    fn end(&mut self, row: &Row) -> Result<(), String> {
        if !matches!(row.steps.last(), Some(Step::Page(_) | Step::Closes)) {
            self.client.finish();
            self.client.expect_end().map_err(|what| format!("more for the client than expected: {what}"))?;
        }
        self.end_link()?;
        match self.upstream.accepted.try_recv() {
            Ok(stream) => Err(format!("one more request went to the upstream: {:?}", Side::new(stream).now())),
            Err(_) => Ok(()),
        }
    }

    fn end_link(&mut self) -> Result<(), String> {
        let Some(mut link) = self.link.take() else { return Ok(()) };
        link.finish();
        link.expect_end().map_err(|what| format!("more for the upstream than expected: {what}"))
    }

    fn link(&mut self) -> Result<&mut Side, String> {
        self.link.as_mut().ok_or_else(|| "the upstream has no connection".to_owned())
    }

    /// The next connection to the upstream, unless the client gets something first.
    fn accept(&self) -> Result<Side, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.upstream.accepted.recv_timeout(LOOK) {
                Ok(stream) => return Ok(Side::new(stream)),
                Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
                Err(error) => return Err(format!("no connection to the upstream: {error}")),
            }
            if let Some(got) = self.client.peek() {
                return Err(format!("the client got something before the upstream did: {got:?}"));
            }
        }
    }
}

/// One end of a connection to the balancer.
pub(super) struct Side {
    stream: TcpStream,
    /// What came and was not expected yet.
    pub(super) got: Vec<u8>,
    pub(super) is_ended: bool,
}

impl Side {
    pub(super) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        Self { stream, got: Vec::new(), is_ended: false }
    }

    /// Sends to a balancer that may have had enough and closed: what it makes of it is compared, not this.
    pub(super) fn send(&mut self, bytes: &[u8], pace: Pace) {
        let _ = match pace {
            Pace::Trickled if bytes.len() <= TRICKLE_MAX => {
                bytes.iter().try_for_each(|byte| self.stream.write_all(&[*byte]))
            }
            Pace::Trickled => {
                let (first, last) = bytes.split_at(bytes.len() - 1);
                self.stream.write_all(first).and_then(|()| self.stream.write_all(last))
            }
            Pace::Whole => self.stream.write_all(bytes),
        };
    }

    pub(super) fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Takes exactly these bytes; fails as soon as others come, or the other side speaks instead.
    pub(super) fn expect(&mut self, expected: &[u8], other: Option<&Side>) -> Result<(), String> {
        loop {
            let text = without_date(&self.got);
            if text.len() >= expected.len() && text.starts_with(expected) {
                self.got = text[expected.len()..].to_vec();
                return Ok(());
            }
            if self.is_ended || !expected.starts_with(before_unfinished_date(&text)) {
                return Err(format!("got {}", text.escape_ascii()));
            }
            if let Some(got) = other.and_then(Self::peek) {
                let so_far = text.escape_ascii();
                return Err(format!("got {so_far}, and then the other side got {got:?}"));
            }
            self.more()?;
        }
    }

    /// Takes a page of this status.
    fn expect_page(&mut self, status: u16, persistence: &str) -> Result<(), String> {
        let connection = format!("\r\nConnection: {persistence}\r\n");
        let end = "bedloe\n";
        loop {
            let text = String::from_utf8_lossy(&self.got).into_owned();
            if let Some(at) = text.find(end) {
                let rest = &text[at + end.len()..];
                let is_page = text.starts_with(&format!("HTTP/1.1 {status} ")) && text.contains(&connection);
                if is_page && text.matches("HTTP/1.1 ").count() == 1 {
                    self.got = rest.as_bytes().to_vec();
                    return Ok(());
                }
                return Err(format!("got {text:?}"));
            }
            if self.is_ended || !text.starts_with(&"HTTP/1.1 "[..text.len().min(9)]) {
                return Err(format!("got {text:?}"));
            }
            self.more()?;
        }
    }

    pub(super) fn expect_end(&mut self) -> Result<(), String> {
        while !self.is_ended && self.got.is_empty() {
            self.more()?;
        }
        if self.got.is_empty() { Ok(()) } else { Err(format!("got {}", self.got.escape_ascii())) }
    }

    /// What has come without waiting for it; nothing while that is nothing. An end counts as something.
    pub(super) fn peek(&self) -> Option<String> {
        let mut piece = [0; 1024];
        self.stream.set_nonblocking(true).expect("an option");
        let peeked = self.stream.peek(&mut piece);
        self.stream.set_nonblocking(false).expect("an option");
        match peeked {
            Ok(n) => Some(String::from_utf8_lossy(&piece[..n]).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(error.to_string()),
        }
    }

    pub(super) fn now(&self) -> String {
        self.peek().unwrap_or_default()
    }

    pub(super) fn more(&mut self) -> Result<(), String> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.is_ended = true,
            Ok(n) => self.got.extend_from_slice(&piece[..n]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.is_ended = true,
            Err(error) => return Err(format!("{error}, after {}", self.got.escape_ascii())),
        }
        Ok(())
    }
}

/// Without the lines of `Date`, which differ from run to run.
fn without_date(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !(line.starts_with(b"Date: ") && line.ends_with(b"\n"))).flatten().copied().collect()
}

/// Up to a last line that may be one of `Date` and has not come whole.
fn before_unfinished_date(text: &[u8]) -> &[u8] {
    let start = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
    let (date, last) = (b"Date: ", &text[start..]);
    if last.starts_with(date) || date.starts_with(last) { &text[..start] } else { text }
}
