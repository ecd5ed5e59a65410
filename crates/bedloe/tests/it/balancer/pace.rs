//! `limit_rate` for answers that the balancer gives itself: files and texts, over HTTP/1.1 and HTTP/2.

use std::time::{Duration, Instant};

use crate::support::balancer::Balancer;
use crate::support::http2::{Client, request, run};

/// At 7,500 bytes a second, room comes by 1,500 bytes each fifth of a second: two steps are waited for.
const LENGTH: usize = 3_750;
/// Two steps, but for what a coarse clock may be wrong by.
const AT_LEAST: Duration = Duration::from_millis(250);

fn start(location: &str) -> Balancer {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("page.txt"), "x".repeat(LENGTH)).expect("a file");
    let main = "worker_processes 1;";
    Balancer::start_in(folder, main, &format!("server {{ listen LISTEN http2; root FOLDER; {location} }}"))
}

#[test]
fn answers_of_ones_own_go_at_their_pace() {
    let text = "x".repeat(LENGTH);
    let table = [
        ("location / { limit_rate 7500; }".to_owned(), true),
        (format!("location / {{ limit_rate 7500; send_timeout 100ms; return 200 {text}; }}"), true),
        ("location / { set $limit_rate 7500; }".to_owned(), true),
        ("location / { set $limit_rate 7500; gzip on; gzip_types text/plain; gzip_comp_level 1; }".to_owned(), true),
        ("location / { limit_rate 7500; limit_rate_after 5k; }".to_owned(), false),
        ("location / { limit_rate 7500; set $limit_rate 0; }".to_owned(), false),
    ];
    for (location, is_slow) in table {
        let balancer = start(&location);
        let began = Instant::now();
        let mut client = balancer.connect();
        client.send("GET /page.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        let reply = client.reply();
        assert_eq!((reply.status(), reply.body.len()), (200, LENGTH), "{location}");
        assert!(!is_slow || began.elapsed() >= AT_LEAST, "{location} took {:?}", began.elapsed());
        let began = Instant::now();
        let answer =
            run(async { Client::to(balancer.address()).await.ask(request("GET", "/page.txt"), None).await }).unwrap();
        assert_eq!((answer.status, answer.text().len()), (200, LENGTH), "{location}");
        assert!(!is_slow || began.elapsed() >= AT_LEAST, "{location} over HTTP/2 took {:?}", began.elapsed());
    }
}
