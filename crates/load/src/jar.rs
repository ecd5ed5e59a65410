//! Cookies of one user: what servers have set, and which of them go with a request (RFC 6265).
//!
//! Left out: lists of public suffixes, and `SameSite`, which is for browsers.

use net::clock::unix_ns;

/// Cookies of one jar; the oldest go first. A server that sets more names them after data.
const MOST_COOKIES: usize = 3000;
const SECOND_NS: u64 = 1_000_000_000;

/// One cookie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// As the server said it; empty where the cookie is for its host alone.
    pub(crate) domain: String,
    /// The host that set it.
    host: String,
    pub(crate) path: String,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) max_age_s: i64,
    /// When it is over by its date, in seconds of the calendar.
    pub(crate) expires_s: Option<u64>,
    /// When it is over by its age, of the calendar; this counts more than a date (RFC 6265 5.3).
    over_ns: Option<u64>,
}

/// Cookies.
#[derive(Debug, Default)]
pub(crate) struct Jar(Vec<Cookie>);

impl Cookie {
    /// Reads the value of a `Set-Cookie` field.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        // As k6 does, one that is not written as RFC 6265 4.1.1 has it is not kept, but for spaces and commas.
        if !is_token(name) || !value.chars().all(may_be_sent) {
            return None;
        }
        let mut cookie = Self { name: name.to_owned(), value: value.to_owned(), ..Self::default() };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" => value.trim_start_matches('.').clone_into(&mut cookie.domain),
                "path" => value.clone_into(&mut cookie.path),
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                // What is no number of seconds says nothing (RFC 6265 5.2.2).
                "max-age" => value.parse().into_iter().for_each(|seconds| cookie.lasts(seconds)),
                "expires" => cookie.expires_s = end(value),
                _ => {}
            }
        }
        Some(cookie)
    }

    /// It is over after so many seconds; none or fewer are over at once.
    pub(crate) fn lasts(&mut self, seconds: i64) {
        self.max_age_s = if seconds <= 0 { -1 } else { seconds };
        let ns = u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND_NS);
        self.over_ns = Some(if ns == 0 { 0 } else { unix_ns().saturating_add(ns) });
    }

    fn is_over(&self, unix_ns: u64) -> bool {
        let by_date = || self.expires_s.map(|seconds| seconds.saturating_mul(SECOND_NS));
        self.over_ns.or_else(by_date).is_some_and(|over_ns| over_ns <= unix_ns)
    }

    /// What a jar tells it apart by: a cookie for its host alone and one for a domain of that name are one.
    fn is_of(&self, host: &str, path: &str, name: &str) -> bool {
        let own = if self.domain.is_empty() { &self.host } else { &self.domain };
        own == host && self.path == path && self.name == name
    }

    fn is_for(&self, host: &str, path: &str, is_secure: bool) -> bool {
        let is_local = host == "127.0.0.1" || host == "localhost" || host == "::1";
        let by_domain =
            host == self.domain || host.strip_suffix(self.domain.as_str()).is_some_and(|s| s.ends_with('.'));
        let by_host = if self.domain.is_empty() { host == self.host } else { by_domain };
        let own = self.path.as_str();
        let by_path =
            path == own || path.strip_prefix(own).is_some_and(|rest| own.ends_with('/') || rest.starts_with('/'));
        // k6 sends secure cookies to the own host without TLS too.
        by_host && by_path && (!self.secure || is_secure || is_local)
    }
}

impl Jar {
    /// Keeps a cookie that `host` has set on a page at `path`.
    pub(crate) fn keep(&mut self, mut cookie: Cookie, host: &str, path: &str) {
        let host = host.to_ascii_lowercase();
        cookie.domain.make_ascii_lowercase();
        // An IP address has no domains above it (RFC 6265 5.1.3).
        let has_domains = host.parse::<std::net::IpAddr>().is_err();
        let is_of_host = cookie.domain == host || (has_domains && host.ends_with(&format!(".{}", cookie.domain)));
        if !cookie.domain.is_empty() && !is_of_host {
            return;
        }
        cookie.host = host;
        if !cookie.path.starts_with('/') {
            path_of(path).clone_into(&mut cookie.path);
        }
        let of = if cookie.domain.is_empty() { &cookie.host } else { &cookie.domain };
        let place = self.0.iter().position(|known| known.is_of(of, &cookie.path, &cookie.name));
        let is_over = cookie.is_over(unix_ns());
        match place {
            Some(at) if is_over => drop(self.0.remove(at)),
            Some(at) => self.0[at] = cookie,
            None if is_over => {}
            None => {
                if self.0.len() >= MOST_COOKIES {
                    self.0.remove(0);
                }
                self.0.push(cookie);
            }
        }
    }

    /// The cookies that go to a page; those of longer paths come first.
    pub(crate) fn of(&self, host: &str, path: &str, is_secure: bool) -> Vec<&Cookie> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let (host, path) = (host.to_ascii_lowercase(), path.split(['?', '#']).next().unwrap_or("/"));
        let now_ns = unix_ns();
        let goes = |cookie: &&Cookie| cookie.is_for(&host, path, is_secure) && !cookie.is_over(now_ns);
        let mut all: Vec<&Cookie> = self.0.iter().filter(goes).collect();
        all.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        all
    }

    /// Forgets what a page has set for its own folder, or only the cookie of a name. k6 leaves those of other paths.
    pub(crate) fn forget(&mut self, host: &str, path: &str, name: Option<&str>) {
        let (host, folder) = (host.to_ascii_lowercase(), path_of(path));
        self.0.retain(|cookie| !cookie.is_of(&host, folder, name.unwrap_or(&cookie.name)));
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A value as it is sent: without letters that a field cannot hold, between quotation marks where it has spaces or
/// commas.
pub(crate) fn sent_value(value: &str) -> std::borrow::Cow<'_, str> {
    if value.chars().all(|letter| may_be_sent(letter) && !matches!(letter, ' ' | ',')) {
        return value.into();
    }
    let kept: String = value.chars().filter(|letter| may_be_sent(*letter)).collect();
    if kept.contains([' ', ',']) { format!("\"{kept}\"").into() } else { kept.into() }
}

fn may_be_sent(letter: char) -> bool {
    (' '..='~').contains(&letter) && !matches!(letter, '"' | ';' | '\\')
}

/// RFC 9110 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    let is_of_one = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of_one)
}

/// When a date is; some servers end a cookie by one before 1970, which is not on our scale.
fn end(date: &str) -> Option<u64> {
    wire::date::parse(date.as_bytes()).or_else(|| {
        let year =
            date.split([' ', '-']).find(|word| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit()));
        year.is_some_and(|year| year < "1970").then_some(0)
    })
}

/// The folder of a page.
fn path_of(path: &str) -> &str {
    let path = path.split(['?', '#']).next().unwrap_or("/");
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sent(jar: &Jar, host: &str, path: &str) -> String {
        jar.of(host, path, false).iter().map(|cookie| format!("{}={};", cookie.name, cookie.value)).collect()
    }

    #[test]
    fn cookies_go_where_they_belong() {
        let mut jar = Jar::default();
        for line in ["a=1", "b=2; Path=/", "c=3; Path=/x/y", "d=4; Domain=example.org; Path=/", "e=5; Path=/; Secure"] {
            jar.keep(Cookie::parse(line).unwrap(), "www.example.org", "/x/page");
        }
        jar.keep(Cookie::parse("f=6; Domain=other.org").unwrap(), "www.example.org", "/");
        assert_eq!(sent(&jar, "www.example.org", "/x/y/z?q"), "c=3;a=1;b=2;d=4;");
        assert_eq!(sent(&jar, "www.example.org", "/xy"), "b=2;d=4;");
        assert_eq!(sent(&jar, "WWW.example.org", "/"), "b=2;d=4;");
        assert_eq!(sent(&jar, "api.example.org", "/x"), "d=4;");
        assert_eq!(sent(&jar, "anexample.org", "/"), "");
    }

    #[test]
    fn a_cookie_is_replaced_or_ends() {
        let mut jar = Jar::default();
        for line in ["a=1; Path=/", "a=\"2\"; Path=/", "b=1; Path=/"] {
            jar.keep(Cookie::parse(line).unwrap(), "h", "/");
        }
        assert_eq!(sent(&jar, "h", "/"), "a=2;b=1;");
        jar.keep(Cookie::parse("b=; Max-Age=0; Path=/").unwrap(), "h", "/");
        assert_eq!(sent(&jar, "h", "/"), "a=2;");
        jar.forget("h", "/", Some("a"));
        assert_eq!(sent(&jar, "h", "/"), "");
        assert_eq!(Cookie::parse("nothing"), None);
    }

    #[test]
    fn a_date_ends_a_cookie_and_a_domain_of_the_own_host_is_no_other() {
        let mut jar = Jar::default();
        let past = "Wed, 21 Oct 2009 07:28:00 GMT";
        for line in ["a=1; Path=/; Domain=h.org", "b=1; Path=/", "c=1; Expires=Wed, 21-Oct-2099 07:28:00 GMT"] {
            jar.keep(Cookie::parse(line).unwrap(), "h.org", "/");
        }
        let aged = format!("d=1; Max-Age=60; Expires={past}");
        for line in [&*aged, &format!("b=; Path=/; Expires={past}"), &format!("e=1; Expires={past}")] {
            jar.keep(Cookie::parse(line).unwrap(), "h.org", "/");
        }
        assert_eq!(sent(&jar, "h.org", "/"), "a=1;c=1;d=1;");
        jar.keep(Cookie::parse("a=2; Path=/").unwrap(), "h.org", "/");
        assert_eq!(sent(&jar, "h.org", "/"), "a=2;c=1;d=1;");
        jar.forget("h.org", "/", Some("c"));
        jar.keep(Cookie::parse("d=3; Path=/; Domain=h.org").unwrap(), "h.org", "/");
        jar.forget("h.org", "/", Some("d"));
        assert_eq!(sent(&jar, "h.org", "/"), "a=2;");
    }

    #[test]
    fn what_is_badly_written_says_nothing() {
        for (line, expected) in [
            ("a=1; Max-Age=soon", "a=1;"),
            ("a=1; Max-Age=", "a=1;"),
            ("a=1; Max-Age=99999999999999999999", "a=1;"),
            ("a=1; Max-Age=-5", ""),
            ("a=1; Expires=Wed, 31 Dec 1969 23:59:59 GMT", ""),
            ("a=1; Expires=soon", "a=1;"),
            ("a=1; Domain=0.0.1", ""),
            ("a=1; Domain=127.0.0.1", "a=1;"),
            ("a b=1", ""),
            ("a=\"b", ""),
            ("a=b\\c", ""),
            ("a=ä", ""),
            ("a=b c,d", "a=b c,d;"),
            ("=1", ""),
        ] {
            let mut jar = Jar::default();
            if let Some(cookie) = Cookie::parse(line) {
                jar.keep(cookie, "127.0.0.1", "/");
            }
            assert_eq!(sent(&jar, "127.0.0.1", "/"), expected, "{line}");
        }
    }

    #[test]
    fn values_are_sent_as_a_field_may_hold_them() {
        for (value, expected) in [("plain", "plain"), ("a b", "\"a b\""), ("a,b", "\"a,b\""), ("ä\";x", "x"), ("", "")]
        {
            assert_eq!(sent_value(value), expected);
        }
    }
}
