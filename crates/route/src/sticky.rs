//! Affinity: what of a request names the server that has its session.
//!
//! Liberty writes its clone ids behind the session id: `0000ID:CLONE[:CLONE...]`. Of that only the list is looked at:
//! the first four characters are a version that changes in mid-session, and after a failover a clone is added.

use std::path::PathBuf;

use conf::template::Template;
use conf::tree::{self, CookieAge};

use crate::names::Names;
use crate::text::Text;

/// Clone ids of a request that are looked at. After a failover there are two or three; a client may send thousands.
const MOST_CLONES: usize = 16;

/// `sticky`.
#[derive(Debug)]
pub enum Sticky {
    /// The clone ids of a session.
    Liberty {
        /// The cookie that has them.
        cookie: String,
        /// Where those are kept that were learnt.
        state: Option<PathBuf>,
    },
    /// The first that is not empty.
    Route(Vec<Text>),
    /// A cookie of the balancer's own.
    Cookie(Box<StickyCookie>),
    /// What answers have said before.
    Learn(StickyLearn),
}

/// A cookie that names a server.
#[derive(Debug)]
pub struct StickyCookie {
    /// Its name.
    pub name: String,
    /// How long the browser keeps it.
    pub age: Option<CookieAge>,
    /// The attributes whose values are made for each answer, each with what stands before it (`; Path=`).
    pub attributes: Vec<(&'static str, Text)>,
    /// Those that have none, as they are written.
    pub flags: &'static str,
}

/// Sessions that are learnt.
#[derive(Debug)]
pub struct StickyLearn {
    /// What of an answer names a session that begins.
    pub create: Vec<Text>,
    /// What of a request names its session.
    pub lookup: Vec<Text>,
    /// The memory that keeps them.
    pub zone: String,
    /// Its size.
    pub bytes: u64,
    /// How long a session is remembered that is not used.
    pub timeout_ms: u64,
    /// Whether a session begins with the head of its answer.
    pub by_head: bool,
}

impl Sticky {
    pub(crate) fn compile(sticky: &tree::Sticky, names: &Names) -> Self {
        let texts = |texts: &[Template]| texts.iter().map(|text| Text::compile(text, names)).collect();
        match sticky {
            tree::Sticky::Liberty { cookie, state } => Self::Liberty { cookie: cookie.clone(), state: state.clone() },
            tree::Sticky::Route(of) => Self::Route(texts(of)),
            tree::Sticky::Cookie(cookie) => Self::Cookie(Box::new(StickyCookie::compile(cookie, names))),
            tree::Sticky::Learn(learn) => Self::Learn(StickyLearn {
                create: texts(&learn.create),
                lookup: texts(&learn.lookup),
                zone: learn.zone.clone(),
                bytes: learn.bytes,
                timeout_ms: learn.timeout_ms,
                by_head: learn.by_head,
            }),
        }
    }
}

impl StickyCookie {
    fn compile(cookie: &tree::StickyCookie, names: &Names) -> Self {
        let tree::StickyCookie { name, age, domain, path, same_site, http_only, secure } = cookie;
        let attributes = [("; Domain=", domain), ("; Path=", path), ("; SameSite=", same_site)];
        let attributes = attributes.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        let flags = match (http_only, secure) {
            (false, false) => "",
            (true, false) => "; HttpOnly",
            (false, true) => "; Secure",
            (true, true) => "; HttpOnly; Secure",
        };
        Self {
            name: name.clone(),
            age: *age,
            attributes: attributes.map(|(name, text)| (name, Text::compile(text, names))).collect(),
            flags,
        }
    }
}

/// The list of clone ids of a session, as it is written, with its separator: Liberty's `:`, or `+` where it is told so.
pub fn clones(session: &[u8]) -> Option<(&[u8], u8)> {
    let at = session.iter().position(|byte| matches!(byte, b':' | b'+'))?;
    Some((&session[at + 1..], session[at]))
}

/// The routes of a list; those beyond a sensible number are left out.
pub fn listed(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    list.split(move |&byte| byte == separator).filter(|route| !route.is_empty()).take(MOST_CLONES)
}

/// The session in an address: `/path;jsessionid=SESSION?query`.
pub fn session_in(path: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"jsessionid=";
    let path = path.split(|byte| matches!(byte, b'?' | b'#')).next()?;
    path.split(|&byte| byte == b';').skip(1).find_map(|part| {
        let (name, value) = part.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then(|| value.split(|&byte| byte == b'/').next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clone_ids_stand_behind_the_first_separator() {
        let table: &[(&str, &[&str])] = &[
            ("0000hnSaMv_ajG3B-YuA1BT7AXE:s1", &["s1"]),
            ("0001hnSaMv_ajG3B-YuA1BT7AXE:s1:s2", &["s1", "s2"]),
            ("0000x+s1+s2", &["s1", "s2"]),
            ("0000x:a+b:c", &["a+b", "c"]),
            ("0000x:", &[]),
            ("0000x::s1:", &["s1"]),
            (":", &[]),
        ];
        for (session, expected) in table {
            let (list, separator) = clones(session.as_bytes()).unwrap_or_default();
            let found: Vec<&[u8]> = listed(list, separator).collect();
            let expected: Vec<&[u8]> = expected.iter().map(|clone| clone.as_bytes()).collect();
            assert_eq!(found, expected, "{session}");
        }
        assert_eq!(clones(b"0000hnSaMv"), None);
        assert_eq!(clones(b""), None);
        assert_eq!(listed(&b"a:".repeat(10_000), b':').count(), MOST_CLONES);
    }

    #[test]
    fn a_session_is_found_in_an_address() {
        let table: &[(&str, Option<&str>)] = &[
            ("/a;jsessionid=0000x:s1", Some("0000x:s1")),
            ("/a;jsessionid=0000x:s1?b=;jsessionid=no", Some("0000x:s1")),
            ("/a;JSESSIONID=0000x:s1#c", Some("0000x:s1")),
            ("/a;v=1;jsessionid=0000x:s1;w=2", Some("0000x:s1")),
            ("/a;jsessionid=0000x:s1/b", Some("0000x:s1")),
            ("/a;jsessionid=", Some("")),
            ("/a?;jsessionid=0000x:s1", None),
            ("/jsessionid=0000x:s1", None),
            ("/a;xjsessionid=0000x:s1", None),
            ("/a", None),
            ("", None),
        ];
        for (path, expected) in table {
            assert_eq!(session_in(path.as_bytes()), expected.map(str::as_bytes), "{path}");
        }
    }
}
