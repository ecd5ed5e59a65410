//! A stand-in over a socket: literal requests, and the ends of connections.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::{Fault, Options, StandIn, pages, tell};

/// A stand-in in the test's own thread, and the order to stop it.
struct Running {
    address: std::net::SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    done: tokio::task::JoinHandle<()>,
}

fn options() -> Options {
    let mut options = Options::new("127.0.0.1:0".parse().unwrap(), "liberty-1");
    options.clone = Some("s1".into());
    options
}

async fn start(options: Options) -> Running {
    let stand_in = StandIn::bind(options).await.unwrap();
    let address = stand_in.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let done = tokio::task::spawn_local(stand_in.serve(async move {
        let _ = stopped.await;
    }));
    Running { address, stop: Some(stop), done }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        exchange(&mut stream, request).await
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

/// Sends a request and reads one answer that says its length, or up to the end.
async fn exchange(stream: &mut TcpStream, request: &str) -> String {
    match stream.write_all(request.as_bytes()).await {
        Ok(()) => answer(stream).await,
        Err(_) => String::new(),
    }
}

async fn answer(stream: &mut TcpStream) -> String {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&seen);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if length.is_some_and(|length| body.len() >= length.parse::<usize>().unwrap()) {
                return text.into_owned();
            }
        }
        // A reset ends what is said as an orderly end does.
        match stream.read(&mut piece).await.unwrap_or(0) {
            0 => return text.into_owned(),
            n => seen.extend_from_slice(&piece[..n]),
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(20), test).await.unwrap();
    });
}

fn get(page: &str) -> String {
    format!("GET {page} HTTP/1.1\r\nHost: liberty\r\n\r\n")
}

#[test]
fn hello_is_58_bytes_of_json() {
    assert_eq!(pages::HELLO.len(), 58);
    assert!(serde_json::from_str::<serde_json::Value>(pages::HELLO).is_ok());
    run(async {
        let said = start(options()).await.ask(&get("/accounts-external/api/hello")).await;
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(said.contains("Content-Length: 58\r\n") && said.ends_with(pages::HELLO), "{said}");
    });
}

#[test]
fn pages_and_their_statuses() {
    run(async {
        let server = start(options()).await;
        let table = [
            ("/health/ready", "200", r#"{"status":"UP","checks":[]}"#),
            ("/health/live", "200", r#"{"status":"UP","checks":[]}"#),
            ("/health/started", "200", r#"{"status":"UP","checks":[]}"#),
            ("/accounts-external/api/none", "404", "Error 404"),
            ("/accounts-external/api/sink", "405", "Error 405"),
            ("/accounts-external/api/hello?status=503", "503", "Error 503"),
            ("/accounts-external/api/hello?delay_ms=1", "200", "hello"),
            ("/accounts-external/api/bytes?n=3", "200", "xxx"),
            ("/accounts-external/api/orders", "200", r#""total":0"#),
            ("/other", "404", "Context Root Not Found"),
        ];
        for (page, status, part) in table {
            let said = server.ask(&get(page)).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")) && said.contains(part), "{page}: {said}");
        }
    });
}

#[test]
fn a_session_goes_by_cookie_and_by_address() {
    run(async {
        let server = start(options()).await;
        let said = server.ask(&get("/accounts-external/api/session")).await;
        let cookie = said.lines().find_map(|line| line.strip_prefix("Set-Cookie: JSESSIONID=")).unwrap();
        let (value, rest) = cookie.split_once(';').unwrap();
        assert_eq!(rest, " Path=/; HttpOnly");
        assert!(value.starts_with("0000") && value.ends_with(":s1") && value.len() == 4 + 23 + 3, "{value}");
        let by_cookie =
            format!("GET /accounts-external/api/session HTTP/1.1\r\nHost: a\r\nCookie: JSESSIONID={value}\r\n\r\n");
        let said = server.ask(&by_cookie).await;
        assert!(said.contains(r#"{"n":2,"server":"liberty-1","id":""#) && !said.contains("Set-Cookie"), "{said}");
        let said = server.ask(&get(&format!("/accounts-external/api/session;jsessionid={value}"))).await;
        assert!(said.contains(r#"{"n":3,"#), "{said}");
    });
}

#[test]
fn an_order_counts_when_all_of_it_has_arrived() {
    run(async {
        let server = start(options()).await;
        let half = "POST /accounts-external/api/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\norder";
        let mut stream = server.connect().await;
        stream.write_all(half.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        answer(&mut stream).await;
        let whole = half.replace("\r\n\r\norder", "\r\n\r\norder-001");
        let said = server.ask(&whole).await;
        assert!(said.ends_with(r#"{"id":"order-001","count":1,"server":"liberty-1"}"#), "{said}");
        let said = server.ask(&get("/accounts-external/api/orders")).await;
        assert!(said.ends_with(r#"{"total":1,"distinct":1,"repeated":0,"duplicates":[]}"#), "{said}");
    });
}

#[test]
fn an_old_client_gets_an_old_answer() {
    run(async {
        let server = start(options()).await;
        let mut stream = server.connect().await;
        let said = exchange(&mut stream, "GET /accounts-external/api/hello HTTP/1.0\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.0 200 OK\r\n"), "{said}");
        assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
    });
}

#[test]
fn five_hundred_fields_are_the_most() {
    run(async {
        let server = start(options()).await;
        for (count, status) in [(499, "200"), (500, "431")] {
            let fields = "X-Field: 1\r\n".repeat(count);
            let head = format!("GET /accounts-external/api/hello HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let said = server.ask(&head).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{count}: {said}");
        }
    });
}

#[test]
fn an_idle_connection_ends_with_a_bare_fin() {
    run(async {
        let server = start(Options { persist_timeout: Duration::from_millis(300), ..options() }).await;
        let mut stream = server.connect().await;
        exchange(&mut stream, &get("/accounts-external/api/hello")).await;
        let before = Instant::now();
        assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
        let idle = before.elapsed();
        assert!((200..10_000).contains(&idle.as_millis()), "{idle:?}");
        // A request that takes longer than the time-out is not idle.
        let said = server.ask(&get("/accounts-external/api/hello?delay_ms=700")).await;
        assert!(said.ends_with(pages::HELLO), "{said}");
    });
}

#[test]
fn it_stops_as_liberty_does() {
    run(async {
        let mut server = start(options()).await;
        let (mut idle, mut kept) = (server.connect().await, server.connect().await);
        exchange(&mut idle, &get("/accounts-external/api/hello")).await;
        exchange(&mut kept, &get("/accounts-external/api/hello")).await;
        let mut busy = server.connect().await;
        busy.write_all(get("/accounts-external/api/hello?delay_ms=600").as_bytes()).await.unwrap();
        // What arrived before these was taken up before they were answered.
        for _ in 0..3 {
            exchange(&mut kept, &get("/accounts-external/api/hello")).await;
        }
        server.stop();
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        let last = exchange(&mut kept, &get("/accounts-external/api/hello")).await;
        // On a machine that is too slow for it, it came after the end of idle connections.
        assert!(last.is_empty() || last.contains("Connection: close\r\n"), "{last}");
        assert_eq!(idle.read(&mut [0; 9]).await.unwrap(), 0);
        let said = answer(&mut busy).await;
        assert!(said.ends_with(pages::HELLO) && said.contains("Connection: close\r\n"), "{said}");
        server.done.await.unwrap();
    });
}

#[test]
fn it_does_wrong_as_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("faults.sock");
    let page = get("/accounts-external/api/hello");
    run(async {
        let server = start(Options { faults: Some(socket.clone()), ..options() }).await;
        let mut kept = server.connect().await;
        let said = exchange(&mut kept, &page).await;
        assert!(said.contains("X-Served-By: liberty-1\r\n") && said.ends_with(pages::HELLO), "{said}");
        tell(&socket, Fault::Race).await.unwrap();
        assert_eq!(exchange(&mut kept, &page).await, "");
        assert!(server.ask(&page).await.ends_with(pages::HELLO));
        tell(&socket, Fault::Unavailable).await.unwrap();
        for page in [&page, &get("/health/ready")] {
            assert!(server.ask(page).await.starts_with("HTTP/1.1 503 "));
        }
        tell(&socket, Fault::Cut).await.unwrap();
        let said = server.ask(&page).await;
        assert!(said.contains("Content-Length: 58\r\n") && said.ends_with(&pages::HELLO[..29]), "{said}");
        tell(&socket, Fault::Hang).await.unwrap();
        let mut waits = server.connect().await;
        waits.write_all(page.as_bytes()).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(50), answer(&mut waits)).await;
        assert!(early.is_err(), "{early:?}");
        tell(&socket, Fault::None).await.unwrap();
        assert!(answer(&mut waits).await.ends_with(pages::HELLO));
    });
}

#[test]
fn it_resets_connections_as_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("faults.sock");
    // What came of the answer before the connection's end.
    async fn until_reset(server: &Running, request: &str) -> String {
        let (mut stream, mut seen) = (server.connect().await, Vec::new());
        stream.write_all(request.as_bytes()).await.unwrap();
        let end = stream.read_to_end(&mut seen).await.map_err(|error| error.kind());
        assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
        String::from_utf8(seen).unwrap()
    }
    run(async {
        let server = start(Options { faults: Some(socket.clone()), ..options() }).await;
        let order = "POST /accounts-external/api/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na";
        tell(&socket, Fault::Reset).await.unwrap();
        assert_eq!(until_reset(&server, order).await, "");
        tell(&socket, Fault::ResetWithin).await.unwrap();
        until_reset(&server, &get("/accounts-external/api/hello")).await;
        tell(&socket, Fault::None).await.unwrap();
        let said = server.ask(&get("/accounts-external/api/orders")).await;
        assert!(said.ends_with(r#"{"total":1,"distinct":1,"repeated":0,"duplicates":[]}"#), "{said}");
    });
}

#[test]
fn what_is_no_fault_is_answered_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("faults.sock");
    run(async {
        let _server = start(Options { faults: Some(socket.clone()), ..options() }).await;
        for nonsense in ["hangs\n", "\n", &"x".repeat(64)] {
            let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
            stream.write_all(nonsense.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            assert!(said.starts_with("no such fault; say one of none, hang, reset,"), "{said}");
        }
    });
}

#[test]
fn readiness_can_come_late() {
    run(async {
        let server = start(Options { ready_after: Duration::from_secs(3600), ..options() }).await;
        let said = server.ask(&get("/health/ready")).await;
        assert!(said.starts_with("HTTP/1.1 503 ") && said.ends_with(r#"{"status":"DOWN","checks":[]}"#), "{said}");
        assert!(server.ask(&get("/health/live")).await.starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn options_that_make_no_sense_are_refused() {
    run(async {
        let table = [
            Options { error_rate: 1.5, ..options() },
            Options { error_status: 99, ..options() },
            Options { name: "a\"b".into(), ..options() },
            Options { clone: Some("s:1".into()), ..options() },
        ];
        for bad in table {
            assert!(StandIn::bind(bad).await.is_err());
        }
    });
}
