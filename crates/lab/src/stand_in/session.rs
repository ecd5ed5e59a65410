//! Sessions in the server's memory and the cookie that names them, as Liberty does both.
//!
//! A cookie's value is a version of four characters, the session id, then the clone ids of the servers that may hold
//! the session. A server takes a session up when it is named among them and knows the id; else it makes a new one and
//! the old list is gone. Sessions are not shared between servers.

use std::collections::{HashMap, VecDeque};

use super::dice::Dice;

/// The characters of a session id.
const ID_LENGTH: usize = 23;
/// The characters of the version in front of the id; a new session has version 0.
const VERSION_LENGTH: usize = 4;
/// Sessions kept, the oldest forgotten beyond: some 20 MB. A load without cookies makes a session a request.
const SESSIONS_MAX: usize = 100_000;

/// Whom a server is among its clones.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) clone: String,
    pub(super) separator: char,
    pub(super) no_additional_info: bool,
}

/// The sessions of one server.
pub(super) struct Sessions {
    identity: Identity,
    visits: HashMap<String, u64>,
    by_age: VecDeque<String>,
}

/// One visit of a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Visit {
    /// The session's id.
    pub(super) id: String,
    /// How many visits it has had, this one included.
    pub(super) count: u64,
    /// The cookie's value, where the session is new.
    pub(super) cookie: Option<String>,
}

impl Sessions {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, visits: HashMap::new(), by_age: VecDeque::new() }
    }

    /// Counts a visit by somebody who showed `shown`, the value of a cookie or of `;jsessionid=`.
    pub(super) fn visit(&mut self, shown: Option<&str>, dice: &Dice) -> Visit {
        if let Some(id) = shown.and_then(|shown| self.mine(shown))
            && let Some(count) = self.visits.get_mut(id)
        {
            *count += 1;
            return Visit { id: id.to_owned(), count: *count, cookie: None };
        }
        self.start(dice)
    }

    /// The session id in a value, where the list of clones names this server or there is no list.
    fn mine<'a>(&self, shown: &'a str) -> Option<&'a str> {
        let rest = shown.get(VERSION_LENGTH..)?;
        match rest.split_once(self.identity.separator) {
            None => Some(rest),
            Some((id, clones)) => {
                clones.split(self.identity.separator).any(|clone| clone == self.identity.clone).then_some(id)
            }
        }
    }

    fn start(&mut self, dice: &Dice) -> Visit {
        if self.by_age.len() >= SESSIONS_MAX
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.visits.remove(&oldest);
        }
        let id = dice.word(ID_LENGTH);
        self.visits.insert(id.clone(), 1);
        self.by_age.push_back(id.clone());
        let cookie = if self.identity.no_additional_info {
            format!("0000{id}")
        } else {
            format!("0000{id}{}{}", self.identity.separator, self.identity.clone)
        };
        Visit { id, count: 1, cookie: Some(cookie) }
    }
}

/// The value of the cookie `JSESSIONID` in the values of a request's `Cookie` fields.
pub(super) fn cookie_of<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    fields.find_map(|field| field.split(';').find_map(|pair| pair.trim_start().strip_prefix("JSESSIONID=")))
}

/// Takes `;jsessionid=VALUE` off a path.
pub(super) fn split_path(path: &str) -> (&str, Option<&str>) {
    match path.split_once(";jsessionid=") {
        None => (path, None),
        Some((path, value)) => (path, Some(value.split(';').next().unwrap_or(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(clone: &str, no_additional_info: bool) -> Sessions {
        Sessions::new(Identity { clone: clone.into(), separator: ':', no_additional_info })
    }

    #[test]
    fn a_new_session_has_the_clone_in_its_cookie_once() {
        let (dice, mut s1) = (Dice::new(), sessions("s1", false));
        let first = s1.visit(None, &dice);
        assert_eq!(first.id.len(), 23);
        assert_eq!(first.cookie, Some(format!("0000{}:s1", first.id)));
        let again = s1.visit(first.cookie.as_deref(), &dice);
        assert_eq!(again, Visit { id: first.id, count: 2, cookie: None });
    }

    #[test]
    fn what_a_server_takes_for_its_own() {
        let (dice, mut s1) = (Dice::new(), sessions("s1", false));
        let id = s1.visit(None, &dice).id;
        let table = [
            (format!("0000{id}:s1"), true),
            (format!("0003{id}:s1"), true),
            (format!("0000{id}:s1:s2"), true),
            (format!("0000{id}:s2:s1"), true),
            (format!("0000{id}"), true),
            (format!("0000{id}:s2"), false),
            (format!("0000{id}:s10"), false),
            (format!("0000{id}+s1"), false),
            (format!("0000{}:s1", "x".repeat(23)), false),
            ("0000".into(), false),
            ("é".into(), false),
            (String::new(), false),
        ];
        for (shown, mine) in table {
            assert_eq!(s1.visit(Some(&shown), &dice).cookie.is_none(), mine, "{shown}");
        }
    }

    #[test]
    fn a_cookie_of_another_clone_gets_a_new_session_and_a_new_list() {
        let (dice, mut s1, mut s2) = (Dice::new(), sessions("s1", false), sessions("s2", false));
        let first = s1.visit(None, &dice);
        let moved = s2.visit(first.cookie.as_deref(), &dice);
        assert_ne!(moved.id, first.id);
        assert_eq!(moved.cookie, Some(format!("0000{}:s2", moved.id)));
    }

    #[test]
    fn without_additional_information_there_is_no_list() {
        let (dice, mut s1) = (Dice::new(), sessions("s1", true));
        let first = s1.visit(None, &dice);
        assert_eq!(first.cookie, Some(format!("0000{}", first.id)));
    }

    #[test]
    fn old_sessions_are_forgotten_beyond_the_limit() {
        let (dice, mut s1) = (Dice::new(), sessions("s1", false));
        let first = s1.visit(None, &dice);
        for _ in 0..SESSIONS_MAX {
            s1.visit(None, &dice);
        }
        assert_eq!(s1.visits.len(), SESSIONS_MAX);
        assert!(s1.visit(first.cookie.as_deref(), &dice).cookie.is_some());
    }

    #[test]
    fn cookies_and_paths() {
        assert_eq!(cookie_of(["a=1; JSESSIONID=x:s1; b=2"].into_iter()), Some("x:s1"));
        assert_eq!(cookie_of(["a=1", "JSESSIONID=x"].into_iter()), Some("x"));
        assert_eq!(cookie_of(["XJSESSIONID=x"].into_iter()), None);
        assert_eq!(split_path("/a;jsessionid=0000x:s1"), ("/a", Some("0000x:s1")));
        assert_eq!(split_path("/a;jsessionid=0000x;v=1"), ("/a", Some("0000x")));
        assert_eq!(split_path("/a"), ("/a", None));
    }
}
