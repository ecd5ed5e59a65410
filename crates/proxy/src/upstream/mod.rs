//! A request's way to an upstream server and back: which server, again elsewhere if it fails, the answer passed on.

mod affinity;
pub(crate) mod attempt;
pub(crate) mod body;
pub(crate) mod course;
pub(crate) mod ejected;
pub(crate) mod fields;
mod head;
mod passing;
pub(crate) mod pool;
pub(crate) mod queue;
mod redirect;
mod relay;
mod rewrite;
#[cfg(test)]
mod simulation;
pub(crate) mod spool;
pub(crate) mod target;
mod tunnel;
mod upload;
pub(crate) mod way;

use std::net::IpAddr;
use std::task::{Context, Waker};

use balance::{BudgetCounts, Exchange as Known, Failure, Outcome, RetryBudget, RetryShare, Transition, Verdict};
use net::clock;
use route::{Algorithm, ProxyRule, Text, To};
use wire::Framing;

use crate::channel::Channel;
use crate::downstream::{After, Downstream};
use crate::events::Event;
use crate::exchange::Exchange;
use crate::request::{Routed, Served};
use crate::site::{Held, Upstream};
use crate::snapshot::Reason;
use attempt::{Answered, Failed, Stop};
use course::{Course, Judged};
use passing::pass_on;
use upload::Upload;

/// nginx's statuses for clients that get no answer; only logs show them. For one that closed while it waited:
pub(crate) const CLIENT_CLOSED: u16 = 499;
/// one that sent too little for too long, and so waits for nothing:
pub(crate) const CLIENT_TIMED_OUT: u16 = 408;
/// and one that closed before its request was whole.
const CUT_OFF: u16 = 400;

/// No status below this is one that `proxy_next_upstream` can name.
const LEAST_REFUSAL: u16 = 400;

/// Why no answer of a server is passed on.
enum Unanswered {
    /// The client gets a page of this status.
    Page(u16),
    /// The client is gone, or as good as; the log says this status.
    Closed(u16),
}

/// What an attempt leads to.
enum Next<'a> {
    /// Its answer is passed on after all.
    Answered(Held<'a>, Answered),
    /// The same server, over a fresh connection.
    Same(Held<'a>),
    Other,
    Finish(u16),
}

/// Sends the request to an upstream server and its answer to the client.
pub(crate) async fn proxy<'a>(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'a>,
    rule: &'a ProxyRule,
) -> Served {
    routed.rule = Some(rule);
    if let To::Variable { text, .. } = &rule.to
        && let Err(what) = evaluate(connection, exchange, routed, rule, text)
    {
        connection.log_failure(exchange, routed, &what, None);
        return Served::Status(500);
    }
    let mut upload = match body::prepare(connection, exchange, routed, rule).await {
        Ok(upload) => upload,
        Err(body::Unready::Closed(status)) => {
            return Served::Done(closed_by_client(connection, exchange, routed, status));
        }
        Err(body::Unready::Here(what)) => {
            connection.log_failure(exchange, routed, &what, None);
            return Served::Status(500);
        }
        Err(body::Unready::Status(status)) => return Served::Status(status),
    };
    // A client that resets its streams as soon as it has opened them must not make work for servers.
    if let Channel::Http2(stream) = &mut connection.channel
        && stream.is_gone(&mut Context::from_waker(Waker::noop()))
    {
        return Served::Done(closed_by_client(connection, exchange, routed, CLIENT_CLOSED));
    }
    let found;
    let (number, upstream) = match &rule.to {
        To::Upstream(number) => (Some(*number), &*routed.site.upstreams[*number]),
        To::Variable { resolver, .. } => match Box::pin(target::find(connection, exchange, routed, *resolver)).await {
            Ok(servers) => {
                found = servers;
                found.upstream()
            }
            Err(what) => {
                connection.log_failure(exchange, routed, &what, None);
                return Served::Status(502);
            }
        },
    };
    exchange.routes.clear();
    if let Some(number) = number {
        affinity::find(connection, exchange, routed, rule, number);
        render_key(connection, exchange, routed, rule, number);
    }
    let attempted = attempts(connection, exchange, routed, rule, upstream, &mut upload).await;
    if let Ok((held, _)) = &attempted {
        affinity::answered(connection, exchange, routed, rule, held);
    }
    match attempted {
        Ok((held, answered)) if redirect::is_asked(exchange, rule) => {
            redirect::follow(connection, exchange, routed, rule, held, answered, &upload)
        }
        Ok((held, answered)) if redirect::is_intercepted(exchange, routed, rule) => {
            redirect::intercept(connection, exchange, held, answered, &upload)
        }
        Ok((held, answered)) => pass_on(connection, exchange, routed, rule, held, answered, &mut upload).await,
        Err(Unanswered::Closed(status)) => Served::Done(closed_by_client(connection, exchange, routed, status)),
        Err(Unanswered::Page(status)) => unanswered(exchange, &upload, status),
    }
}

/// No server has answered: a page of this status is due.
fn unanswered(exchange: &mut Exchange, upload: &Upload, status: u16) -> Served {
    exchange.request.keep_alive &= upload.is_taken();
    // What only one server has seen cannot go to an error page's.
    if upload.has_begun {
        exchange.request.framing = Framing::None;
    }
    Served::Status(status)
}

/// Tries servers until one answers; else the status to answer with.
async fn attempts<'a>(
    connection: &mut Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    upstream: &'a Upstream,
    upload: &mut Upload,
) -> Result<(Held<'a>, Answered), Unanswered> {
    exchange.begun_ms = clock::coarse_ms();
    if let Some(budget) = &upstream.shared.budget {
        budget.count(exchange.begun_ms);
    }
    // Most requests need none: their first attempt is answered.
    exchange.course = None;
    let mut held = match pick(exchange, upstream) {
        Some(held) => held,
        None => Box::pin(queue::wait(connection, exchange, routed, rule, upstream, upload)).await?,
    };
    loop {
        // Nothing of an attempt may outlive this block: what waits for a server must not be larger for it.
        {
            let attempted = attempt::attempt(connection, exchange, routed, rule, &held, upload).await;
            if let (Some(detail), Some(attempt)) = (held.detail(), exchange.record.attempts.last()) {
                detail.tried(attempt, attempted.is_ok());
            }
            let attempted = match attempted {
                Ok(answered) if exchange.response.status < LEAST_REFUSAL => return Ok((held, answered)),
                other => other,
            };
            match failed(connection, exchange, routed, rule, held, attempted, upload)? {
                Next::Answered(held, answered) => return Ok((held, answered)),
                Next::Same(same) => {
                    held = same;
                    continue;
                }
                Next::Other => {}
                Next::Finish(status) => return Err(Unanswered::Page(status)),
            }
        }
        held = match pick(exchange, upstream) {
            Some(held) => held,
            None => Box::pin(queue::wait(connection, exchange, routed, rule, upstream, upload)).await?,
        };
    }
}

/// What comes after an attempt that was not simply answered.
fn failed<'a>(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    held: Held<'a>,
    attempted: Result<Answered, Stop>,
    upload: &Upload,
) -> Result<Next<'a>, Unanswered> {
    if let Err(stop) = &attempted {
        exchange.record.end_attempt(stop.status());
    }
    let begun_ms = exchange.begun_ms;
    let mut course =
        exchange.course.take().unwrap_or_else(|| Course::first(rule, &held.upstream.shared.group, begun_ms));
    let next = match attempted {
        Ok(answered) => match refused_answer(exchange, &course, &answered, upload) {
            None => return Ok(Next::Answered(held, answered)),
            Some(failed) => match judge(connection, exchange, routed, held, &failed, &mut course) {
                Err(held) => return Ok(Next::Answered(held, answered)),
                Ok(next) => next,
            },
        },
        Err(Stop::Closed(status)) => return Err(Unanswered::Closed(status)),
        Err(Stop::Client(status)) => return Err(Unanswered::Page(status)),
        Err(Stop::Here(what)) => {
            connection.log_failure(exchange, routed, &what, None);
            return Err(Unanswered::Page(500));
        }
        Err(Stop::Failed(failed)) => {
            judge(connection, exchange, routed, held, &failed, &mut course).unwrap_or(Next::Finish(502))
        }
    };
    if matches!(next, Next::Other) {
        course.picked();
    }
    exchange.course = Some(course);
    Ok(next)
}

/// A server for the next attempt, if there is one that may be tried now. Nobody goes before those who wait.
fn pick<'a>(exchange: &mut Exchange, upstream: &'a Upstream) -> Option<Held<'a>> {
    if upstream.line.is_used() {
        return None;
    }
    upstream.pick(&mut exchange.attempts, &exchange.routes, &exchange.key, clock::coarse_ms())
}

/// An answer whose status `proxy_next_upstream` names is a failure.
fn refused_answer(exchange: &Exchange, course: &Course, answered: &Answered, upload: &Upload) -> Option<Failed> {
    let status = exchange.response.status;
    if !course.concerns(status) {
        return None;
    }
    let known = Known { replayable: !upload.has_begun, ..answered.known };
    let what = format!("upstream answered {status}");
    Some(Failed { failure: Failure::Status(status), known, is_local: false, what })
}

/// Asks the retry rule, and releases the server unless it is to be asked again or its answer is passed on (`Err`).
fn judge<'a>(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    held: Held<'a>,
    failed: &Failed,
    course: &mut Course,
) -> Result<Next<'a>, Held<'a>> {
    let now_ms = clock::coarse_ms();
    let (upstream, peer) = (held.upstream, held.peer);
    let budget = upstream.shared.budget.as_ref();
    let Judged { verdict, outcome, is_denied } = course.judge(failed.failure, failed.known, budget, now_ms);
    let name = upstream.shared.group.peers()[peer].settings().name.as_str();
    if let Some(budget) = budget.filter(|_| is_denied) {
        let what = format!("{}, and no other server is tried: {}", failed.what, used_up(budget, now_ms));
        connection.log_failure(exchange, routed, &what, Some(name));
    }
    if verdict == Verdict::PassOn {
        return Err(held);
    }
    if !is_denied {
        connection.log_failure(exchange, routed, &failed.what, Some(name));
    }
    if verdict == Verdict::SamePeerFresh {
        upstream.counters(peer).retries.add(1);
        return Ok(Next::Same(held));
    }
    if let (false, Some(attempt)) = (failed.is_local, exchange.record.attempts.last()) {
        held.failed(failed.failure, attempt.started_ms);
    }
    let outcome = if failed.is_local { Outcome::Neutral } else { outcome };
    let transition = held.release(outcome, now_ms);
    report(connection, upstream, transition, &failed.what);
    match verdict {
        Verdict::NextPeer => {
            upstream.counters(peer).retries.add(1);
            Ok(Next::Other)
        }
        Verdict::Finish { .. } if failed.is_local => Ok(Next::Finish(500)),
        Verdict::Finish { status } => Ok(Next::Finish(status)),
        Verdict::PassOn | Verdict::SamePeerFresh => Ok(Next::Finish(502)),
    }
}

/// Why no more retries are made, with the figures.
#[cold]
fn used_up(budget: &RetryBudget, now_ms: u64) -> String {
    let BudgetCounts { requests, retries, .. } = budget.counts(now_ms);
    let RetryShare { percent, least } = budget.share();
    format!("retry_budget {percent}% min={least} is used up: {retries} retries of {requests} requests in 10 s")
}

/// Tells of a server that went down or came back.
fn report(connection: &Downstream, upstream: &Upstream, transition: Option<Transition>, why: &str) {
    let (peer, event, why) = match transition {
        None => return,
        Some(Transition::Down { peer }) => (peer, "down", why),
        Some(Transition::Up { peer }) => (peer, "up", "answered again"),
    };
    let at_ms = connection.thread.dates.borrow_mut().unix_ms();
    let reason = Reason { why: why.to_owned(), unix_ms: at_ms };
    if let Ok(mut reasons) = upstream.shared.reasons.lock() {
        reasons.insert(peer, reason);
    }
    if let Some(detail) = upstream.counters(peer).detail.get().filter(|_| event == "down") {
        detail.unavailable.add(1);
    }
    connection.thread.events.send(Event {
        at_ms,
        event,
        upstream: upstream.shared.name.clone(),
        server: upstream.shared.group.peers()[peer].settings().name.clone(),
        why: why.to_owned(),
        count: 1,
    });
}

/// The client went away or fell silent: nothing is sent, the log says 499 or 408.
fn closed_by_client(connection: &mut Downstream, exchange: &mut Exchange, routed: &Routed<'_>, status: u16) -> After {
    exchange.record.status = status;
    if status == CLIENT_TIMED_OUT {
        let what = "client timed out (110: Connection timed out) while reading client request body";
        connection.log_info(exchange, routed, what);
        return connection.cut_off(routed);
    }
    After::Drop
}

/// Notes where a `proxy_pass` with variables leads; else what is wrong with it.
fn evaluate(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    text: &Text,
) -> Result<(), String> {
    let Exchange { request, path, key, maps, record, .. } = &mut *exchange;
    key.clear();
    let facts = connection.facts(request, routed, path, record, Some(rule));
    text.render(&facts, &routed.site.maps, maps, key);
    record.proxied = Some(Box::new(target::read(key)?));
    Ok(())
}

fn render_key(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &Routed<'_>,
    rule: &ProxyRule,
    upstream: usize,
) {
    let Exchange { request, path, key, maps, record, attempts, .. } = exchange;
    key.clear();
    match &routed.site.snapshot.router.upstreams()[upstream].algorithm {
        Algorithm::RoundRobin | Algorithm::LeastConn | Algorithm::LeastTime { .. } => {}
        Algorithm::Hash { key: text, .. } => {
            let facts = connection.facts(request, routed, path, record, Some(rule));
            text.render(&facts, &routed.site.maps, maps, key);
        }
        // Of IPv4 the network of a client, as nginx does.
        Algorithm::IpHash => match connection.client.remote.ip() {
            IpAddr::V4(ip) => key.extend_from_slice(&ip.octets()[..3]),
            IpAddr::V6(ip) => key.extend_from_slice(&ip.octets()),
        },
        Algorithm::Random { .. } => attempts.seed(connection.thread.random.borrow_mut().number()),
    }
}
