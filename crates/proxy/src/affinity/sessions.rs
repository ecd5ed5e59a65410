//! The sessions of `sticky learn`: which server each belongs to, in a bounded memory that all threads share.

use std::sync::{Arc, Mutex, PoisonError};

use crate::lru::{self, Lru};

/// The longest name of a session that is kept: what an answer says may be long.
const NAME_MAX: usize = 1024;

/// Sessions by their names.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<Lru<Session>>);

#[derive(Debug, Default)]
struct Session {
    route: Arc<str>,
    used_ms: u64,
}

impl Sessions {
    /// The route of the server that has a session; it is used with that.
    pub(crate) fn find(&self, name: &[u8], timeout_ms: u64, now_ms: u64) -> Option<Arc<str>> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.touch(name)?;
        if now_ms.saturating_sub(session.used_ms) > timeout_ms {
            sessions.remove(name);
            return None;
        }
        session.used_ms = now_ms;
        Some(Arc::clone(&session.route))
    }

    /// Notes that a session belongs to that server from now on. Those go first that have not been used for
    /// `timeout_ms`, then the one used least lately.
    pub(crate) fn note(&self, name: &[u8], route: &str, (room, timeout_ms): (u64, u64), now_ms: u64) {
        if name.is_empty() || name.len() > NAME_MAX || !lru::fits(name, room) {
            return;
        }
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.touch(name) {
            session.used_ms = now_ms;
            if &*session.route != route {
                session.route = route.into();
            }
            return;
        }
        // Two for the one that comes, so that a memory once large becomes small again.
        for _ in 0..2 {
            match sessions.oldest() {
                Some(oldest) if now_ms.saturating_sub(oldest.used_ms) > timeout_ms => sessions.remove_oldest(),
                _ => break,
            }
        }
        sessions.add(name, Session { route: route.into(), used_ms: now_ms }, room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lru::ENTRY_BYTES;

    const ROOM: (u64, u64) = (3 * (ENTRY_BYTES + 1), 1_000);

    fn find(sessions: &Sessions, name: &[u8], now_ms: u64) -> Option<String> {
        sessions.find(name, ROOM.1, now_ms).map(|route| route.to_string())
    }

    #[test]
    fn a_session_is_where_it_began_for_as_long_as_it_is_used() {
        let sessions = Sessions::default();
        sessions.note(b"a", "s1", ROOM, 0);
        assert_eq!(find(&sessions, b"b", 0), None);
        for now_ms in [900, 1_800, 2_800] {
            assert_eq!(find(&sessions, b"a", now_ms).as_deref(), Some("s1"), "{now_ms}");
        }
        assert_eq!(find(&sessions, b"a", 3_801), None);
        sessions.note(b"a", "s1", ROOM, 4_000);
        sessions.note(b"a", "s2", ROOM, 4_000);
        assert_eq!(find(&sessions, b"a", 4_500).as_deref(), Some("s2"), "the last word holds");
    }

    #[test]
    fn a_full_memory_forgets_what_is_over_then_what_was_used_least_lately() {
        let sessions = Sessions::default();
        for (name, now_ms) in [(b"a", 0), (b"b", 10), (b"c", 20)] {
            sessions.note(name, "s1", ROOM, now_ms);
        }
        find(&sessions, b"a", 500);
        sessions.note(b"d", "s1", ROOM, 600);
        assert_eq!(
            [b"a", b"b", b"c", b"d"].map(|name| find(&sessions, name, 700).is_some()),
            [true, false, true, true]
        );
        sessions.note(b"e", "s1", ROOM, 5_000);
        assert_eq!(sessions.0.lock().unwrap_or_else(PoisonError::into_inner).bytes(), 2 * (ENTRY_BYTES + 1));
    }

    #[test]
    fn names_that_are_none_are_not_kept() {
        let sessions = Sessions::default();
        let long = vec![b'x'; NAME_MAX + 1];
        for name in [&b""[..], &long] {
            sessions.note(name, "s1", (1 << 20, 1_000), 0);
            assert_eq!(find(&sessions, name, 0), None);
        }
        sessions.note(&long[1..], "s1", ROOM, 0);
        assert_eq!(find(&sessions, &long[1..], 0), None, "larger than the memory");
    }
}
