//! Clients that hold places, over real sockets: whoever asks and goes is answered all the same.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, yield_now};

use super::*;

/// More than sockets hold.
const BIG: usize = 32 << 20;
const PLACES: usize = 8;
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(100);

/// A server of `/`, `/big`, `/stream`, and `/slow`, which is answered once it may be.
struct Server {
    at: std::net::SocketAddr,
    room: Rc<Room>,
    /// Held by each feed of a stream.
    feeds: Arc<()>,
    may_answer: Rc<Notify>,
}

impl Server {
    async fn start(patience: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (room, feeds, may_answer) = (Room::new(PLACES, patience), Arc::new(()), Rc::new(Notify::new()));
        let (fed, allowed) = (Arc::clone(&feeds), Rc::clone(&may_answer));
        let answers = move |request: Request<Incoming>| -> Answering {
            let (fed, allowed) = (Arc::clone(&fed), Rc::clone(&allowed));
            Box::pin(async move {
                match request.uri().path() {
                    "/big" => page(StatusCode::OK, "text/plain", vec![b'x'; BIG]),
                    "/stream" => stream("text/plain", 1, |sender| async move {
                        let _fed = fed;
                        while sender.send("bit\n".into()).await.is_ok() {
                            std::future::pending::<()>().await;
                        }
                    }),
                    "/slow" => {
                        allowed.notified().await;
                        page(StatusCode::OK, "text/plain", "slow\n")
                    }
                    _ => page(StatusCode::OK, "text/plain", "page\n"),
                }
            })
        };
        tokio::task::spawn_local(serve_in(Rc::clone(&room), Listener::Tcp(listener), None, Rc::new(answers)));
        Self { at, room, feeds, may_answer }
    }

    async fn ask(&self, path: &str) -> TcpStream {
        let mut client = TcpStream::connect(self.at).await.unwrap();
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        client
    }

    /// A client that asks, reads what comes at first, and goes.
    async fn answer(&self, path: &str) -> String {
        first_of(&mut self.ask(path).await).await
    }

    /// One that has had its answer and stays.
    async fn idle(&self) -> TcpStream {
        let mut client = self.ask("/").await;
        assert!(first_of(&mut client).await.ends_with("\r\n\r\npage\n"));
        client
    }

    /// One that has asked for much and reads nothing of it.
    async fn unread(&self) -> TcpStream {
        let client = self.ask("/big").await;
        client.readable().await.unwrap();
        client
    }
}

async fn first_of(client: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let length = client.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        yield_now().await;
    }
}

async fn until_closed(mut client: TcpStream) {
    let mut bytes = vec![0; 64 << 10];
    while client.read(&mut bytes).await.is_ok_and(|length| length > 0) {}
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test = async { timeout(LONG / 2, test).await.expect("nobody waits for the patience of others") };
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn connections_that_do_nothing_make_room() {
    run(async {
        let server = Server::start(LONG).await;
        let first = server.idle().await;
        let mut held = Vec::new();
        for _ in 0..PLACES {
            held.push(TcpStream::connect(server.at).await.unwrap());
            held.push(server.idle().await);
            held.push(server.unread().await);
        }
        until_closed(first).await;
        for _ in 0..3 * PLACES {
            let answer = timeout(Duration::from_secs(1), server.answer("/")).await;
            assert!(answer.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
        }
        assert!(server.room.taken.borrow().len() <= PLACES);
    });
}

#[test]
fn the_one_that_has_been_idle_longest_goes_first() {
    run(async {
        let server = Server::start(LONG).await;
        let mut held = Vec::new();
        for _ in 0..PLACES {
            held.push(server.idle().await);
        }
        // The first one asks once more, so that the second has now been idle for longest.
        held[0].write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        first_of(&mut held[0]).await;
        server.answer("/").await;
        until_closed(held.remove(1)).await;
        for mut kept in held {
            kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            assert!(first_of(&mut kept).await.starts_with("HTTP/1.1 200 OK\r\n"));
        }
    });
}

#[test]
fn streams_have_a_share_of_the_places() {
    run(async {
        let server = Server::start(LONG).await;
        let mut streams = Vec::new();
        for _ in 0..6 {
            let mut stream = server.ask("/stream").await;
            assert!(first_of(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
            streams.push(stream);
        }
        let refused = server.answer("/stream").await;
        assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
        assert!(refused.ends_with("6 streams are open here, which is the most: end one, or ask for a page instead\n"));
        let held = (server.idle().await, server.unread().await, server.idle().await);
        assert!(server.answer("/").await.starts_with("HTTP/1.1 200 OK\r\n"));
        // A stream whose reader is gone is fed no more, and makes room for the next.
        until(|| Arc::strong_count(&server.feeds) == 1 + 1 + 6).await;
        streams.pop();
        until(|| Arc::strong_count(&server.feeds) == 1 + 1 + 5).await;
        until(|| server.room.streams() == 5).await;
        assert!(server.answer("/stream").await.starts_with("HTTP/1.1 200 OK\r\n"));
        drop((held, streams));
    });
}

#[test]
fn a_request_that_is_being_answered_keeps_its_place() {
    run(async {
        let server = Server::start(LONG).await;
        let mut slow = Vec::new();
        for _ in 0..PLACES {
            slow.push(server.ask("/slow").await);
        }
        let answering = || server.room.taken.borrow().iter().filter(|at| at.doing.get() == Doing::Answers).count();
        until(|| answering() == PLACES).await;
        let mut next = server.ask("/").await;
        // One answer is enough for it to have its turn.
        server.may_answer.notify_one();
        assert!(first_of(&mut next).await.ends_with("page\n"));
        assert_eq!(answering(), PLACES - 1);
    });
}

#[test]
fn patience_ends() {
    run(async {
        let server = Server::start(SHORT).await;
        let silent = TcpStream::connect(server.at).await.unwrap();
        let mut half = TcpStream::connect(server.at).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let held = (server.idle().await, server.unread().await);
        until_closed(silent).await;
        until_closed(half).await;
        until(|| server.room.taken.borrow().is_empty()).await;
        drop(held);
    });
}
