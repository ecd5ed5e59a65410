//! `outlier_ejection`: servers that stand out are looked for a few times a second, and each change is told.

use balance::{Change, Outlier};
use conf::tree::LogLevel;
use net::clock;

use crate::events::Event;
use crate::site::Upstream;
use crate::snapshot::Reason;
use crate::thread::Thread;

/// Ejects servers of an upstream, and takes them back.
pub(crate) fn look(thread: &Thread, upstream: &Upstream) {
    let group = &upstream.shared.group;
    let Some(rule) = group.outlier_rule() else { return };
    for change in group.judge_outliers(clock::coarse_ms()) {
        match change {
            Change::Ejected { peer, why, for_ms } => {
                let why = format!("ejected for {} s: {}", for_ms as f64 / 1_000.0, shown(why, rule.interval_ms));
                if let Some(detail) = upstream.counters(peer).detail.get() {
                    detail.unavailable.add(1);
                }
                tell(thread, upstream, peer, "down", why);
            }
            Change::Returned { peer } => tell(thread, upstream, peer, "up", "no longer ejected".to_owned()),
        }
    }
}

/// In what a server stands out, for people.
fn shown(why: Outlier, interval_ms: u64) -> String {
    let seconds = interval_ms as f64 / 1_000.0;
    match why {
        Outlier::Errors { own: (errors, requests), others: (others_errors, others_requests) } => format!(
            "{errors} of {requests} requests failed in {seconds} s, {others_errors} of {others_requests} at the others"
        ),
        Outlier::Late { own_ms, others_ms } => {
            format!("answers took {own_ms:.1} ms in {seconds} s, {others_ms:.1} ms at the others")
        }
    }
}

fn tell(thread: &Thread, upstream: &Upstream, peer: usize, event: &'static str, why: String) {
    let at_ms = thread.dates.borrow_mut().unix_ms();
    if let Ok(mut reasons) = upstream.shared.reasons.lock() {
        reasons.insert(peer, Reason { why: why.clone(), unix_ms: at_ms });
    }
    let (name, address) = (&upstream.shared.name, &upstream.shared.addresses[peer]);
    thread.log_process(LogLevel::Warn, &format!("peer {address} in upstream \"{name}\" is {why}"));
    let server = upstream.shared.group.peers()[peer].settings().name.clone();
    thread.events.send(Event { at_ms, event, upstream: name.clone(), server, why, count: 1 });
}
