//! Values by key in a bounded memory: where there is no room for another, the one goes that was used least lately.

use std::collections::HashMap;
use std::sync::Arc;

/// Bytes that an entry takes beside its key: nginx's documentation counts 128 with it.
pub(crate) const ENTRY_BYTES: u64 = 64;

/// Values by key, in the order of their last use.
#[derive(Debug)]
pub(crate) struct Lru<V> {
    /// Places in `all`, by key.
    index: HashMap<Arc<[u8]>, usize>,
    all: Vec<Entry<V>>,
    free: Vec<usize>,
    /// The one used last and the one used least lately.
    newest: Option<usize>,
    oldest: Option<usize>,
    bytes: u64,
}

#[derive(Debug)]
struct Entry<V> {
    key: Arc<[u8]>,
    value: V,
    newer: Option<usize>,
    older: Option<usize>,
}

impl<V> Default for Lru<V> {
    fn default() -> Self {
        Self { index: HashMap::new(), all: Vec::new(), free: Vec::new(), newest: None, oldest: None, bytes: 0 }
    }
}

/// Whether a memory of that size has room for a key, were it empty.
pub(crate) fn fits(key: &[u8], room: u64) -> bool {
    ENTRY_BYTES + key.len() as u64 <= room
}

impl<V: Default> Lru<V> {
    /// A key's value; looking is no use of it.
    pub(crate) fn look(&self, key: &[u8]) -> Option<&V> {
        self.index.get(key).map(|place| &self.all[*place].value)
    }

    /// A key's value, which is used now.
    pub(crate) fn touch(&mut self, key: &[u8]) -> Option<&mut V> {
        let place = *self.index.get(key)?;
        if self.newest != Some(place) {
            self.unlink(place);
            self.link(place);
        }
        Some(&mut self.all[place].value)
    }

    /// Adds a key that is not there; others go until `room` bytes have place for it.
    pub(crate) fn add(&mut self, key: &[u8], value: V, room: u64) {
        let bytes = ENTRY_BYTES + key.len() as u64;
        while self.bytes + bytes > room {
            let Some(oldest) = self.oldest else { return };
            self.remove_at(oldest);
        }
        let key: Arc<[u8]> = key.into();
        let entry = Entry { key: Arc::clone(&key), value, newer: None, older: None };
        let place = match self.free.pop() {
            Some(place) => {
                self.all[place] = entry;
                place
            }
            None => {
                self.all.push(entry);
                self.all.len() - 1
            }
        };
        self.bytes += bytes;
        self.index.insert(key, place);
        self.link(place);
    }

    /// The value that was used least lately.
    pub(crate) fn oldest(&self) -> Option<&V> {
        self.oldest.map(|place| &self.all[place].value)
    }

    pub(crate) fn remove_oldest(&mut self) {
        if let Some(oldest) = self.oldest {
            self.remove_at(oldest);
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Some(place) = self.index.get(key).copied() {
            self.remove_at(place);
        }
    }

    /// Bytes in use, by the count of [`ENTRY_BYTES`] and keys.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn remove_at(&mut self, place: usize) {
        self.unlink(place);
        let key = std::mem::replace(&mut self.all[place].key, Arc::from([]));
        self.all[place].value = V::default();
        self.bytes -= ENTRY_BYTES + key.len() as u64;
        self.index.remove(&key);
        self.free.push(place);
    }

    fn link(&mut self, place: usize) {
        (self.all[place].newer, self.all[place].older) = (None, self.newest);
        if let Some(newest) = self.newest {
            self.all[newest].newer = Some(place);
        }
        self.newest = Some(place);
        self.oldest.get_or_insert(place);
    }

    fn unlink(&mut self, place: usize) {
        let (newer, older) = (self.all[place].newer, self.all[place].older);
        match newer {
            Some(newer) => self.all[newer].older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => self.all[older].newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn what_was_used_least_lately_goes() {
        let mut lru = Lru::<u32>::default();
        let room = 3 * (ENTRY_BYTES + 1);
        for (key, value) in [(b"a", 1), (b"b", 2), (b"c", 3)] {
            lru.add(key, value, room);
        }
        *lru.touch(b"a").unwrap() += 10;
        assert_eq!(lru.look(b"b"), Some(&2), "looking is no use");
        lru.add(b"d", 4, room);
        assert_eq!(lru.look(b"b"), None);
        assert_eq!([b"a", b"c", b"d"].map(|key| *lru.look(key).unwrap()), [11, 3, 4]);
        assert_eq!((lru.bytes(), lru.all.len()), (room, 3));
        assert_eq!(lru.oldest(), Some(&3));
        lru.remove(b"a");
        lru.remove(b"a");
        lru.remove_oldest();
        assert_eq!(lru.bytes(), ENTRY_BYTES + 1);
        assert_eq!(lru.oldest(), Some(&4));
    }

    #[test]
    fn a_key_that_is_larger_than_the_room_is_not_kept() {
        let mut lru = Lru::<u32>::default();
        assert!(fits(b"ab", ENTRY_BYTES + 2) && !fits(b"abc", ENTRY_BYTES + 2));
        lru.add(b"abc", 1, ENTRY_BYTES + 2);
        assert_eq!((lru.look(b"abc"), lru.bytes()), (None, 0));
    }
}
