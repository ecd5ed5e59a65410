//! Facts about the answer and about the servers that were asked for it.

use jiff::tz::TimeZone;
use net::clock;
use route::Fact;
use wire::Known;

use super::{Attempt, RequestFacts, Tried, append, append_any, append_found, put, seconds};
use crate::basic::append_user;
use crate::gate::Limited;
use crate::lines;

impl RequestFacts<'_> {
    pub(super) fn of_answer(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        match fact {
            Fact::Status => put(out, format_args!("{:03}", self.record.status)),
            Fact::BodyBytesSent => put(out, format_args!("{}", self.record.body_bytes())),
            Fact::BytesSent => put(out, format_args!("{}", self.record.sent)),
            Fact::RequestLength => put(out, format_args!("{}", self.record.request_bytes)),
            Fact::RequestTime => seconds(out, Some(clock::coarse_ms()), self.record.started_ms),
            Fact::TimeLocal => return append(self.thread.dates.borrow_mut().local().as_bytes(), out),
            Fact::TimeIso8601 => return append(self.thread.dates.borrow_mut().iso8601().as_bytes(), out),
            Fact::DateLocal => append_date(self.thread.dates.borrow_mut().unix_ms(), TimeZone::system(), out),
            Fact::DateGmt => append_date(self.thread.dates.borrow_mut().unix_ms(), TimeZone::UTC, out),
            Fact::Msec => {
                let now_ms = self.thread.dates.borrow_mut().unix_ms();
                put(out, format_args!("{}.{:03}", now_ms / 1_000, now_ms % 1_000));
            }
            Fact::LimitReqStatus => return append_found(self.limited(|limited| limited.rate), out),
            Fact::LimitConnStatus => return append_found(self.limited(|limited| limited.connections), out),
            Fact::RequestCompletion => out.extend_from_slice(if self.record.is_complete { b"OK" } else { b"" }),
            Fact::RemoteUser => return self.field(Known::Authorization).is_some_and(|field| append_user(field, out)),
            Fact::GzipRatio => return self.record.gzip.is_some_and(|(from, to)| append_ratio(from, to, out)),
            Fact::LimitRate => put(out, format_args!("{}", self.record.limit_rate.unwrap_or(0))),
            Fact::RequestBody => {
                let body = self.record.lines.as_ref().map(|lines| lines.body.as_slice()).unwrap_or_default();
                return append_any(body, out);
            }
            Fact::RequestBodyFile => return false,
            Fact::Pid => put(out, format_args!("{}", std::process::id())),
            Fact::Hostname => return append(rustix::system::uname().nodename().to_bytes(), out),
            Fact::NginxVersion => return append(b"1.29.8", out),
            _ => return self.of_upstream(fact, out),
        }
        true
    }

    /// What a limit has said of the request.
    fn limited(&self, of: impl Fn(&Limited) -> Option<&'static str>) -> Option<&[u8]> {
        self.record.limited.as_ref().and_then(|limited| of(limited)).map(str::as_bytes)
    }

    /// A value for each attempt, separated as nginx does; false before there was one.
    fn attempts(&self, out: &mut Vec<u8>, value: impl Fn(&Attempt, &mut Vec<u8>)) -> bool {
        for (n, attempt) in self.record.attempts.iter().enumerate() {
            if n > 0 {
                out.extend_from_slice(if attempt.is_sent_on { b" : " } else { b", " });
            }
            value(attempt, out);
        }
        !self.record.attempts.is_empty()
    }

    fn of_upstream(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        match fact {
            Fact::UpstreamAddr => self.attempts(out, |attempt, out| match &attempt.at {
                Tried::Server(address) => put(out, format_args!("{address}")),
                Tried::Group(group) => out.extend_from_slice(group.name.as_bytes()),
            }),
            Fact::UpstreamStatus => self.attempts(out, |attempt, out| match attempt.status {
                0 => out.push(b'-'),
                status => put(out, format_args!("{status}")),
            }),
            Fact::UpstreamResponseTime => {
                self.attempts(out, |attempt, out| seconds(out, Some(attempt.ended_ms), attempt.started_ms))
            }
            Fact::UpstreamConnectTime => {
                self.attempts(out, |attempt, out| seconds(out, attempt.connected_ms, attempt.started_ms))
            }
            Fact::UpstreamHeaderTime => {
                self.attempts(out, |attempt, out| seconds(out, attempt.head_ms, attempt.started_ms))
            }
            Fact::UpstreamBytesSent => self.numbers(out, |attempt| attempt.sent),
            Fact::UpstreamBytesReceived => self.numbers(out, |attempt| attempt.received),
            Fact::UpstreamResponseLength => self.numbers(out, |attempt| attempt.body),
            _ => self.of_lines(fact, out),
        }
    }

    fn numbers(&self, out: &mut Vec<u8>, number: impl Fn(&Attempt) -> u64) -> bool {
        self.attempts(out, |attempt, out| put(out, format_args!("{}", number(attempt))))
    }

    /// What is kept only for these variables.
    fn of_lines(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        let Some(kept) = &self.record.lines else { return false };
        match fact {
            // These two are nobody's field in nginx: each answer has them.
            Fact::SentField(name) if matches!(name.as_str(), "date" | "server") => false,
            Fact::SentField(name) => lines::append(&kept.sent, name, out),
            Fact::SentTrailer(name) | Fact::UpstreamTrailer(name) => lines::append(&kept.trailers, name, out),
            Fact::UpstreamField(name) => lines::append(&kept.upstream, name, out),
            Fact::UpstreamCookie(name) => lines::append_cookie(&kept.upstream, name, out),
            _ => false,
        }
    }
}

/// `12.34`, rounded as nginx does it.
fn append_ratio(from: u64, to: u64, out: &mut Vec<u8>) -> bool {
    if from == 0 || to == 0 {
        return false;
    }
    let thousandths = from.saturating_mul(1_000) / to;
    let hundredths = thousandths / 10 + u64::from(thousandths % 10 > 4);
    put(out, format_args!("{}.{:02}", hundredths / 100, hundredths % 100));
    true
}

/// `Sunday, 29-Nov-2026 12:00:00 GMT`.
fn append_date(unix_ms: u64, zone: TimeZone, out: &mut Vec<u8>) {
    let is_utc = zone == TimeZone::UTC;
    let stamp = jiff::Timestamp::from_second((unix_ms / 1_000).cast_signed()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let zoned = stamp.to_zoned(zone);
    let name = if is_utc { "GMT".to_owned() } else { zoned.strftime("%Z").to_string() };
    put(out, format_args!("{} {name}", zoned.strftime("%A, %d-%b-%Y %H:%M:%S")));
}
