//! Addresses of names that one thread has learnt while it serves, for as long as they hold.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Names that a thread remembers for each resolver: a client may make them up.
const NAMES_MAX: usize = 1024;

/// What is known of names, by resolver.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_resolver: Vec<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    addresses: Arc<[IpAddr]>,
    until_ms: u64,
}

impl Names {
    /// The addresses of a name that hold yet.
    pub(crate) fn known(&self, resolver: usize, name: &str, now_ms: u64) -> Option<Arc<[IpAddr]>> {
        let known = self.by_resolver.get(resolver)?.get(name)?;
        (now_ms < known.until_ms).then(|| Arc::clone(&known.addresses))
    }

    /// Keeps an answer; where there are too many, all others go.
    pub(crate) fn learn(&mut self, resolver: usize, name: &str, addresses: &Arc<[IpAddr]>, until_ms: u64) {
        if self.by_resolver.len() <= resolver {
            self.by_resolver.resize_with(resolver + 1, HashMap::new);
        }
        let names = &mut self.by_resolver[resolver];
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(name.to_owned(), Known { addresses: Arc::clone(addresses), until_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_for_a_time_and_not_without_end() {
        let mut names = Names::default();
        let addresses: Arc<[IpAddr]> = Arc::from([IpAddr::from([127, 0, 0, 1])]);
        names.learn(1, "a.test", &addresses, 100);
        assert_eq!(names.known(1, "a.test", 99), Some(addresses.clone()));
        assert_eq!(names.known(1, "a.test", 100), None);
        assert_eq!(names.known(0, "a.test", 0), None);
        for number in 0..3 * NAMES_MAX {
            names.learn(0, &format!("{number}.test"), &addresses, 100);
        }
        assert!(names.by_resolver[0].len() <= NAMES_MAX);
    }
}
