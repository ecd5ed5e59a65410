//! Addresses of names while the program runs: `resolver` of the configuration, asked on a thread of its own.
//!
//! Threads that carry requests send a question and wait for the answer; keeping it as long as it is valid is theirs.
//! Those that ask for the same name at the same time wait for one question.

mod exchange;
mod message;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

/// Questions that wait for the thread: one a request, so that a flood of them is a flood of requests.
const QUEUE: usize = 1024;
/// Names that are being asked for at once: each has sockets of its own.
const NAMES_AT_ONCE: usize = 256;

/// Whom to ask, and how long an answer holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The name servers, asked in turns.
    pub servers: Vec<SocketAddr>,
    /// How long answers hold; `None` or 0 for as long as they say themselves.
    pub valid_ms: Option<u64>,
    /// Whether IPv4 addresses are looked for.
    pub ipv4: bool,
    /// Whether IPv6 addresses are.
    pub ipv6: bool,
    /// How long a name may take; 0 is no limit.
    pub timeout_ms: u64,
}

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// At least one.
    pub addresses: Vec<IpAddr>,
    /// How long they hold.
    pub valid_ms: u64,
}

/// Why a name has no address, in the words that nginx's users look for in their logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no such name, or it has no address.
    #[error("3: Host not found")]
    NotFound,
    /// No name server has answered in time.
    #[error("110: Operation timed out")]
    TimedOut,
    /// All name servers have refused or failed.
    #[error("2: Server failure")]
    Server,
    /// It is no name.
    #[error("1: Format error")]
    Format,
    /// More names are being asked for than may be.
    #[error("too many names are being resolved")]
    Busy,
}

type Reply = oneshot::Sender<Result<Answer, Failure>>;

struct Question {
    settings: Arc<Settings>,
    host: String,
    reply: Reply,
}

/// The way to the resolver's thread, which ends with the last of these.
#[derive(Debug, Clone)]
pub struct Resolver {
    questions: mpsc::Sender<Question>,
}

impl Resolver {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (questions, queue) = mpsc::channel(QUEUE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            let tasks = tokio::task::LocalSet::new();
            tasks.block_on(&runtime, serve(queue));
        })?;
        Ok(Self { questions })
    }

    /// The addresses of a name.
    pub async fn lookup(&self, settings: &Arc<Settings>, host: &str) -> Result<Answer, Failure> {
        let (reply, answer) = oneshot::channel();
        let question = Question { settings: Arc::clone(settings), host: host.to_ascii_lowercase(), reply };
        self.questions.try_send(question).map_err(|_| Failure::Busy)?;
        answer.await.unwrap_or(Err(Failure::Busy))
    }
}

type Waiting = Rc<RefCell<HashMap<(Arc<Settings>, String), Vec<Reply>>>>;

async fn serve(mut queue: mpsc::Receiver<Question>) {
    let waiting = Waiting::default();
    while let Some(Question { settings, host, reply }) = queue.recv().await {
        let mut names = waiting.borrow_mut();
        let key = (settings, host);
        if let Some(replies) = names.get_mut(&key) {
            replies.push(reply);
        } else if names.len() >= NAMES_AT_ONCE {
            // Whoever asks may be gone already; then nobody needs to know.
            let _ = reply.send(Err(Failure::Busy));
        } else {
            names.insert(key.clone(), vec![reply]);
            tokio::task::spawn_local(ask(Rc::clone(&waiting), key));
        }
    }
}

async fn ask(waiting: Waiting, key: (Arc<Settings>, String)) {
    let (settings, host) = key.clone();
    // In a task of its own: a panic over what a name server sent ends this question, and whoever waits is told.
    let asked = tokio::task::spawn_local(async move { exchange::lookup(&settings, &host).await });
    let answer = asked.await.unwrap_or(Err(Failure::Server));
    let replies = waiting.borrow_mut().remove(&key).unwrap_or_default();
    for reply in replies {
        let _ = reply.send(answer.clone());
    }
}
