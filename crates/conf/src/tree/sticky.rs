//! Affinity: how a request finds the server that has its session.

use std::path::PathBuf;

use crate::template::Template;

/// `sticky`: what tells the server that a request belongs to.
#[derive(Debug, Clone)]
pub enum Sticky {
    /// `sticky liberty`: the clone ids in Liberty's session cookie, or in the address.
    Liberty {
        /// The cookie's name.
        cookie: String,
        /// Where clone ids are kept that were learnt, of servers without `route`.
        state: Option<PathBuf>,
    },
    /// `sticky route`: the first of these that is not empty.
    Route(Vec<Template>),
    /// `sticky cookie`: a cookie of the balancer's own.
    Cookie(StickyCookie),
    /// `sticky learn`: what a server's answers have said before.
    Learn(StickyLearn),
}

/// A cookie that names a server.
#[derive(Debug, Clone)]
pub struct StickyCookie {
    /// Its name.
    pub name: String,
    /// How long the browser is to keep it; to the end of its session where nothing is said.
    pub age: Option<CookieAge>,
    /// `Domain`.
    pub domain: Option<Template>,
    /// `Path`.
    pub path: Option<Template>,
    /// `SameSite`: `strict`, `lax` or `none`, or what makes one of them.
    pub same_site: Option<Template>,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `Secure`.
    pub secure: bool,
}

/// How long a browser keeps a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieAge {
    /// So many seconds.
    Seconds(u64),
    /// As long as can be said.
    Max,
}

/// Sessions that are learnt from the answers that begin them.
#[derive(Debug, Clone)]
pub struct StickyLearn {
    /// What of an answer names a session that begins; the first that is not empty.
    pub create: Vec<Template>,
    /// What of a request names its session; the first that is not empty.
    pub lookup: Vec<Template>,
    /// The name of the memory that keeps them.
    pub zone: String,
    /// Its size.
    pub bytes: u64,
    /// How long a session is remembered that is not used.
    pub timeout_ms: u64,
    /// Whether a session begins with the head of its answer; else with the answer's end.
    pub by_head: bool,
}
