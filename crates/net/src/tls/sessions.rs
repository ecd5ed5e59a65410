//! Sessions that clients may resume: for how long, and at which of a listener's servers.
//!
//! The keys of tickets and the cache belong to a listener and outlive a reload; each configuration of it marks what it
//! gives out with the time and its own context, and takes nothing else back.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};

use super::tickets::{FileTickets, TicketKey};
use crate::clock;

/// The keys and the memory of a listener's sessions.
#[derive(Clone)]
pub struct Sessions {
    tickets: Arc<dyn ProducesTickets>,
    /// Under keys that the configuration names, which come before those.
    named: Option<Arc<dyn ProducesTickets>>,
    cache: Arc<dyn StoresServerSessions>,
    /// How many the cache has room for.
    size: usize,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Sessions {
    /// New keys, and room for so many sessions; 0 keeps none.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(size: usize) -> Result<Self, rustls::Error> {
        Ok(Self { tickets: aws_lc_rs::Ticketer::new()?, named: None, cache: cache(size), size })
    }

    /// The same with keys that the configuration names, the first for new tickets; none where there are none.
    #[must_use]
    pub fn with_ticket_keys(self, keys: Vec<TicketKey>) -> Self {
        let named: Option<Arc<dyn ProducesTickets>> =
            if keys.is_empty() { None } else { Some(Arc::new(FileTickets(keys))) };
        Self { named, ..self }
    }

    /// The same keys, and the same memory if it has the size.
    #[must_use]
    pub fn with_size(&self, size: usize) -> Self {
        let cache = if size == self.size { Arc::clone(&self.cache) } else { cache(size) };
        Self { tickets: Arc::clone(&self.tickets), named: self.named.clone(), cache, size }
    }

    pub(super) fn tickets(&self, mark: &Mark) -> Arc<dyn ProducesTickets> {
        Arc::new(Marked { inner: Arc::clone(self.named.as_ref().unwrap_or(&self.tickets)), mark: mark.clone() })
    }

    pub(super) fn cache(&self, mark: &Mark) -> Arc<dyn StoresServerSessions> {
        if self.size == 0 {
            return Arc::new(NoServerSessionStorage {});
        }
        Arc::new(Marked { inner: Arc::clone(&self.cache), mark: mark.clone() })
    }
}

fn cache(size: usize) -> Arc<dyn StoresServerSessions> {
    if size == 0 { Arc::new(NoServerSessionStorage {}) } else { ServerSessionMemoryCache::new(size) }
}

/// What is put before a session.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) lifetime_s: u64,
    /// What a session must have been made under.
    pub(super) context: Vec<u8>,
}

impl Mark {
    fn put(&self, session: &[u8]) -> Vec<u8> {
        [&now_s().to_be_bytes(), self.context.as_slice(), session].concat()
    }

    /// The session, if it is not too old and was made under the same context.
    fn take(&self, marked: &[u8]) -> Option<Vec<u8>> {
        let (time, rest) = marked.split_first_chunk::<8>()?;
        let age_s = now_s().checked_sub(u64::from_be_bytes(*time))?;
        let session = rest.strip_prefix(self.context.as_slice())?;
        (age_s < self.lifetime_s).then(|| session.to_vec())
    }
}

fn now_s() -> u64 {
    clock::unix_ns() / 1_000_000_000
}

#[derive(Debug)]
struct Marked<T> {
    inner: T,
    mark: Mark,
}

impl ProducesTickets for Marked<Arc<dyn ProducesTickets>> {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        let most = self.inner.lifetime();
        u32::try_from(self.mark.lifetime_s).map_or(most, |own| own.min(most))
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&self.mark.put(plain))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.mark.take(&self.inner.decrypt(cipher)?)
    }
}

impl StoresServerSessions for Marked<Arc<dyn StoresServerSessions>> {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.inner.put(key, self.mark.put(&value))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.mark.take(&self.inner.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.mark.take(&self.inner.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}

/// No tickets at all.
#[derive(Debug)]
pub(super) struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn sessions_are_taken_back_where_they_were_given_and_while_they_hold() {
        let mark = |lifetime_s, context: &[u8]| Mark { lifetime_s, context: context.to_vec() };
        let sessions = Sessions::new(10).unwrap();
        let (own, other, old) = (mark(60, b"own"), mark(60, b"else"), mark(0, b"own"));
        let ticket = sessions.tickets(&own).encrypt(b"session").unwrap();
        assert_eq!(sessions.tickets(&own).decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(sessions.with_size(20).tickets(&own).decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        for mark in [&other, &old] {
            assert_eq!(sessions.tickets(mark).decrypt(&ticket), None);
        }
        assert_eq!(Sessions::new(10).unwrap().tickets(&own).decrypt(&ticket), None);
        assert!(sessions.cache(&own).put(b"id".to_vec(), b"session".to_vec()));
        assert_eq!(sessions.cache(&other).get(b"id"), None);
        assert_eq!(sessions.cache(&old).get(b"id"), None);
        assert_eq!(sessions.with_size(20).cache(&own).get(b"id"), None);
        assert_eq!(sessions.with_size(10).cache(&own).get(b"id").as_deref(), Some(&b"session"[..]));
        assert!(!sessions.with_size(0).cache(&own).can_cache());
    }
}
