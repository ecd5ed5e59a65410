//! An upstream server that does what a test says: it writes down every byte it gets and answers with literal bytes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::balancer::PATIENCE;

/// A server on threads of its own, ended when dropped.
pub(crate) struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_ended: AtomicBool,
    /// What came, by connection in the order of their coming.
    received: Mutex<Vec<Vec<u8>>>,
    changed: Condvar,
}

/// One connection of it.
pub(crate) struct Link {
    stream: TcpStream,
    shared: Arc<Shared>,
    index: usize,
    /// How much of what came was asked for.
    used: usize,
}

impl Scripted {
    /// Each connection is served by `script`, which gets its number too. It is closed when the script ends.
    pub(crate) fn start(script: impl Fn(&mut Link, usize) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), script)
    }

    /// The same at an address that is known before there is a server.
    pub(crate) fn start_at(
        address: SocketAddr,
        script: impl Fn(&mut Link, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let script = Arc::new(script);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if own.is_ended.load(Relaxed) {
                    return;
                }
                let (mut link, script) = (Link::new(stream, &own), Arc::clone(&script));
                let index = link.index;
                // A script that fails has met a closed connection; what the balancer makes of it is what is tested.
                thread::spawn(move || script(&mut link, index));
            }
        });
        Self { address, shared }
    }

    /// Answers every request head with these bytes, and keeps its connections.
    pub(crate) fn answering(answer: impl AsRef<[u8]>) -> Self {
        let answer = answer.as_ref().to_vec();
        Self::start(move |link, _| {
            loop {
                link.head()?;
                link.send(&answer)?;
            }
        })
    }

    /// Answers every request with 200 and this body.
    pub(crate) fn named(name: &str) -> Self {
        Self::answering(ok(name))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came so far, by connection.
    pub(crate) fn received(&self) -> Vec<String> {
        let received = self.shared.received.lock().expect("no panic");
        received.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    /// What came over all connections.
    pub(crate) fn all(&self) -> String {
        self.received().concat()
    }

    /// Waits until what came over all connections holds this, and gives it.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        let all = |received: &Vec<Vec<u8>>| String::from_utf8_lossy(&received.concat()).into_owned();
        let received = self.shared.received.lock().expect("no panic");
        let waited =
            self.shared.changed.wait_timeout_while(received, PATIENCE, |received| !all(received).contains(text));
        let received = all(&waited.expect("no panic").0);
        assert!(received.contains(text), "no {text:?} in {received:?}");
        received
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.shared.is_ended.store(true, Relaxed);
        // Wakes the thread out of its accept.
        let _ = TcpStream::connect(self.address);
    }
}

/// An answer of status 200 with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

impl Link {
    fn new(stream: TcpStream, shared: &Arc<Shared>) -> Self {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let mut received = shared.received.lock().expect("no panic");
        received.push(Vec::new());
        shared.changed.notify_all();
        Self { stream, shared: Arc::clone(shared), index: received.len() - 1, used: 0 }
    }

    /// Reads up to the end of a request's head, and gives it.
    pub(crate) fn head(&mut self) -> io::Result<String> {
        self.until("\r\n\r\n")
    }

    /// Reads until this came. No byte is looked at twice: bodies are large, and reads are small.
    pub(crate) fn until(&mut self, end: &str) -> io::Result<String> {
        let (start, mut from) = (self.used, self.used);
        loop {
            let found = self.with_received(|bytes| {
                match bytes[from..].windows(end.len()).position(|window| window == end.as_bytes()) {
                    Some(at) => Ok(bytes[start..from + at + end.len()].to_vec()),
                    None => Err(bytes.len().saturating_sub(end.len() - 1).max(from)),
                }
            });
            match found {
                Ok(bytes) => {
                    self.used += bytes.len();
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
                Err(next) => from = next,
            }
            self.more()?;
        }
    }

    /// Reads so many bytes without writing them down: for bodies of many MiB.
    pub(crate) fn swallow(&mut self, mut count: usize) -> io::Result<()> {
        let ahead = self.with_received(|bytes| bytes.len()) - self.used;
        count -= ahead.min(count);
        self.used += ahead;
        let mut piece = vec![0; 256 * 1024];
        while count > 0 {
            let n = self.stream.read(&mut piece)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            count -= n.min(count);
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// To send from another thread while this one reads.
    pub(crate) fn another_handle(&self) -> TcpStream {
        self.stream.try_clone().expect("a handle")
    }

    /// Waits until the balancer closes the connection.
    pub(crate) fn closed(&mut self) -> io::Result<()> {
        loop {
            match self.more() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => return Ok(()),
            }
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        let n = self.stream.read(&mut piece)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.with_received(|bytes| bytes.extend_from_slice(&piece[..n]));
        self.shared.changed.notify_all();
        Ok(())
    }

    fn with_received<T>(&self, look: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        look(&mut self.shared.received.lock().expect("no panic")[self.index])
    }
}
