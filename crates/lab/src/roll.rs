//! A rolling restart under the load: `bedloe roll` as its user would run it, and the lab as what its command asks to
//! restart a server.
//!
//! The command is `bedloe restart-in-lab`, which sends the server's address over a socket in the lab's folder and waits
//! for one line.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::plan::{PAGE, Plan};

/// When it begins, from the start of the load.
const BEGIN: Duration = Duration::from_secs(2);
/// Checks that must pass in a row.
const PASSES: &str = "3";
/// Nobody has a session in a lab, or is soon done with it.
const IDLE: &str = "1s";
const DRAIN_TIMEOUT: &str = "20s";
const READY_TIMEOUT: &str = "4m";
/// For how long a server that is back gets less than the others.
const SLOW_START: Duration = Duration::from_secs(3);
const SLOW_START_OF_JAVA: Duration = Duration::from_secs(15);
/// News that wait to be looked at.
const NEWS_MAX: usize = 256;
/// What says that a server was restarted.
pub const DONE: &str = "done";

/// What came of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// When it ended, from the start of the load; `None` where the load ended first.
    pub ended_ms: Option<u64>,
    /// Its exit code.
    pub code: Option<i32>,
    /// What it prints with `--json`.
    pub result: Value,
}

/// What a roll tells the lab.
pub(crate) enum News {
    /// A line of its progress.
    Line(String),
    /// A server is to be restarted, by its address.
    Restart(String, oneshot::Sender<Result<(), String>>),
    /// It is over.
    Ended(Option<i32>, Value),
}

/// A roll that is to come or under way; dropped, it ends.
pub(crate) struct Roll {
    news: mpsc::Receiver<News>,
    tasks: Vec<JoinHandle<()>>,
}

/// The socket that restarts are asked for over.
pub(crate) fn socket(folder: &Path) -> PathBuf {
    folder.join("restart.sock")
}

/// The configuration's file that lets a roll change servers.
pub(crate) fn configuration(folder: &Path) -> String {
    let socket = folder.join("api.sock");
    format!("server {{\n    listen unix:{};\n    location /api/ {{ api write=on; }}\n}}\n", socket.display())
}

/// `slow_start` of a lab's servers.
pub(crate) fn slow_start(is_java: bool) -> Duration {
    if is_java { SLOW_START_OF_JAVA } else { SLOW_START }
}

impl Roll {
    /// Starts it soon after the load. Must run inside a `LocalSet`.
    pub(crate) fn start(plan: &Plan) -> std::io::Result<Self> {
        let (to, news) = mpsc::channel(NEWS_MAX);
        let listener = UnixListener::bind(socket(&plan.options.folder))?;
        let orders = tokio::task::spawn_local(take_orders(listener, to.clone()));
        let command = command(plan);
        let run = tokio::task::spawn_local(async move {
            tokio::time::sleep(BEGIN).await;
            if let Err(error) = run(command, &to).await {
                let _ = to.send(News::Line(format!("bedloe roll: {error}"))).await;
                let _ = to.send(News::Ended(None, Value::Null)).await;
            }
        });
        Ok(Self { news, tasks: vec![orders, run] })
    }

    /// What comes next; for ever nothing where it is over.
    pub(crate) async fn next(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Roll {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn command(plan: &Plan) -> Command {
    let program = &plan.options.program;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let socket = text(socket(&plan.options.folder));
    let restart =
        format!("{} restart-in-lab --socket {} {{address}}", quoted(&program.to_string_lossy()), quoted(&socket));
    let mut command = Command::new(program);
    command.args(["tied", "--die-with-parent", &std::process::id().to_string(), "--"]).arg(program);
    command.args(["roll", "liberty_app", "--json", "--restart", &restart, "--passes", PASSES, "--probe", PAGE]);
    command.args(["--idle", IDLE, "--drain-timeout", DRAIN_TIMEOUT, "--ready-timeout", READY_TIMEOUT]);
    command.args(["-c", &text(plan.configuration()), "-p", &text(plan.options.folder.clone())]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// A word of the shell's.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

async fn run(mut command: Command, to: &mpsc::Sender<News>) -> std::io::Result<()> {
    let mut child: Child = command.spawn()?;
    let mut out = child.stdout.take();
    let text = tokio::task::spawn_local(async move {
        let mut text = String::new();
        if let Some(out) = &mut out {
            let _ = out.read_to_string(&mut text).await;
        }
        text
    });
    if let Some(errors) = child.stderr.take() {
        let mut lines = BufReader::new(errors).lines();
        while let Some(line) = lines.next_line().await? {
            let _ = to.send(News::Line(line)).await;
        }
    }
    let status = child.wait().await?;
    let result = serde_json::from_str(&text.await.unwrap_or_default()).unwrap_or_default();
    let _ = to.send(News::Ended(status.code(), result)).await;
    Ok(())
}

async fn take_orders(listener: UnixListener, to: mpsc::Sender<News>) {
    while let Ok((stream, _)) = listener.accept().await {
        // One at a time: a roll has one command at a time.
        let _ = take_order(stream, &to).await;
    }
}

async fn take_order(stream: UnixStream, to: &mpsc::Sender<News>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut address = String::new();
    stream.read_line(&mut address).await?;
    let (done, answer) = oneshot::channel();
    let _ = to.send(News::Restart(address.trim().to_owned(), done)).await;
    let said = match answer.await {
        Ok(Ok(())) => DONE.to_owned(),
        Ok(Err(error)) => error,
        Err(_) => "the lab has ended".to_owned(),
    };
    stream.write_all(format!("{said}\n").as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_words_of_the_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
