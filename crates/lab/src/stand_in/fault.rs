//! What a stand-in can be told to do wrong while it runs, and the socket where it is told. What concerns the process as
//! a whole (a kill, a pause) needs no word of its own.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use super::answer::Server;

/// What a slow answer is late by.
pub(super) const SLOW: Duration = Duration::from_secs(2);
/// The longest order, in bytes.
const ORDER_MAX: u64 = 64;
/// How long whoever connects may take to say what is wanted.
const ORDER_LIMIT: Duration = Duration::from_secs(1);

/// What is wrong with a stand-in. It concerns all of its pages, health too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Connections are accepted, and nothing is answered before this is over.
    Hang,
    /// A request is done, and its connection reset in place of an answer.
    Reset,
    /// The connection is reset in the middle of each answer.
    ResetWithin,
    /// The connection is closed in the middle of each answer.
    Cut,
    /// Every answer is a 503.
    Unavailable,
    /// Every answer takes two seconds.
    Slow,
    /// A connection that is used again is closed as its next request comes.
    Race,
}

/// A connection that is to end where an answer should have been, or the rest of one.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here, as told")]
pub(super) struct Broken;

/// What is wrong at the moment, and those who wait for its end.
#[derive(Default)]
pub(super) struct Present {
    fault: Cell<Fault>,
    changed: Notify,
}

impl Fault {
    /// All of them, by the words that name them.
    pub const ALL: [(&'static str, Self); 8] = [
        ("none", Self::None),
        ("hang", Self::Hang),
        ("reset", Self::Reset),
        ("reset-within", Self::ResetWithin),
        ("cut", Self::Cut),
        ("unavailable", Self::Unavailable),
        ("slow", Self::Slow),
        ("race", Self::Race),
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, fault)| *fault == self).map_or("none", |(word, _)| word)
    }

    /// The fault that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, fault)| *fault)
    }

    /// Whether connections end with a reset.
    pub(super) fn resets(self) -> bool {
        matches!(self, Self::Reset | Self::ResetWithin)
    }
}

impl Present {
    pub(super) fn get(&self) -> Fault {
        self.fault.get()
    }

    fn set(&self, fault: Fault) {
        self.fault.set(fault);
        self.changed.notify_waiters();
    }

    /// Waits until something else is wrong, or nothing.
    pub(super) async fn change(&self) {
        self.changed.notified().await;
    }
}

/// Opens the socket for orders; one that an earlier process left is taken away.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(path)
}

/// Does as it is told, one order a connection.
pub(super) async fn obey(listener: UnixListener, server: Rc<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = tokio::time::timeout(ORDER_LIMIT, order(stream, &server.fault)).await;
            }
            Err(_) => tokio::time::sleep(super::ACCEPT_PAUSE).await,
        }
    }
}

async fn order(mut stream: UnixStream, present: &Present) -> io::Result<()> {
    let (mut said, mut piece) = (Vec::new(), [0; ORDER_MAX as usize]);
    while !said.contains(&b'\n') && said.len() < ORDER_MAX as usize {
        match stream.read(&mut piece).await? {
            0 => break,
            length => said.extend_from_slice(&piece[..length]),
        }
    }
    let word = std::str::from_utf8(&said).unwrap_or_default().trim();
    let Some(fault) = Fault::parse(word) else {
        let words = Fault::ALL.map(|(word, _)| word).join(", ");
        return stream.write_all(format!("no such fault; say one of {words}\n").as_bytes()).await;
    };
    present.set(fault);
    stream.write_all(b"ok\n").await
}

/// Tells the stand-in whose socket this is what to do wrong from now on.
pub async fn tell(socket: &Path, fault: Fault) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(format!("{}\n", fault.word()).as_bytes()).await?;
    let mut said = String::new();
    stream.take(ORDER_MAX).read_to_string(&mut said).await?;
    if said == "ok\n" { Ok(()) } else { Err(io::Error::other(said.trim().to_owned())) }
}
