//! Tests of one server's health that need several threads.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::testing::peer;

/// Runs `work` on four threads at once and counts how often it was true.
#[allow(clippy::disallowed_methods, reason = "the test is about threads")]
fn count(shared: &Arc<Peer>, work: impl Fn(&Peer) -> bool + Send + Copy + 'static) -> usize {
    let total = Arc::new(AtomicUsize::new(0));
    let one = |_| {
        let (shared, total) = (Arc::clone(shared), Arc::clone(&total));
        std::thread::spawn(move || {
            let hits = (0..1000).filter(|_| work(&shared)).count();
            total.fetch_add(hits, Relaxed);
        })
    };
    let threads: Vec<_> = (0..4).map(one).collect();
    assert!(threads.into_iter().all(|thread| thread.join().is_ok()));
    total.load(Relaxed)
}

#[test]
fn of_many_threads_one_reports_the_change_and_one_gets_the_probe() {
    let shared = Arc::new(Peer::new(PeerSettings { max_fails: 100, ..peer("a") }, false, false));
    assert_eq!(count(&shared, |peer| peer.release(0, Outcome::Failure, 5) == Some(Transition::Down { peer: 0 })), 1);
    assert_eq!(count(&shared, |peer| peer.claim(10_006)), 1);
    assert_eq!(count(&shared, |peer| peer.release(0, Outcome::Success, 10_007).is_some()), 1);
    assert_eq!(shared.state(10_007), State::Up);
}

#[test]
fn places_are_never_oversold() {
    let shared = Arc::new(Peer::new(PeerSettings { max_conns: 7, ..peer("a") }, false, false));
    assert_eq!(count(&shared, |peer| peer.claim(1)), 7);
    assert_eq!(shared.in_flight(), 7);
}
