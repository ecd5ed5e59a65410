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
    /// As it was written.
    pub(crate) expires: String,
    /// When it is over, of the calendar.
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
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        let mut cookie = Self { name: name.trim().to_owned(), value: value.to_owned(), ..Self::default() };
        if cookie.name.is_empty() {
            return None;
        }
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" => value.trim_start_matches('.').clone_into(&mut cookie.domain),
                "path" => value.clone_into(&mut cookie.path),
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                "max-age" => cookie.lasts(value.parse().unwrap_or(0)),
                "expires" => value.clone_into(&mut cookie.expires),
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

    /// It is over at this time of the calendar.
    pub(crate) fn ends_at(&mut self, unix_s: u64) {
        self.over_ns = Some(unix_s.saturating_mul(SECOND_NS));
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
        let is_of_host = cookie.domain == host || host.ends_with(&format!(".{}", cookie.domain));
        if !cookie.domain.is_empty() && !is_of_host {
            return;
        }
        cookie.host = host;
        if !cookie.path.starts_with('/') {
            path_of(path).clone_into(&mut cookie.path);
        }
        let is_same = |known: &Cookie| {
            (&known.name, &known.domain, &known.path, &known.host)
                == (&cookie.name, &cookie.domain, &cookie.path, &cookie.host)
        };
        let place = self.0.iter().position(is_same);
        let is_over = cookie.over_ns.is_some_and(|ns| ns <= unix_ns());
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
        let lasts = |cookie: &&Cookie| cookie.over_ns.is_none_or(|ns| ns > now_ns);
        let mut all: Vec<&Cookie> =
            self.0.iter().filter(|cookie| cookie.is_for(&host, path, is_secure)).filter(lasts).collect();
        all.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        all
    }

    /// Forgets what a page has set for its own folder, or only the cookie of a name. k6 leaves those of other paths.
    pub(crate) fn forget(&mut self, host: &str, path: &str, name: Option<&str>) {
        let (host, folder) = (host.to_ascii_lowercase(), path_of(path));
        let is_own = |cookie: &Cookie| cookie.host == host && cookie.domain.is_empty() && cookie.path == folder;
        self.0.retain(|cookie| !(is_own(cookie) && name.is_none_or(|name| cookie.name == name)));
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
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
}
