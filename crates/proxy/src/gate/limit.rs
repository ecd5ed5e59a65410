//! `limit_req` and `limit_conn`: whether a request may go on now, later, or not at all.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use conf::tree::{LimitSettings, LogLevel, RateLimit, Refusal};
use net::clock;
use net::timer::Timer;
use route::LimitZone;

use super::zone::{Counted, Fate, Flow, Rates, UnderWay, is_counted};
use crate::answer;
use crate::downstream::{After, Downstream};
use crate::exchange::Exchange;
use crate::request::{Routed, Served};
use crate::upstream::CLIENT_CLOSED;

/// The counts of a configuration, taken over by the next one where a zone stays the same.
#[derive(Debug, Default, Clone)]
pub(crate) struct Zones {
    pub(crate) rates: Vec<Arc<Rates>>,
    pub(crate) connections: Vec<Arc<UnderWay>>,
}

/// What the limits have said of a request, for variables.
#[derive(Debug, Default)]
pub(crate) struct Limited {
    /// `$limit_req_status`.
    pub(crate) rate: Option<&'static str>,
    /// `$limit_conn_status`.
    pub(crate) connections: Option<&'static str>,
    /// It is counted until this goes.
    pub(crate) counted: Vec<Counted>,
}

impl Zones {
    /// The counts of these zones; those of the last configuration where they have the same name and size.
    pub(crate) fn new(router: &route::Router, before: Option<(&route::Router, &Self)>) -> Self {
        let same = |zone: &LimitZone, others: &[LimitZone]| {
            others.iter().position(|other| other.name == zone.name && other.bytes == zone.bytes)
        };
        let rate = |zone: &LimitZone| {
            let kept = before.and_then(|(old, zones)| Some(Arc::clone(&zones.rates[same(zone, old.rate_zones())?])));
            kept.unwrap_or_default()
        };
        let connections = |zone: &LimitZone| {
            let kept = before
                .and_then(|(old, zones)| Some(Arc::clone(&zones.connections[same(zone, old.connection_zones())?])));
            kept.unwrap_or_default()
        };
        Self {
            rates: router.rate_zones().iter().map(rate).collect(),
            connections: router.connection_zones().iter().map(connections).collect(),
        }
    }
}

/// Lets the request pass, has it wait, or says the status to answer with. Each is asked once for a request, wherever
/// that goes.
pub(super) async fn pass(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    limits: &LimitSettings,
) -> Result<(), Served> {
    let has_passed = exchange.record.limited.as_ref().and_then(|limited| limited.rate).is_some();
    if !limits.rates.is_empty() && !has_passed {
        let delay_ms = rate(connection, exchange, routed, limits).map_err(Served::Status)?;
        // Over a connection of its own what is read behind the head would be the request's body.
        let watches = routed.body_is_here || connection.channel.is_http2();
        if delay_ms > 0 && wait(connection, watches, delay_ms).await {
            exchange.record.status = CLIENT_CLOSED;
            return Err(Served::Done(After::Drop));
        }
    }
    let is_counted = exchange.record.limited.as_ref().and_then(|limited| limited.connections).is_some();
    if !limits.connections.is_empty() && !is_counted {
        count(connection, exchange, routed, limits).map_err(Served::Status)?;
    }
    Ok(())
}

/// Waits, and says whether the client has gone meanwhile.
async fn wait(connection: &mut Downstream, mut watches: bool, delay_ms: u64) -> bool {
    let until_ns = clock::now_ns().saturating_add(delay_ms.saturating_mul(1_000_000));
    // Where there is no timer to be had, it does not wait.
    let Ok(mut timer) = Timer::new() else { return false };
    let mut until = pin!(timer.until(until_ns));
    let Downstream { channel, input, .. } = connection;
    poll_fn(|cx| match until.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(false),
        Poll::Pending if watches && channel.is_gone(cx, input, &mut watches) => Poll::Ready(true),
        Poll::Pending => Poll::Pending,
    })
    .await
}

fn limited(exchange: &mut Exchange) -> &mut Limited {
    exchange.record.limited.get_or_insert_default()
}

/// How long the request has to wait; else the status to answer with.
fn rate(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    limits: &LimitSettings,
) -> Result<u64, u16> {
    let snapshot = &routed.site.snapshot;
    let Refusal { status, log_level, is_dry_run } = limits.of_rates;
    let dry_run = if is_dry_run { ", dry run" } else { "" };
    let mut asked: Vec<(&RateLimit, Vec<u8>, Flow)> = Vec::with_capacity(limits.rates.len());
    for limit in &limits.rates {
        let zone = &snapshot.router.rate_zones()[limit.zone];
        let key = key(connection, exchange, routed, zone);
        if is_counted(&key) {
            asked.push((limit, key, Flow { rate: zone.rate, bytes: zone.bytes, now_ms: clock::coarse_ms() }));
        }
    }
    let mut longest = (0, 0, 0);
    let last = asked.len().saturating_sub(1);
    for (index, (limit, key, flow)) in asked.iter().enumerate() {
        let zone = &snapshot.zones.rates[limit.zone];
        let excess = if index == last { zone.count(key, *flow, limit.burst) } else { zone.look(key, *flow) };
        if excess > limit.burst {
            tell(connection, exchange, routed, log_level, "limiting requests", dry_run, (excess, limit.zone));
            limited(exchange).rate = Some(if is_dry_run { "REJECTED_DRY_RUN" } else { "REJECTED" });
            zone.fates.add(if is_dry_run { Fate::RejectedDryRun } else { Fate::Rejected });
            return if is_dry_run { Ok(0) } else { Err(status) };
        }
        longest = longest.max(delay(limit, excess, flow.rate));
    }
    // Those before the last count a request only that none has refused.
    for (limit, key, flow) in asked.iter().take(last) {
        snapshot.zones.rates[limit.zone].count(key, *flow, u64::MAX);
    }
    let (delay_ms, excess, zone) = longest;
    if asked.is_empty() {
        return Ok(0);
    }
    let delayed = if is_dry_run { Fate::DelayedDryRun } else { Fate::Delayed };
    for (limit, ..) in &asked {
        let is_delayed = delay_ms > 0 && limit.zone == zone;
        snapshot.zones.rates[limit.zone].fates.add(if is_delayed { delayed } else { Fate::Passed });
    }
    if delay_ms == 0 {
        limited(exchange).rate = Some("PASSED");
        return Ok(0);
    }
    tell(connection, exchange, routed, less(log_level), "delaying request", dry_run, (excess, zone));
    limited(exchange).rate = Some(if is_dry_run { "DELAYED_DRY_RUN" } else { "DELAYED" });
    Ok(if is_dry_run { 0 } else { delay_ms })
}

/// Milliseconds, with the excess and the zone that they come from.
fn delay(limit: &RateLimit, excess: u64, rate: u64) -> (u64, u64, usize) {
    (excess.saturating_sub(limit.delay).saturating_mul(1000) / rate.max(1), excess, limit.zone)
}

/// nginx tells of what waits one level lower.
fn less(level: LogLevel) -> LogLevel {
    match level {
        LogLevel::Error => LogLevel::Warn,
        LogLevel::Warn => LogLevel::Notice,
        LogLevel::Notice => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

fn tell(
    connection: &Downstream,
    exchange: &Exchange,
    routed: &Routed<'_>,
    level: LogLevel,
    what: &str,
    dry_run: &str,
    (excess, zone): (u64, usize),
) {
    let name = &routed.site.snapshot.router.rate_zones()[zone].name;
    let what = format!("{what}{dry_run}, excess: {}.{:03} by zone \"{name}\"", excess / 1000, excess % 1000);
    connection.log_at(level, exchange, routed, &what);
}

fn count(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    limits: &LimitSettings,
) -> Result<(), u16> {
    let snapshot = &routed.site.snapshot;
    let Refusal { status, log_level, is_dry_run } = limits.of_connections;
    for (index, most) in &limits.connections {
        let zone = &snapshot.router.connection_zones()[*index];
        let key = key(connection, exchange, routed, zone);
        if !is_counted(&key) {
            continue;
        }
        let under_way = &snapshot.zones.connections[*index];
        let Some(counted) = under_way.enter(&key, *most, zone.bytes) else {
            under_way.fates.add(if is_dry_run { Fate::RejectedDryRun } else { Fate::Rejected });
            let dry_run = if is_dry_run { ", dry run," } else { "" };
            let what = format!("limiting connections{dry_run} by zone \"{}\"", zone.name);
            connection.log_at(log_level, exchange, routed, &what);
            let limited = limited(exchange);
            limited.counted.clear();
            limited.connections = Some(if is_dry_run { "REJECTED_DRY_RUN" } else { "REJECTED" });
            return if is_dry_run { Ok(()) } else { Err(status) };
        };
        under_way.fates.add(Fate::Passed);
        let limited = limited(exchange);
        limited.counted.push(counted);
        limited.connections = Some("PASSED");
    }
    Ok(())
}

fn key(connection: &Downstream, exchange: &mut Exchange, routed: &Routed<'_>, zone: &LimitZone) -> Vec<u8> {
    let mut key = Vec::new();
    answer::render(connection, exchange, routed, &zone.key, &mut key);
    key
}
