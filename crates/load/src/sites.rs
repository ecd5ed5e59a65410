//! Addresses that scripts ask for, taken apart once a thread, and what all requests of a script have in common.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use net::tls::CertificateError;

use crate::digest::Secret;
use crate::origin::Origin;
use crate::pace::Pace;
use crate::routes::Routes;
use crate::tls::TlsOptions;
use crate::url::Url;

/// Addresses that are remembered in a thread; a script with more makes them of data.
const MOST_TARGETS: usize = 1024;
/// Hosts that are remembered in a thread.
const MOST_ORIGINS: usize = 1024;

/// What a test's options say about all requests of a script.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// How many redirects are followed.
    pub max_redirects: u32,
    /// What requests say they come from.
    pub agent: String,
    /// Requests of `http.batch` that are under way at once.
    pub batch: usize,
    /// The same to one host.
    pub batch_per_host: usize,
    /// Whether a request that fails throws.
    pub throws: bool,
    /// Whether bodies of answers are dropped unless a request asks for them.
    pub discards_bodies: bool,
    /// Whether connections serve more than one request.
    pub reuse: bool,
    /// Whether they serve more than one iteration.
    pub reuse_between_iterations: bool,
    /// Whether a user keeps its cookies from one iteration to the next.
    pub keeps_cookies: bool,
    /// For `https`.
    pub tls: Arc<rustls::ClientConfig>,
    /// Where hosts are reached.
    pub routes: Arc<Routes>,
    /// How often requests may be sent, all users together.
    pub pace: Option<Arc<Pace>>,
    /// Whether requests and answers are logged.
    pub debug: Debug,
}

/// What is logged of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Debug {
    /// Nothing.
    Nothing,
    /// Their heads.
    Heads,
    /// All of them.
    All,
}

impl HttpOptions {
    /// As k6 has them unless told otherwise.
    pub fn usual() -> Result<Self, CertificateError> {
        Ok(Self {
            max_redirects: 10,
            agent: concat!("bedloe/", env!("CARGO_PKG_VERSION")).to_owned(),
            batch: 20,
            batch_per_host: 6,
            throws: false,
            discards_bodies: false,
            reuse: true,
            reuse_between_iterations: true,
            keeps_cookies: false,
            tls: TlsOptions::default().config()?,
            routes: Arc::default(),
            pace: None,
            debug: Debug::Nothing,
        })
    }
}

/// An address, taken apart.
#[derive(Debug)]
pub(crate) struct Target {
    /// As it is shown and tagged.
    pub(crate) url: Box<str>,
    /// As scripts see it, user and password included, where these are in it.
    page: Option<Box<str>>,
    /// What goes into the request line.
    pub(crate) path: Box<str>,
    /// What goes into `Host`.
    pub(crate) authority: Box<str>,
    /// What user and password in the address become: the value of `Authorization`.
    pub(crate) basic: Option<Box<str>>,
    /// User and password, for digests.
    pub(crate) secret: Option<Secret>,
    pub(crate) origin: Arc<Origin>,
}

/// The addresses of one thread.
#[derive(Debug)]
pub(crate) struct Sites {
    pub(crate) options: Arc<HttpOptions>,
    targets: RefCell<HashMap<Box<str>, Rc<Target>>>,
    origins: RefCell<HashMap<(bool, String, u16), Arc<Origin>>>,
}

impl Target {
    /// The address as scripts see it.
    pub(crate) fn page(&self) -> &str {
        self.page.as_deref().unwrap_or(&self.url)
    }
}

impl Sites {
    pub(crate) fn new(options: Arc<HttpOptions>) -> Self {
        Self { options, targets: RefCell::default(), origins: RefCell::default() }
    }

    /// Finds an address, or takes it apart.
    pub(crate) fn target(&self, url: &str) -> Result<Rc<Target>, &'static str> {
        if let Some(known) = self.targets.borrow().get(url) {
            return Ok(Rc::clone(known));
        }
        let whole = escaped(url);
        let (address, secret) = without_secret(&whole);
        let parts = Url::parse(&address)?;
        let page = secret.is_some().then(|| whole.as_str().into());
        // k6 hides them wherever the address is shown.
        let shown = if secret.is_some() { address.replacen("://", "://****:****@", 1) } else { address };
        let origin = self.origin(&parts)?;
        let basic = secret.as_ref().map(|Secret { user, password }| {
            let pair = [user.as_slice(), password].join(&b':');
            format!("Basic {}", crate::script::base64(&pair)).into()
        });
        let (path, authority) = (parts.target.into(), parts.authority.into());
        let target = Rc::new(Target { url: shown.into(), page, path, authority, basic, secret, origin });
        let mut targets = self.targets.borrow_mut();
        if targets.len() >= MOST_TARGETS {
            targets.clear();
        }
        targets.insert(url.into(), Rc::clone(&target));
        Ok(target)
    }

    /// An address of another scheme, which nobody is asked for: it stands where one would that was.
    pub(crate) fn stray(url: &str, from: &Target) -> Rc<Target> {
        let (path, authority) = ("/".into(), "".into());
        let origin = Arc::clone(&from.origin);
        Rc::new(Target { url: url.into(), page: None, path, authority, basic: None, secret: None, origin })
    }

    fn origin(&self, parts: &Url) -> Result<Arc<Origin>, &'static str> {
        let key = (parts.tls, parts.host.to_ascii_lowercase(), parts.port);
        if let Some(known) = self.origins.borrow().get(&key) {
            return Ok(Arc::clone(known));
        }
        let origin = Arc::new(Origin::new(parts, &self.options.tls, &self.options.routes)?);
        let mut origins = self.origins.borrow_mut();
        if origins.len() >= MOST_ORIGINS {
            origins.clear();
        }
        origins.insert(key, Arc::clone(&origin));
        Ok(origin)
    }
}

/// Spaces and characters beyond ASCII become `%XX`.
fn escaped(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for byte in url.trim().bytes() {
        if byte <= b' ' || byte >= 0x7f {
            out.push_str(&format!("%{byte:02X}"));
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

/// The address without user and password, and these.
fn without_secret(url: &str) -> (String, Option<Secret>) {
    let from = url.find("://").map_or(0, |at| at + 3);
    let to = url[from..].find(['/', '?', '#']).map_or(url.len(), |at| from + at);
    let Some(at) = url[from..to].rfind('@') else { return (url.to_owned(), None) };
    let (user, password) = url[from..from + at].split_once(':').unwrap_or((&url[from..from + at], ""));
    let secret = Secret { user: unescaped(user), password: unescaped(password) };
    (format!("{}{}", &url[..from], &url[from + at + 1..]), Some(secret))
}

/// `%XX` as the byte that it stands for.
fn unescaped(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// Whether it is an address of its own (RFC 3986 3.1): what stands in a query or in a fragment makes it none.
fn has_scheme(location: &str) -> bool {
    let is_of_one = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
    location.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.chars().all(is_of_one)
    })
}

/// The scheme of an address, where it is another than those that are asked for.
pub(crate) fn other_scheme(url: &str) -> Option<&str> {
    let scheme = url.split_once(':')?.0;
    let is_own = ["http", "https"].iter().any(|own| scheme.eq_ignore_ascii_case(own));
    (has_scheme(url) && !is_own).then_some(scheme)
}

/// Where a redirect leads: `location` as a page at `base` means it.
pub(crate) fn resolved(base: &str, location: &str) -> String {
    if has_scheme(location) {
        return location.to_owned();
    }
    let page = base.split('#').next().unwrap_or(base);
    // It is the page itself (RFC 3986 5.2.2).
    if location.is_empty() || location.starts_with('#') {
        return page.to_owned();
    }
    let base = page.split('?').next().unwrap_or(page);
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{}{rest}", &base[..after_scheme]);
    }
    let path_at = base[after_scheme..].find('/').map_or(base.len(), |at| after_scheme + at);
    let (host, path) = base.split_at(path_at);
    let path = if location.starts_with('/') {
        location.to_owned()
    } else if location.starts_with('?') {
        format!("{path}{location}")
    } else {
        format!("{}/{location}", path.rsplit_once('/').map_or("", |(folder, _)| folder))
    };
    let (path, query) = path.find('?').map_or((path.as_str(), ""), |at| path.split_at(at));
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("{host}/{}{query}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_somewhere() {
        for (location, expected) in [
            ("http://b/x", "http://b/x"),
            ("/x?q=1", "http://a:1/x?q=1"),
            ("x", "http://a:1/d/x"),
            ("../x", "http://a:1/x"),
            ("./x/", "http://a:1/d/x/"),
            ("?z", "http://a:1/d/p?z"),
            ("//b/y", "http://b/y"),
            ("/x?back=http://b/", "http://a:1/x?back=http://b/"),
            ("x?u=b://", "http://a:1/d/x?u=b://"),
            ("./b:x", "http://a:1/d/b:x"),
            ("b-1.x:y", "b-1.x:y"),
            ("", "http://a:1/d/p?q"),
            ("#x://y", "http://a:1/d/p?q"),
        ] {
            assert_eq!(resolved("http://a:1/d/p?q#f", location), expected, "{location}");
        }
        assert_eq!(resolved("http://a", "x"), "http://a/x");
    }

    #[test]
    fn other_schemes_are_told() {
        for (url, scheme) in [
            ("mailto:a@b", Some("mailto")),
            ("FTP://a/", Some("FTP")),
            ("http://a/", None),
            ("HTTPS://a/", None),
            ("/a:b", None),
            ("1:2", None),
            (":", None),
        ] {
            assert_eq!(other_scheme(url), scheme, "{url}");
        }
    }

    #[test]
    fn user_and_password_leave_the_address() {
        let (url, secret) = without_secret("http://us%40er:pass@a:1/x@y?z@");
        let expected = Secret { user: "us@er".into(), password: "pass".into() };
        assert_eq!((url.as_str(), secret), ("http://a:1/x@y?z@", Some(expected)));
        assert_eq!(without_secret("http://a/@"), ("http://a/@".to_owned(), None));
    }

    #[test]
    fn odd_characters_are_escaped() {
        assert_eq!(escaped(" http://a/ä b "), "http://a/%C3%A4%20b");
    }
}
