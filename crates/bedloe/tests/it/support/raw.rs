//! A client that sends literal bytes and shows literal answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::balancer::PATIENCE;

/// One connection.
pub(crate) struct Raw {
    stream: TcpStream,
    /// Bytes read and not given out.
    ahead: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Status line and fields, with the date left out; ends with the empty line.
    pub(crate) head: String,
    /// The body as it came, chunk framing included.
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Raw {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(PATIENCE)).expect("an option");
        stream.set_write_timeout(Some(PATIENCE)).expect("an option");
        Self { stream, ahead: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the balancer reads");
    }

    /// Sends to a balancer that may have stopped reading.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// To send from another thread while this one reads.
    pub(crate) fn another_handle(&self) -> TcpStream {
        self.stream.try_clone().expect("a handle")
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next answer, to a request other than HEAD.
    pub(crate) fn reply(&mut self) -> Reply {
        let head = self.head();
        let mut reply = Reply { head, body: String::new() };
        if matches!(reply.status(), 100..=199 | 204 | 304) {
            return reply;
        }
        let body = if reply.field("transfer-encoding") == Some("chunked") {
            self.chunks()
        } else if let Some(length) = reply.field("content-length") {
            self.bytes(length.parse().expect("a length"))
        } else {
            return Reply { body: self.rest(), ..reply };
        };
        reply.body = String::from_utf8_lossy(&body).into_owned();
        reply
    }

    /// The next head, with the date left out.
    pub(crate) fn head(&mut self) -> String {
        let head = self.until(b"\r\n\r\n");
        without_date(&String::from_utf8_lossy(&head))
    }

    /// So many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count {
            assert!(self.more() > 0, "closed before the answer's end: {}", String::from_utf8_lossy(&self.ahead));
        }
        self.ahead.drain(..count).collect()
    }

    /// So many bytes, if they come before the connection is closed or reset.
    pub(crate) fn try_bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < count {
            if self.more() == 0 {
                return None;
            }
        }
        Some(self.ahead.drain(..count).collect())
    }

    /// Everything until the connection is closed or reset, dates left out.
    pub(crate) fn rest(&mut self) -> String {
        while self.more() > 0 {}
        without_date(&String::from_utf8_lossy(&std::mem::take(&mut self.ahead)))
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let line = self.until(b"\r\n");
            let size = std::str::from_utf8(&line[..line.len() - 2]).expect("a size");
            let size = usize::from_str_radix(size, 16).expect("a size");
            all.extend_from_slice(&line);
            if size == 0 {
                break;
            }
            all.extend(self.bytes(size + 2));
        }
        loop {
            let line = self.until(b"\r\n");
            all.extend_from_slice(&line);
            if line == b"\r\n" {
                return all;
            }
        }
    }

    fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|window| window == end) {
                return self.ahead.drain(..at + end.len()).collect();
            }
            assert!(self.more() > 0, "closed before {end:?}: {:?}", String::from_utf8_lossy(&self.ahead));
        }
    }

    /// Reads on; 0 at the end of the connection.
    fn more(&mut self) -> usize {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(n) => {
                self.ahead.extend_from_slice(&piece[..n]);
                n
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => 0,
            Err(error) => panic!("no answer: {error}; so far: {:?}", String::from_utf8_lossy(&self.ahead)),
        }
    }
}

/// Dates differ from run to run.
fn without_date(text: &str) -> String {
    text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}
