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
use crate::jar::{Cookie, Jar, sent_value};
use crate::metric::{Recorder, TagsId, Timings, Who};
use crate::record::{About, record};
use crate::sites::{Debug, Sites, Target, other_scheme, resolved};

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
    /// Where a redirect has come from.
    pub(crate) referer: Option<Box<str>>,
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

/// What a script has asked for: the first request, whatever redirects have made of it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Box<str>,
    pub(crate) url: Box<str>,
    pub(crate) fields: Vec<(Box<str>, Box<str>)>,
    /// The body before it was compressed.
    pub(crate) body: Vec<u8>,
    /// Cookies that it went with, but for those that the script wrote into the head.
    pub(crate) cookies: Vec<(Box<str>, Box<str>)>,
}

/// What became of a call.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) asked: Asked,
    /// The request that was answered: the last one, after redirects.
    pub(crate) method: Box<str>,
    pub(crate) target: Rc<Target>,
    pub(crate) status: u16,
    pub(crate) answer: Answer,
    pub(crate) timings: Timings,
    pub(crate) failure: Option<Failure>,
    pub(crate) wants: Wants,
    pub(crate) ended_ns: u64,
    /// A redirect too many was not followed.
    pub(crate) warning: Option<String>,
    /// Requests and answers, where the options want them logged; the two of a hop have one number.
    pub(crate) debug: Vec<(String, String)>,
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
    let (first, cookies) = (Rc::clone(&call.target), cookies(&call));
    let mut asked = None;
    if let Some(pace) = &sites.options.pace {
        pace.turn().await;
    }
    loop {
        let (bytes, head_bytes, mut exchange) = exchanged(&call, client, sites).await;
        let mut answer = exchange.answer.take().unwrap_or_default();
        let challenge = challenge(&call, &exchange, &answer);
        let way = way(&call, &exchange, &answer, hops, sites);
        if let Way::Broken(failure) = &way {
            (exchange.status, exchange.failure) = (0, Some(failure.clone()));
        }
        tell(&call, &exchange, &answer, challenge.is_some(), recorder);
        if sites.options.debug != Debug::Nothing {
            dump(&mut debug, bytes.split_at(head_bytes), &answer, sites.options.debug);
        }
        if answer.sets_cookies {
            keep_cookies(&call, &answer);
        }
        if let Some(login) = challenge {
            call.login = login;
            continue;
        }
        let mut warning = None;
        match way {
            Way::On(target) => {
                hops += 1;
                asked.get_or_insert_with(|| call.asked(&first, &cookies));
                redirect(&mut call, exchange.status, target, &first);
                continue;
            }
            Way::Off(target, failure) => {
                asked.get_or_insert_with(|| call.asked(&first, &cookies));
                redirect(&mut call, exchange.status, target, &first);
                exchange = Exchange::unsent(failure);
                answer = Answer::default();
                tell(&call, &exchange, &answer, false, recorder);
            }
            Way::Broken(_) => answer = Answer::default(),
            Way::TooFar if call.has_usual_redirects && call.redirects > 0 => {
                let hint = "the param `redirects` or the option `maxRedirects` says how many are followed";
                warning = Some(format!("the answer is a redirect, for {hops} were followed; {hint}"));
            }
            Way::TooFar | Way::End => {}
        }
        let Exchange { timings, status, mut failure, ended_ns, .. } = exchange;
        failure = unpack(&mut answer, call.wants).or(failure);
        let Call { method, target, body, plain, wants, fields, .. } = call;
        let asked = asked.unwrap_or_else(|| Asked {
            method: method.clone(),
            url: target.page().into(),
            fields,
            body: plain.unwrap_or(body),
            cookies,
        });
        return Reply { asked, method, target, status, answer, timings, failure, wants, ended_ns, warning, debug };
    }
}

/// One request and its answer: what was sent, how much of it is the head, and what came of it.
async fn exchanged(call: &Call, client: &Client, sites: &Sites) -> (Vec<u8>, usize, Exchange) {
    let mut bytes = head(call, sites);
    let head_bytes = bytes.len();
    bytes.extend_from_slice(&call.body);
    let message = Message {
        bytes: &bytes,
        origin: &call.target.origin,
        timeout_ms: call.timeout_ms,
        reuse: sites.options.reuse,
        is_head: &*call.method == "HEAD",
        keeps_answer: true,
    };
    let exchange = client.exchange(&message, now_ns()).await;
    (bytes, head_bytes, exchange)
}

/// Where an answer leads.
enum Way {
    /// Nowhere: it is the last one.
    End,
    /// To this address.
    On(Rc<Target>),
    /// To one of another scheme, which nobody is asked for: a request that fails.
    Off(Rc<Target>, Failure),
    /// To what is no address, so that the request fails for which it came.
    Broken(Failure),
    /// Further than is followed.
    TooFar,
}

fn way(call: &Call, exchange: &Exchange, answer: &Answer, hops: u32, sites: &Sites) -> Way {
    let Some(location) = location(exchange, answer) else { return Way::End };
    if hops >= call.redirects {
        return Way::TooFar;
    }
    let next = resolved(call.target.page(), &location);
    if let Some(scheme) = other_scheme(&next) {
        let failure = Failure::other(&format!("unsupported protocol scheme \"{scheme}\""));
        return Way::Off(Sites::stray(&next, &call.target), failure);
    }
    match sites.target(&next) {
        Ok(target) => Way::On(target),
        Err(why) => Way::Broken(Failure::other(&format!("failed to parse Location header \"{location}\": {why}"))),
    }
}

/// Takes the codings off a body that a script wants to see.
fn unpack(answer: &mut Answer, wants: Wants) -> Option<Failure> {
    if !answer.is_encoded || wants == Wants::Nothing || answer.body.is_empty() {
        return None;
    }
    let codings = field(answer, Known::ContentEncoding).unwrap_or_default();
    match decoded(std::mem::take(&mut answer.body), &codings) {
        Ok(body) => {
            answer.body = body;
            None
        }
        Err(broken) => Some(broken),
    }
}

impl Call {
    /// What was asked for, before a redirect makes something else of it.
    fn asked(&self, target: &Target, cookies: &[(Box<str>, Box<str>)]) -> Asked {
        Asked {
            method: self.method.clone(),
            url: target.page().into(),
            fields: self.fields.clone(),
            body: self.plain.as_ref().unwrap_or(&self.body).clone(),
            cookies: cookies.to_vec(),
        }
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

/// A request and its answer, as they are logged: fields by name, behind those that every request has.
fn dump(out: &mut Vec<(String, String)>, (head, rest): (&[u8], &[u8]), answer: &Answer, debug: Debug) {
    let body =
        |bytes: &[u8]| if debug == Debug::All { String::from_utf8_lossy(bytes).into_owned() } else { String::new() };
    let mut number = [0; 16];
    // Without random bytes the number says less.
    let _ = aws_lc_rs::rand::fill(&mut number);
    let number = crate::script::uuid(number);
    out.push((number.clone(), format!("Request:\n{}{}\n", in_order(head, 2), body(rest))));
    if !answer.head.is_empty() {
        out.push((number, format!("Response:\n{}{}\n", in_order(&answer.head, 0), body(&answer.body))));
    }
}

/// A head whose fields are sorted but for the first ones.
fn in_order(head: &[u8], first: usize) -> String {
    let text = String::from_utf8_lossy(head).replace("\r\n", "\n");
    let canonical = |line: &str| match line.split_once(':') {
        Some((name, value)) if !name.contains(' ') => format!("{}:{value}", crate::script::canonical(name)),
        _ => line.to_owned(),
    };
    let mut lines: Vec<String> = text.trim_end_matches('\n').split('\n').map(canonical).collect();
    let has_length = lines.get(first + 1).is_some_and(|line| first > 0 && line.starts_with("Content-Length:"));
    let from = (1 + first + usize::from(has_length)).min(lines.len());
    lines[from..].sort_by(|left, right| left.split(':').next().cmp(&right.split(':').next()));
    lines.join("\n") + "\n\n"
}

/// A redirect's next request: 301, 302 and 303 make it a GET, 307 and 308 leave it as it is. What is for the first host
/// alone does not go to others, nor come back from them.
fn redirect(call: &mut Call, status: u16, target: Rc<Target>, first: &Target) {
    if matches!(status, 301..=303) && &*call.method != "HEAD" {
        call.method = "GET".into();
        call.body.clear();
        call.plain = None;
        call.fields.retain(|(name, _)| !["Content-Type", "Content-Length"].contains(&&**name));
    }
    call.fields.retain(|(name, _)| &**name != "Cookie");
    let (host, own) = (&target.origin.host, &first.origin.host);
    if host != own && !host.strip_suffix(own.as_str()).is_some_and(|sub| sub.ends_with('.')) {
        call.fields.retain(|(name, _)| !SECRET.contains(&&**name));
        if matches!(call.login, Login::Answer(_)) {
            call.login = Login::Basic;
        }
    }
    // An address that was kept from listeners stays so (RFC 9110 10.1.3).
    let is_open = call.target.origin.tls.is_none() || target.origin.tls.is_some();
    call.referer = is_open.then(|| without_login(call.target.page()).into());
    call.target = target;
}

/// Fields that are for one host.
const SECRET: [&str; 4] = ["Authorization", "Cookie2", "Proxy-Authorization", "Www-Authenticate"];

/// An address without user and password.
fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{}", &rest[end..])
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

/// The cookies of a request: its own, and the jar's.
fn cookies(call: &Call) -> Vec<(Box<str>, Box<str>)> {
    let own = call.cookies.iter().map(|(name, value, _)| (name.clone(), value.clone()));
    let mut all: Vec<(Box<str>, Box<str>)> = own.collect();
    let jar = call.jar.borrow();
    for cookie in jar.of(&call.target.origin.host, &call.target.path, call.target.origin.tls.is_some()) {
        if !call.cookies.iter().any(|(name, _, replaces)| *replaces && **name == *cookie.name) {
            all.push((cookie.name.as_str().into(), cookie.value.as_str().into()));
        }
    }
    all
}

/// The field `Cookie` but for what the script wrote into it.
fn cookie_line(call: &Call) -> String {
    let pair = |(name, value): (Box<str>, Box<str>)| format!("{name}={}", sent_value(&value));
    cookies(call).into_iter().map(pair).collect::<Vec<_>>().join("; ")
}

fn location(exchange: &Exchange, answer: &Answer) -> Option<String> {
    if !matches!(exchange.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    // As in k6, one that says nothing leads nowhere.
    field(answer, Known::Location).filter(|location| !location.is_empty())
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
    if let Some(referer) = call.referer.as_ref().filter(|_| !has("Referer")) {
        encode::field(&mut out, b"Referer", referer.as_bytes());
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
