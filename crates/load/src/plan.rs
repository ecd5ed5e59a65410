//! What a load test is to do, checked before it begins.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use net::tls::{Verify, client_config};
use rustls_pki_types::ServerName;
use wire::{Version, encode};

use crate::error::Error;
use crate::schedule::Schedule;
use crate::threshold::Threshold;
use crate::url::Url;

/// The most users that may be asked for: each has a connection, and a client address has 64,511 ports.
pub const MOST_USERS: u32 = 60_000;
/// The most users made where no number is given. At 8,000 iterations a second they are used up at 1.2 s each.
pub const ON_DEMAND_USERS: u32 = 10_000;
/// The most threads that may be asked for: more than the cores of the largest machines.
pub const MOST_THREADS: usize = 256;
/// Starts a second that one thread is trusted with; a thread more costs wake-ups.
const STARTS_PER_THREAD: f64 = 16_000.0;
/// A thread with fewer users than this of its own would drop starts while another thread's users idle.
const USERS_PER_THREAD: u32 = 32;

/// A whole load test.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When iterations start.
    pub schedule: Schedule,
    /// Who does them.
    pub users: Users,
    /// What an iteration is.
    pub source: Source,
    /// Judged every two seconds and at the end.
    pub thresholds: Vec<Threshold>,
    /// How long iterations under way may go on after the schedule's end.
    pub graceful_stop_ms: u64,
    /// Threads; `None` takes as many as the rate needs and the machine has.
    pub threads: Option<usize>,
}

/// How many virtual users there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Users {
    /// `pre_allocated` from the beginning; each start that finds none idle is dropped and adds one, up to `max`.
    Promised {
        /// `preAllocatedVUs`.
        pre_allocated: u32,
        /// `maxVUs`.
        max: u32,
    },
    /// As many as it takes, up to [`ON_DEMAND_USERS`].
    OnDemand,
}

/// Where iterations come from. A script will be one more.
#[derive(Debug, Clone)]
pub enum Source {
    /// One request.
    Plain(Request),
}

/// One request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The address as given.
    pub url: String,
    /// The whole head; there is no body.
    pub(crate) bytes: Vec<u8>,
    pub(crate) address: SocketAddr,
    /// For `https`.
    pub(crate) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    pub(crate) timeout_ms: u64,
    pub(crate) reuse: bool,
}

/// What a plain request can be told.
#[derive(Debug, Clone)]
pub struct RequestOptions {
    /// Fields as `Name: value`; `Host` and `User-Agent` replace the usual ones.
    pub headers: Vec<String>,
    /// How long all of it may take, the connection included.
    pub timeout_ms: u64,
    /// Whether any certificate is taken.
    pub skip_verify: bool,
    /// Whether a user keeps its connection from one iteration to the next.
    pub reuse: bool,
}

impl Default for RequestOptions {
    fn default() -> Self {
        Self { headers: Vec::new(), timeout_ms: 60_000, skip_verify: false, reuse: true }
    }
}

impl Request {
    /// A GET of `url`; its host is looked up here, once.
    pub fn get(url: &str, options: &RequestOptions) -> Result<Self, Error> {
        let parts = Url::parse(url).map_err(|reason| Error::Url { url: url.to_owned(), reason })?;
        let address = resolve(&parts)?;
        let tls = if parts.tls { Some(tls(url, &parts, options.skip_verify)?) } else { None };
        let bytes = head(&parts, options)?;
        let (timeout_ms, reuse) = (options.timeout_ms, options.reuse);
        Ok(Self { url: url.to_owned(), bytes, address, tls, timeout_ms, reuse })
    }
}

impl Plan {
    /// How many threads it gets, `cores` being what the machine has.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "MOST_STARTS_PER_S bounds it")]
    pub fn threads(&self, cores: usize) -> usize {
        let most = usize::try_from((self.users.max() / USERS_PER_THREAD).max(1)).unwrap_or(1);
        let needed = (self.schedule.peak_per_s() / STARTS_PER_THREAD).ceil() as usize;
        self.threads.unwrap_or_else(|| needed.clamp(1, cores.max(1))).clamp(1, most)
    }

    /// Whether its parts fit together.
    pub fn check(&self) -> Result<(), Error> {
        let Source::Plain(request) = &self.source;
        if request.timeout_ms == 0 {
            return Err(Error::Timeout);
        }
        match self.threads {
            Some(threads) if threads == 0 || threads > MOST_THREADS => return Err(Error::Threads { threads }),
            _ => {}
        }
        match self.users {
            Users::Promised { pre_allocated, max } if max < pre_allocated => {
                let text = format!("maxVUs ({max}) must not be less than preAllocatedVUs ({pre_allocated})");
                Err(Error::Users(text))
            }
            Users::Promised { max, .. } if max == 0 || max > MOST_USERS => {
                Err(Error::Users(format!("maxVUs must be between 1 and {MOST_USERS}")))
            }
            _ => Ok(()),
        }
    }
}

impl Users {
    /// The most there can be.
    #[must_use]
    pub fn max(self) -> u32 {
        match self {
            Self::Promised { max, .. } => max,
            Self::OnDemand => ON_DEMAND_USERS,
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "once, before any thread of the test is started")]
fn resolve(url: &Url) -> Result<SocketAddr, Error> {
    let failed = |source| Error::Resolve { host: url.host.clone(), source };
    let mut addresses = (url.host.as_str(), url.port).to_socket_addrs().map_err(failed)?;
    addresses.next().ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))
}

fn tls(url: &str, parts: &Url, skip_verify: bool) -> Result<(Arc<rustls::ClientConfig>, ServerName<'static>), Error> {
    let reason = "the host is no name that a certificate could have";
    let name = ServerName::try_from(parts.host.clone()).map_err(|_| Error::Url { url: url.to_owned(), reason })?;
    let verify = if skip_verify { Verify::Nothing } else { Verify::WebRoots };
    Ok((client_config(verify)?, name))
}

fn head(url: &Url, options: &RequestOptions) -> Result<Vec<u8>, Error> {
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for line in &options.headers {
        fields.push(parse_field(line).map_err(|reason| Error::Header { line: line.clone(), reason })?);
    }
    let has = |name: &str| fields.iter().any(|(field, _)| field.eq_ignore_ascii_case(name));
    let mut bytes = Vec::with_capacity(256);
    encode::request_line(&mut bytes, b"GET", url.target.as_bytes(), Version::Http11);
    if !has("host") {
        encode::field(&mut bytes, b"Host", url.authority.as_bytes());
    }
    if !has("user-agent") {
        encode::field(&mut bytes, b"User-Agent", concat!("bedloe/", env!("CARGO_PKG_VERSION")).as_bytes());
    }
    for (name, value) in &fields {
        encode::field(&mut bytes, name.as_bytes(), value.as_bytes());
    }
    if !options.reuse && !has("connection") {
        encode::field(&mut bytes, b"Connection", b"close");
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

/// Fields that frame a message are not for a request without a body.
fn parse_field(line: &str) -> Result<(&str, &str), &'static str> {
    let (name, value) = line.split_once(':').ok_or("want `Name: value`")?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err("the name must be of letters, digits and hyphens");
    }
    let value = value.trim();
    if value.bytes().any(|byte| byte != b'\t' && (byte < b' ' || byte == 0x7f)) {
        return Err("the value must not hold control characters");
    }
    if ["content-length", "transfer-encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        return Err("it announces a body, and these requests have none");
    }
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::schedule::ConstantArrivalRate;

    fn bytes(url: &str, options: &RequestOptions) -> String {
        String::from_utf8(Request::get(url, options).unwrap().bytes).unwrap()
    }

    #[test]
    fn a_request_is_one_head() {
        let agent = concat!("User-Agent: bedloe/", env!("CARGO_PKG_VERSION"), "\r\n");
        let plain = bytes("http://127.0.0.1:8080/a?b", &RequestOptions::default());
        assert_eq!(plain, format!("GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n{agent}\r\n"));
        let headers = vec!["host: x".into(), "USER-agent: y".into(), "Accept:  */* ".into()];
        let options = RequestOptions { headers, reuse: false, ..RequestOptions::default() };
        let own = bytes("http://[::1]/", &options);
        assert_eq!(own, "GET / HTTP/1.1\r\nhost: x\r\nUSER-agent: y\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    }

    #[test]
    fn bad_fields_are_refused() {
        for (line, words) in [
            ("", "want `Name: value`"),
            ("x", "want `Name: value`"),
            (": x", "the name must"),
            ("a b: c", "the name must"),
            ("a: b\r\nc: d", "control characters"),
            ("a: \0", "control characters"),
            ("Content-Length: 5", "announces a body"),
            ("transfer-encoding: chunked", "announces a body"),
        ] {
            let options = RequestOptions { headers: vec![line.into()], ..RequestOptions::default() };
            let error = Request::get("http://127.0.0.1/", &options).unwrap_err();
            assert!(matches!(error, Error::Header { .. }) && error.to_string().contains(words), "{line:?}: {error}");
        }
    }

    #[test]
    fn threads_follow_the_rate_and_the_users() {
        let plan = |rate, users, threads| Plan {
            schedule: Schedule::Constant(ConstantArrivalRate::new(rate, 1_000_000_000, 1_000_000_000).unwrap()),
            users,
            source: Source::Plain(Request::get("http://127.0.0.1/", &RequestOptions::default()).unwrap()),
            thresholds: Vec::new(),
            graceful_stop_ms: 0,
            threads,
        };
        assert_eq!(plan(8000, Users::OnDemand, None).threads(8), 1);
        assert_eq!(plan(40_000, Users::OnDemand, None).threads(8), 3);
        assert_eq!(plan(40_000, Users::OnDemand, None).threads(2), 2);
        let few = Users::Promised { pre_allocated: 5, max: 20 };
        assert_eq!(plan(40_000, few, Some(4)).threads(8), 1);
        assert!(plan(1, few, None).check().is_ok());
        assert!(plan(1, few, Some(MOST_THREADS)).check().is_ok());
        for threads in [0, MOST_THREADS + 1] {
            assert!(matches!(plan(1, few, Some(threads)).check(), Err(Error::Threads { .. })), "{threads}");
        }
        assert!(plan(1, Users::Promised { pre_allocated: 21, max: 20 }, None).check().is_err());
        assert!(plan(1, Users::Promised { pre_allocated: 0, max: MOST_USERS + 1 }, None).check().is_err());
    }
}
