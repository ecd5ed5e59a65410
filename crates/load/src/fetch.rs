//! What a script's request is: every hop of it sent over the user's own connections and recorded, redirects followed.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use net::clock::now_ns;
use wire::{Known, Limits, ResponseHead, Version, encode};

use crate::coding::decoded;
use crate::digest::Challenge;
use crate::exchange::{Answer, Client, Exchange, Message};
use crate::failure::Failure;
use crate::jar::{Cookie, Jar};
use crate::metric::{Recorder, TagsId, Timings, Who};
use crate::record::{About, record};
use crate::sites::{Debug, Sites, Target, resolved};

/// A request that a script makes.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Box<str>,
    pub(crate) target: Rc<Target>,
    /// The tag `name`, where it is not the address.
    pub(crate) name: Option<Box<str>>,
    /// Fields of the head, beside those that every request has.
    pub(crate) fields: Vec<(Box<str>, Box<str>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout_ms: u64,
    /// How many redirects are followed.
    pub(crate) redirects: u32,
    /// Whether that many is what the options say, and so worth a warning.
    pub(crate) has_usual_redirects: bool,
    /// Tags of its own.
    pub(crate) tags: Vec<(Box<str>, Box<str>)>,
    pub(crate) expected: Expected,
    pub(crate) wants: Wants,
    pub(crate) base: TagsId,
    pub(crate) who: Who,
    pub(crate) jar: Rc<RefCell<Jar>>,
    /// Cookies of its own; those that take the place of the jar's are marked.
    pub(crate) cookies: Vec<(Box<str>, Box<str>, bool)>,
    /// The body before it was compressed, where it was.
    pub(crate) plain: Option<Vec<u8>>,
    /// How user and password are shown.
    pub(crate) login: Login,
}

/// How user and password are shown to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// With every request.
    Basic,
    /// Once the server asks for a digest.
    Digest,
    /// By this answer to what the server asked.
    Answer(Box<str>),
}

/// Which answers are no failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// 200 to 399.
    Usual,
    /// Nothing says so: no request counts as failed.
    Unsaid,
    /// These, from and to.
    Statuses(Rc<[(u16, u16)]>),
}

/// What a script wants of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// A text.
    Text,
    /// Bytes.
    Binary,
    /// Nothing.
    Nothing,
}

/// What became of a call.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The request that was answered: the last one, after redirects.
    pub(crate) method: Box<str>,
    pub(crate) target: Rc<Target>,
    /// The head as it was sent.
    pub(crate) sent: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) answer: Answer,
    pub(crate) timings: Timings,
    pub(crate) failure: Option<Failure>,
    pub(crate) wants: Wants,
    pub(crate) ended_ns: u64,
    /// A redirect too many was not followed.
    pub(crate) warning: Option<String>,
    /// Requests and answers, where the options want them logged.
    pub(crate) debug: Vec<String>,
}

impl Expected {
    fn of(&self, exchange: &Exchange) -> Option<bool> {
        match self {
            Self::Usual => Some(exchange.failure.is_none()),
            Self::Unsaid => None,
            Self::Statuses(list) => {
                Some(list.iter().any(|(from, to)| (*from..=*to).contains(&exchange.status)) && exchange.status > 0)
            }
        }
    }
}

/// Makes a call, and follows where it leads.
pub(crate) async fn fetch(mut call: Call, client: &Client, sites: &Sites, recorder: &Recorder) -> Reply {
    let mut hops = 0;
    let mut debug = Vec::new();
    if let Some(pace) = &sites.options.pace {
        pace.turn().await;
    }
    loop {
        let sent = head(&call, sites);
        let head_bytes = sent.len();
        let mut bytes = sent;
        bytes.extend_from_slice(&call.body);
        let message = Message {
            bytes: &bytes,
            origin: &call.target.origin,
            timeout_ms: call.timeout_ms,
            reuse: sites.options.reuse,
            is_head: &*call.method == "HEAD",
            keeps_answer: true,
        };
        let mut exchange = client.exchange(&message, now_ns()).await;
        let answer = exchange.answer.take().unwrap_or_default();
        let challenge = challenge(&call, &exchange, &answer);
        tell(&call, &exchange, &answer, challenge.is_some(), recorder);
        if sites.options.debug != Debug::Nothing {
            debug.extend(dumped(&bytes, head_bytes, &answer, sites.options.debug));
        }
        if answer.sets_cookies {
            keep_cookies(&call, &answer);
        }
        if let Some(login) = challenge {
            call.login = login;
            continue;
        }
        let next = location(&exchange, &answer).map(|location| resolved(call.target.page(), &location));
        let mut warning = None;
        if let Some(next) = next {
            if hops < call.redirects
                && let Ok(target) = sites.target(&next)
            {
                hops += 1;
                redirect(&mut call, exchange.status, target);
                continue;
            }
            if call.has_usual_redirects && call.redirects > 0 {
                let hint = "the param `redirects` or the option `maxRedirects` says how many are followed";
                warning = Some(format!("the answer is a redirect, for {hops} were followed; {hint}"));
            }
        }
        bytes.truncate(head_bytes);
        let Exchange { timings, status, mut failure, ended_ns, .. } = exchange;
        let mut answer = answer;
        if answer.is_encoded && call.wants != Wants::Nothing && !answer.body.is_empty() {
            let codings = field(&answer, Known::ContentEncoding).unwrap_or_default();
            match decoded(std::mem::take(&mut answer.body), &codings) {
                Ok(body) => answer.body = body,
                Err(broken) => failure = Some(broken),
            }
        }
        let Call { method, target, body, plain, wants, .. } = call;
        let (sent, body) = (bytes, plain.unwrap_or(body));
        return Reply { method, target, sent, body, status, answer, timings, failure, wants, ended_ns, warning, debug };
    }
}

/// Makes calls side by side, so many at once and so many to a host; the replies are in the order of the calls.
pub(crate) async fn fetch_all(calls: Vec<Call>, client: &Client, sites: &Sites, recorder: &Recorder) -> Vec<Reply> {
    type UnderWay<'a> = Pin<Box<dyn Future<Output = Reply> + 'a>>;
    let hosts: Vec<_> = calls.iter().map(|call| Rc::clone(&call.target)).collect();
    let mut waiting: Vec<Option<Call>> = calls.into_iter().map(Some).collect();
    let mut under_way: Vec<(usize, UnderWay<'_>)> = Vec::new();
    let mut replies: Vec<Option<Reply>> = waiting.iter().map(|_| None).collect();
    let most = sites.options.batch.max(1);
    let most_per_host = if sites.options.batch_per_host == 0 { usize::MAX } else { sites.options.batch_per_host };
    poll_fn(|cx| {
        loop {
            for at in 0..waiting.len() {
                let same =
                    |other: &(usize, UnderWay<'_>)| std::sync::Arc::ptr_eq(&hosts[other.0].origin, &hosts[at].origin);
                let fits =
                    under_way.len() < most && under_way.iter().filter(|other| same(other)).count() < most_per_host;
                if fits && let Some(call) = waiting[at].take() {
                    under_way.push((at, Box::pin(fetch(call, client, sites, recorder))));
                }
            }
            let before = under_way.len();
            under_way.retain_mut(|(at, future)| match future.as_mut().poll(cx) {
                Poll::Ready(reply) => {
                    replies[*at] = Some(reply);
                    false
                }
                Poll::Pending => true,
            });
            if under_way.is_empty() && waiting.iter().all(Option::is_none) {
                return Poll::Ready(());
            }
            if under_way.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    replies.into_iter().flatten().collect()
}

/// What to answer a server that asks for a digest.
fn challenge(call: &Call, exchange: &Exchange, answer: &Answer) -> Option<Login> {
    if call.login != Login::Digest || exchange.status != 401 {
        return None;
    }
    let secret = call.target.secret.as_ref()?;
    let challenge = fields(answer, Known::WwwAuthenticate).iter().find_map(|value| Challenge::parse(value))?;
    let mut own = [0; 8];
    aws_lc_rs::rand::fill(&mut own).ok()?;
    let line = challenge.answer(secret, &call.method, &call.target.path, &crate::script::hex(&own));
    Some(Login::Answer(line.into()))
}

/// A request and its answer, as they are logged.
fn dumped(sent: &[u8], head_bytes: usize, answer: &Answer, debug: Debug) -> [String; 2] {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let body = |bytes: &[u8]| if debug == Debug::All { text(bytes) } else { String::new() };
    let (head, rest) = sent.split_at(head_bytes);
    let request = format!("Request:\n{}{}\n", text(head), body(rest));
    [request, format!("Response:\n{}{}\n", text(&answer.head), body(&answer.body))]
}

/// A redirect's next request: 301, 302 and 303 make it a GET, 307 and 308 leave it as it is.
fn redirect(call: &mut Call, status: u16, target: Rc<Target>) {
    if matches!(status, 301..=303) && &*call.method != "HEAD" {
        call.method = "GET".into();
        call.body.clear();
        call.plain = None;
        call.fields.retain(|(name, _)| !["Content-Type", "Content-Length"].contains(&&**name));
    }
    call.target = target;
}

fn keep_cookies(call: &Call, answer: &Answer) {
    let mut head = ResponseHead::new();
    if !matches!(head.parse(&answer.head, false, &Limits::default()), Ok(Some(_))) {
        return;
    }
    for field in head.fields.iter().filter(|field| field.known == Known::SetCookie) {
        if let Some(cookie) = Cookie::parse(&String::from_utf8_lossy(field.value.of(&answer.head))) {
            call.jar.borrow_mut().keep(cookie, &call.target.origin.host, &call.target.path);
        }
    }
}

/// The field `Cookie`: what the script wrote, its own cookies, and the jar's.
fn cookie_line(call: &Call) -> String {
    let mut line = String::new();
    let mut add = |name: &str, value: &str| {
        if !line.is_empty() {
            line.push_str("; ");
        }
        line.push_str(&format!("{name}={value}"));
    };
    for (name, value, _) in &call.cookies {
        add(name, value);
    }
    let jar = call.jar.borrow();
    for cookie in jar.of(&call.target.origin.host, &call.target.path, call.target.origin.tls.is_some()) {
        if !call.cookies.iter().any(|(name, _, replaces)| *replaces && **name == *cookie.name) {
            add(&cookie.name, &cookie.value);
        }
    }
    line
}

fn location(exchange: &Exchange, answer: &Answer) -> Option<String> {
    if !matches!(exchange.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    field(answer, Known::Location)
}

/// The value of an answer's field.
fn field(answer: &Answer, known: Known) -> Option<String> {
    fields(answer, known).into_iter().next()
}

/// The values of an answer's fields of one name.
fn fields(answer: &Answer, known: Known) -> Vec<String> {
    let mut head = ResponseHead::new();
    if !matches!(head.parse(&answer.head, false, &Limits::default()), Ok(Some(_))) {
        return Vec::new();
    }
    let named = head.fields.iter().filter(|field| field.known == known);
    named.map(|field| String::from_utf8_lossy(field.value.of(&answer.head)).into_owned()).collect()
}

fn head(call: &Call, sites: &Sites) -> Vec<u8> {
    let has = |name: &str| call.fields.iter().any(|(field, _)| &**field == name);
    let mut out = Vec::with_capacity(256 + call.body.len());
    encode::request_line(&mut out, call.method.as_bytes(), call.target.path.as_bytes(), Version::Http11);
    if !has("Host") {
        encode::field(&mut out, b"Host", call.target.authority.as_bytes());
    }
    if !has("User-Agent") && !sites.options.agent.is_empty() {
        encode::field(&mut out, b"User-Agent", sites.options.agent.as_bytes());
    }
    let announces_none = matches!(&*call.method, "POST" | "PUT" | "PATCH");
    if !call.body.is_empty() || announces_none {
        out.extend_from_slice(b"Content-Length: ");
        encode::decimal(&mut out, call.body.len() as u64);
        out.extend_from_slice(b"\r\n");
    }
    let login = match &call.login {
        Login::Basic => call.target.basic.as_deref(),
        Login::Digest => None,
        Login::Answer(line) => Some(&**line),
    };
    if let Some(login) = login.filter(|_| !has("Authorization")) {
        encode::field(&mut out, b"Authorization", login.as_bytes());
    }
    let cookies = cookie_line(call);
    for (name, value) in &call.fields {
        if &**name == "Cookie" && !cookies.is_empty() {
            encode::field(&mut out, b"Cookie", format!("{value}; {cookies}").as_bytes());
        } else {
            encode::field(&mut out, name.as_bytes(), value.as_bytes());
        }
    }
    if !cookies.is_empty() && !has("Cookie") {
        encode::field(&mut out, b"Cookie", cookies.as_bytes());
    }
    if !sites.options.reuse && !has("Connection") {
        encode::field(&mut out, b"Connection", b"close");
    }
    out.extend_from_slice(encode::HEAD_END);
    out
}

/// `is_asked`: the server only asked for what comes next, which is no failure.
fn tell(call: &Call, exchange: &Exchange, answer: &Answer, is_asked: bool, recorder: &Recorder) {
    let name = call.name.as_deref();
    let about = About {
        method: &call.method,
        url: name.unwrap_or(&call.target.url),
        name: name.unwrap_or(&call.target.url),
        version: answer.version,
        tls: answer.tls,
        remote: answer.remote,
        is_expected: call.expected.of(exchange).map(|is_expected| is_expected || is_asked),
        own: &call.tags,
    };
    record(exchange, &about, recorder, call.base, call.who);
}
