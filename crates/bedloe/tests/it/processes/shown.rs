//! What is shown of reloads, upgrades and kills at a rate: all of it by `bench/stays`, a few of each every day.
//!
//! Half of the clients speak HTTP/2, and of either half one half keep their connections while the others make one for
//! each request. Every fourth request is a POST with a number of its own, and the server counts how often each comes.

mod clients;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::nginx::{Running, read_pid};
use crate::support::balancer::{Balancer, pause, proxying, wait_until};
use crate::support::scripted::{Scripted, ok};
use clients::{CLIENTS, Clients, posts};

/// Time between two events: some hundreds of requests.
const PAUSE: Duration = Duration::from_millis(300);
/// A killed worker is replaced within this time.
const GAP: Duration = Duration::from_millis(100);

struct Amounts {
    reloads: usize,
    kills: usize,
    upgrades: usize,
    /// Requests a second.
    rate: u32,
    /// How long nobody may serve after a kill.
    gap: Duration,
}

#[test]
#[ignore = "a minute at 2,000 requests a second; bench/stays runs it"]
fn fifty_reloads_five_upgrades_five_kills() {
    run(&Amounts { reloads: 50, kills: 5, upgrades: 5, rate: 2_000, gap: GAP });
}

#[test]
fn some_reloads_a_kill_and_an_upgrade() {
    // A test's program is built for debugging, and its machine does other things meanwhile.
    run(&Amounts { reloads: 5, kills: 1, upgrades: 1, rate: 400, gap: GAP * 10 });
}

#[allow(clippy::print_stderr, reason = "it is there to show figures")]
fn run(amounts: &Amounts) {
    let upstream = Scripted::start(|link, _| {
        loop {
            link.head()?;
            link.send(ok("hi"))?;
        }
    });
    let main = "worker_processes 2;";
    let http = |round: usize| {
        let http = proxying(&[upstream.address()], &format!("keepalive_requests {};", 10_000 + round), "");
        http.replace("listen LISTEN;", "listen LISTEN http2;")
    };
    let balancer = Balancer::start_in(tempfile::tempdir().expect("a folder"), main, &http(0));
    let rate = amounts.rate;
    let answered = during(&balancer, &format!("{} reloads", amounts.reloads), rate, 0, || {
        for round in 0..amounts.reloads {
            balancer.rewrite(main, &http(round + 1));
            balancer.reload();
            rest();
        }
    });
    assert!(answered > amounts.reloads * (rate / 20) as usize, "{answered} answers are no load");
    let mut gaps = Vec::new();
    let in_flight = amounts.kills * CLIENTS as usize;
    during(&balancer, &format!("{} kills", amounts.kills), rate, in_flight, || {
        for _ in 0..amounts.kills {
            gaps.push(gap_after_a_kill(&balancer));
            rest();
        }
    });
    eprintln!("served again after {gaps:?}");
    assert!(gaps.iter().all(|gap| *gap < amounts.gap), "a worker is replaced within {:?}: {gaps:?}", amounts.gap);
    let mut running = Running(balancer.pid());
    during(&balancer, &format!("{} upgrades", amounts.upgrades), rate, 0, || {
        for _ in 0..amounts.upgrades {
            running = upgrade(&balancer, &running);
            rest();
        }
    });
    running.signal(Signal::TERM);
    running.wait();
    assert_eq!(repeated(&upstream), Vec::<String>::new(), "no POST is done twice");
    eprintln!("{} POSTs, none done twice", posts());
}

/// Has clients ask while something is done; so many requests may fail. Gives the number of answers.
#[allow(clippy::print_stderr, reason = "it is there to show figures")]
fn during(balancer: &Balancer, what: &str, rate: u32, may_fail: usize, work: impl FnOnce()) -> usize {
    let started = Instant::now();
    let clients = Clients::start(balancer.address(), rate);
    rest();
    work();
    rest();
    let ([answers, answers_h2], seconds) = (clients.answers(), started.elapsed().as_secs_f64());
    let failed = clients.end();
    let all = answers + answers_h2;
    eprintln!(
        "{what}: {all} answers, {answers_h2} of them over HTTP/2, {:.0} a second, {} failed",
        all as f64 / seconds,
        failed.len()
    );
    assert!(failed.len() <= may_fail, "{failed:?}");
    assert!(failed.iter().all(|failure| !failure.contains("refused")), "{failed:?}");
    assert!(answers_h2 > all / 3, "half of the clients speak HTTP/2");
    all
}

fn gap_after_a_kill(balancer: &Balancer) -> Duration {
    balancer.signal_worker(Signal::KILL);
    let killed = Instant::now();
    assert!(balancer.ask("GET / HTTP/1.0\r\n\r\n").ends_with("hi"));
    killed.elapsed()
}

/// Replaces the program, and gives the new one.
fn upgrade(balancer: &Balancer, old: &Running) -> Running {
    let before = balancer.said().matches("bedloe: serving ").count();
    old.signal(Signal::USR2);
    wait_until("the new program", || balancer.said().matches("bedloe: serving ").count() > before);
    let new = Running(read_pid(&balancer.folder().join("pid")).expect("a pid file"));
    assert_ne!(new.0, old.0);
    old.signal(Signal::QUIT);
    old.wait();
    new
}

/// Posts that came to the server more than once.
fn repeated(upstream: &Scripted) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for received in upstream.received() {
        for line in received.lines().filter(|line| line.starts_with("POST ")) {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(line, count)| format!("{line}: {count}")).collect()
}

fn rest() {
    let end = Instant::now() + PAUSE;
    while Instant::now() < end {
        pause();
    }
}
