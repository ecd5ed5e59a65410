//! Sets of tags, each kept once a thread under a number, with what is to be done for a sample that has it.
//!
//! A set that was seen before is found without allocating. Where nothing is written sample by sample, only the tags are
//! kept that a sub-metric or the full summary asks for, so that a test with ever new addresses has a handful of sets.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher};

use super::definitions::{Catalog, MetricId};
use super::points::Pairs;
use super::samples::Scope;

/// Sets that are remembered in one thread; k6 warns at as many. Those beyond take turns in [`PASSING`] places, which is
/// more than there are requests under way in a thread.
pub(super) const MOST_SETS: usize = 100_000;
const PASSING: usize = 65_536;

/// A set of tags of one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TagsId(u32);

impl TagsId {
    /// No tags.
    pub const NONE: Self = Self(0);
}

macro_rules! system_tags {
    ($($tag:ident = $bit:literal $text:literal $default:literal;)*) => {
        /// A tag that the injector itself sets.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each is the tag of its name")]
        pub enum SystemTag { $($tag = $bit),* }

        /// All of them by name, and whether k6 sets them unless told otherwise.
        const SYSTEM_TAGS: &[(&str, SystemTag, bool)] = &[$(($text, SystemTag::$tag, $default)),*];
    };
}

system_tags! {
    Proto = 0 "proto" true;
    Subproto = 1 "subproto" true;
    Status = 2 "status" true;
    Method = 3 "method" true;
    Url = 4 "url" true;
    Name = 5 "name" true;
    Group = 6 "group" true;
    Check = 7 "check" true;
    Error = 8 "error" true;
    ErrorCode = 9 "error_code" true;
    TlsVersion = 10 "tls_version" true;
    Scenario = 11 "scenario" true;
    Service = 12 "service" true;
    ExpectedResponse = 13 "expected_response" true;
    Iter = 14 "iter" false;
    Vu = 15 "vu" false;
    OcspStatus = 16 "ocsp_status" false;
    Ip = 17 "ip" false;
}

/// Which of them are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemTags(u32);

impl Default for SystemTags {
    fn default() -> Self {
        let all = SYSTEM_TAGS.iter().filter(|(_, _, usual)| *usual);
        Self(all.fold(0, |bits, (_, tag, _)| bits | 1 << (*tag as u32)))
    }
}

impl SystemTags {
    /// Those of these names; the first that is none is the error.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut bits = 0;
        for name in names {
            let found = SYSTEM_TAGS.iter().find(|(text, ..)| *text == name).ok_or_else(|| name.to_owned())?;
            bits |= 1 << (found.1 as u32);
        }
        Ok(Self(bits))
    }

    /// Whether a tag is set.
    #[must_use]
    pub fn has(self, tag: SystemTag) -> bool {
        self.0 & (1 << (tag as u32)) != 0
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        SYSTEM_TAGS.iter().filter(move |(_, tag, _)| self.has(*tag)).map(|(name, ..)| *name)
    }
}

/// What the names of metadata begin with: of a script's, which goes with its samples and which no sub-metric asks for.
pub const METADATA: char = '\0';

/// One set.
#[derive(Debug, Clone, Default)]
pub(crate) struct TagSet {
    /// By name.
    pub(crate) pairs: Pairs,
    /// Sub-metrics that a sample with this set is part of, beside its metric: by the metric, and the place in the
    /// catalog.
    pub(crate) subs: Vec<(MetricId, usize)>,
    /// Scopes of the full summary.
    pub(crate) scopes: Vec<Scope>,
}

impl TagSet {
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| **name == *key).map(|(_, value)| &**value)
    }
}

/// A set that was derived from another once.
#[derive(Debug)]
struct Derived {
    base: TagsId,
    pairs: Vec<(Box<str>, Option<Box<str>>)>,
    set: TagsId,
}

/// All sets of a thread.
#[derive(Debug)]
pub(crate) struct TagTable {
    sets: Vec<TagSet>,
    derived: HashMap<u64, Vec<Derived>, BuildHasherDefault<DefaultHasher>>,
    next_passing: usize,
}

impl TagTable {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let mut empty = TagSet::default();
        connect(&mut empty, catalog);
        Self { sets: vec![empty], derived: HashMap::default(), next_passing: 0 }
    }

    pub(crate) fn set(&self, id: TagsId) -> &TagSet {
        self.sets.get(id.0 as usize).unwrap_or(&self.sets[0])
    }

    /// Finds or makes `base` with `pairs` on top.
    pub(crate) fn derive(&mut self, base: TagsId, pairs: &[(&str, &str)], catalog: &Catalog) -> TagsId {
        let hash = self.hash(base, pairs, catalog);
        let Some(hash) = hash else { return base };
        let is_same = |derived: &&Derived| {
            let theirs = derived.pairs.iter().map(|(key, value)| (&**key, value.as_deref()));
            derived.base == base && theirs.eq(kept(pairs, catalog))
        };
        if let Some(found) = self.derived.get(&hash).and_then(|all| all.iter().find(is_same)) {
            return found.set;
        }
        let kept: Vec<(Box<str>, Option<Box<str>>)> =
            kept(pairs, catalog).map(|(key, value)| (key.into(), value.map(Into::into))).collect();
        let set = self.make(base, &kept, catalog);
        if self.sets.len() < MOST_SETS {
            self.sets.push(set);
            let set = TagsId(u32::try_from(self.sets.len() - 1).expect("MOST_SETS"));
            self.derived.entry(hash).or_default().push(Derived { base, pairs: kept, set });
            return set;
        }
        self.pass(set)
    }

    fn hash(&self, base: TagsId, pairs: &[(&str, &str)], catalog: &Catalog) -> Option<u64> {
        let mut hasher = self.derived.hasher().build_hasher();
        base.hash(&mut hasher);
        let mut any = false;
        for pair in kept(pairs, catalog) {
            pair.hash(&mut hasher);
            any = true;
        }
        any.then(|| hasher.finish())
    }

    fn make(&self, base: TagsId, pairs: &[(Box<str>, Option<Box<str>>)], catalog: &Catalog) -> TagSet {
        let mut all = self.set(base).pairs.to_vec();
        for (key, value) in pairs {
            let place = all.binary_search_by(|(name, _)| name.cmp(key));
            match (place, value) {
                (Ok(at), None) => drop(all.remove(at)),
                (Ok(at), Some(value)) => all[at].1.clone_from(value),
                (Err(_), None) => {}
                (Err(at), Some(value)) => all.insert(at, (key.clone(), value.clone())),
            }
        }
        let mut set = TagSet { pairs: Pairs::from(all), ..TagSet::default() };
        connect(&mut set, catalog);
        set
    }

    /// A place that is taken away again after [`PASSING`] other sets.
    fn pass(&mut self, set: TagSet) -> TagsId {
        let at = MOST_SETS + self.next_passing;
        self.next_passing = (self.next_passing + 1) % PASSING;
        if at < self.sets.len() {
            self.sets[at] = set;
        } else {
            self.sets.push(set);
        }
        TagsId(u32::try_from(at.min(self.sets.len() - 1)).expect("MOST_SETS and PASSING"))
    }
}

/// The pairs that matter; a value that no sub-metric asks for is kept as none.
fn kept<'a>(pairs: &'a [(&'a str, &'a str)], catalog: &'a Catalog) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
    pairs.iter().filter_map(|(key, value)| {
        if catalog.keeps_all_tags || (catalog.keeps_scopes && matches!(*key, "group" | "scenario" | "check")) {
            return Some((*key, Some(*value)));
        }
        let mut asked = catalog.subs.iter().flat_map(|sub| &sub.tags).filter(|(name, _)| name == key).peekable();
        asked.peek()?;
        let is_wanted = asked.any(|(_, wanted)| wanted == value);
        Some((*key, is_wanted.then_some(*value)))
    })
}

fn connect(set: &mut TagSet, catalog: &Catalog) {
    let taking = catalog.subs.iter().enumerate().filter(|(_, sub)| sub.takes(|key| set.find(key)));
    set.subs = taking.map(|(at, sub)| (sub.parent, at)).collect();
    if catalog.keeps_scopes {
        let part = |key| Box::<str>::from(set.find(key).unwrap_or_default());
        let (scenario, group) = (part("scenario"), part("group"));
        let whole = (!scenario.is_empty()).then(|| Scope { scenario: scenario.clone(), group: "".into() });
        let inner = (!group.is_empty()).then_some(Scope { scenario, group });
        set.scopes = whole.into_iter().chain(inner).collect();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::sub_metric::SubMetric;
    use super::*;

    fn catalog(subs: &[&str], keeps_all_tags: bool) -> Catalog {
        let mut catalog = Catalog { keeps_all_tags, ..Catalog::default() };
        catalog.subs = subs.iter().map(|name| SubMetric::of(name, &catalog.definitions).unwrap().1.unwrap()).collect();
        catalog
    }

    #[test]
    fn only_tags_that_matter_make_a_set() {
        let catalog = catalog(&["http_reqs{status:200}", "http_reqs{status:200,a:b}"], false);
        let mut table = TagTable::new(&catalog);
        let plain = table.derive(TagsId::NONE, &[("url", "x"), ("method", "GET")], &catalog);
        assert_eq!(plain, TagsId::NONE);
        let ok = table.derive(TagsId::NONE, &[("url", "x"), ("status", "200")], &catalog);
        assert_eq!(table.derive(TagsId::NONE, &[("status", "200"), ("url", "y")], &catalog), ok);
        let subs = |table: &TagTable, id| table.set(id).subs.iter().map(|(_, at)| *at).collect::<Vec<_>>();
        assert_eq!(subs(&table, ok), [0]);
        let both = table.derive(ok, &[("a", "b")], &catalog);
        assert_eq!(subs(&table, both), [0, 1]);
        let none = table.derive(both, &[("status", "404")], &catalog);
        assert_eq!(subs(&table, none), Vec::<usize>::new());
        // However many other values there are, they are one set.
        assert_eq!(table.derive(both, &[("status", "503")], &catalog), none);
    }

    #[test]
    fn a_pair_replaces_also_by_an_empty_value() {
        let catalog = catalog(&[], true);
        let mut table = TagTable::new(&catalog);
        let base = table.derive(TagsId::NONE, &[("b", "1"), ("a", "2"), ("group", "")], &catalog);
        let more = table.derive(base, &[("a", "3"), ("b", "")], &catalog);
        let shown: Vec<String> = table.set(more).pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(shown, ["a=3", "b=", "group="]);
        assert_eq!(table.derive(base, &[("a", "3"), ("b", "")], &catalog), more);
    }

    #[test]
    fn system_tags_are_named() {
        assert!(SystemTags::default().has(SystemTag::Url) && !SystemTags::default().has(SystemTag::Ip));
        let few = SystemTags::of(["vu", "status"]).unwrap();
        assert_eq!(few.names().collect::<Vec<_>>(), ["status", "vu"]);
        assert_eq!(SystemTags::of(["nothing"]), Err("nothing".into()));
    }
}
