//! What a roll says while it goes on, on the standard error. Nobody need be reading it, and who reads slowly holds up
//! nothing: a thread writes, and what does not fit before it is left out.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::time::Instant;

use crate::visible::visible;

/// Lines, or pieces of a command's output, that wait to be written.
const WAITING_MAX: usize = 1_024;
/// How long what was said may take to be written at the end.
const END: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Notes {
    began: Instant,
    to: SyncSender<Said>,
}

enum Said {
    Bytes(Vec<u8>),
    /// All before this is written when this is dropped.
    End(#[expect(dead_code, reason = "its drop is what counts")] SyncSender<()>),
}

impl Notes {
    /// From now on, so that lines have their time.
    pub(super) fn start() -> io::Result<Self> {
        let (to, said) = sync_channel(WAITING_MAX);
        std::thread::Builder::new().name("notes".to_owned()).spawn(move || write(&said))?;
        Ok(Self { began: Instant::now(), to })
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// One line.
    pub(super) fn say(&self, what: &str) {
        self.pass(format!("{:7.1} s  {}\n", self.began.elapsed().as_secs_f64(), visible(what)).into_bytes());
    }

    /// Bytes as they are.
    pub(super) fn pass(&self, bytes: Vec<u8>) {
        let _ = self.to.try_send(Said::Bytes(bytes));
    }

    /// Waits for all that was said to be written, if somebody takes it.
    pub(super) fn finish(&self) {
        let (written, end) = sync_channel(1);
        if self.to.try_send(Said::End(written)).is_ok() {
            let _ = end.recv_timeout(END);
        }
    }
}

fn write(said: &Receiver<Said>) {
    while let Ok(said) = said.recv() {
        if let Said::Bytes(bytes) = said {
            let _ = io::stderr().write_all(&bytes);
        }
    }
}
