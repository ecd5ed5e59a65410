//! How often each order was carried out: what shows that a balancer repeats no POST.
//!
//! With a log each id is written before it is answered, in one append, so that a server that is killed loses none and
//! finds them again when it starts.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use serde::Serialize;

/// Distinct ids kept in memory: some 100 MB. Beyond it an order is refused.
const ORDERS_MAX: usize = 1_000_000;
/// The characters of an id.
const ID_MAX: usize = 128;
/// Repeated ids that a listing shows.
const LISTED_MAX: usize = 100;

/// The orders that one server has carried out.
#[derive(Default)]
pub(super) struct Orders {
    counts: HashMap<String, u32>,
    total: u64,
    log: Option<File>,
}

/// Why an order is not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    #[error("an order needs an id of 1 to {ID_MAX} visible ASCII characters, in X-Order-Id or as the body")]
    BadId,
    #[error("this server holds {ORDERS_MAX} orders and takes no more")]
    Full,
    #[error("the orders' log: {0}")]
    Log(#[from] io::Error),
}

/// What `GET /accounts-external/api/orders` answers.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Listing {
    /// Orders carried out, repeated ones included.
    pub(super) total: u64,
    /// Different ids.
    pub(super) distinct: usize,
    /// Ids carried out more than once.
    pub(super) repeated: usize,
    /// Some of them, with their counts.
    pub(super) duplicates: Vec<Duplicate>,
}

/// An id that was carried out more than once.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub(super) id: String,
    pub(super) count: u32,
}

impl Orders {
    /// Takes up the orders of an earlier run from `path` and appends to it from here on.
    pub(super) fn with_log(path: &Path) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let mut orders = Self::default();
        for line in BufReader::new(&log).lines() {
            orders.count(&line?);
        }
        orders.log = Some(log);
        Ok(orders)
    }

    /// Carries one order out and says how often its id has been by now.
    pub(super) fn carry_out(&mut self, id: &str) -> Result<u32, OrderError> {
        if id.is_empty() || id.len() > ID_MAX || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(OrderError::BadId);
        }
        if self.counts.len() >= ORDERS_MAX && !self.counts.contains_key(id) {
            return Err(OrderError::Full);
        }
        if let Some(log) = &mut self.log {
            log.write_all(format!("{id}\n").as_bytes())?;
        }
        Ok(self.count(id))
    }

    /// The totals and the ids that came more than once.
    pub(super) fn listing(&self) -> Listing {
        let repeated = || self.counts.iter().filter(|(_, count)| **count > 1);
        let mut duplicates: Vec<Duplicate> =
            repeated().take(LISTED_MAX).map(|(id, count)| Duplicate { id: id.clone(), count: *count }).collect();
        duplicates.sort_by(|a, b| a.id.cmp(&b.id));
        Listing { total: self.total, distinct: self.counts.len(), repeated: repeated().count(), duplicates }
    }

    fn count(&mut self, id: &str) -> u32 {
        self.total += 1;
        let count = self.counts.entry(id.to_owned()).or_insert(0);
        *count += 1;
        *count
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn counts_how_often_each_id_came() {
        let mut orders = Orders::default();
        assert_eq!(orders.carry_out("a").unwrap(), 1);
        assert_eq!(orders.carry_out("b").unwrap(), 1);
        assert_eq!(orders.carry_out("a").unwrap(), 2);
        let duplicates = vec![Duplicate { id: "a".into(), count: 2 }];
        assert_eq!(orders.listing(), Listing { total: 3, distinct: 2, repeated: 1, duplicates });
    }

    #[test]
    fn refuses_ids_that_would_break_the_log() {
        let mut orders = Orders::default();
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(ID_MAX + 1)] {
            assert!(matches!(orders.carry_out(bad), Err(OrderError::BadId)), "{bad:?}");
        }
    }

    #[test]
    fn the_log_outlives_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders");
        Orders::with_log(&path).unwrap().carry_out("a").unwrap();
        let mut again = Orders::with_log(&path).unwrap();
        assert_eq!(again.carry_out("a").unwrap(), 2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\na\n");
    }
}
