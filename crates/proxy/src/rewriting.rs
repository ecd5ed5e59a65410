//! The rules of servers and locations (`set`, `if`, `rewrite`, `break`, `return`) followed for a request.

use conf::tree::PathTest;
use route::{Fact, Facts, Followed, Rules, Standing, Subject, split_target};
use wire::RequestHead;

use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::facts::{Record, RequestFacts};
use crate::request::Routed;

/// Follows rules; the settings of an `if` that was entered hold from then on.
pub(crate) fn follow<'a>(
    connection: &Downstream,
    exchange: &mut Exchange,
    routed: &mut Routed<'a>,
    rules: &'a Rules,
) -> Followed<'a> {
    let Exchange { request, path, maps, record, .. } = exchange;
    let site = routed.site;
    let mut rewriting = Rewriting { connection, request, path, record, routed };
    let followed = rules.follow(&mut rewriting, &site.patterns, &site.maps, maps);
    if let Some(location) = followed.entered {
        routed.enter(location);
    }
    followed
}

/// A request as rules see it.
struct Rewriting<'a> {
    connection: &'a Downstream,
    request: &'a RequestHead,
    path: &'a mut Vec<u8>,
    record: &'a mut Record,
    routed: &'a Routed<'a>,
}

impl Rewriting<'_> {
    fn facts(&self) -> RequestFacts<'_> {
        self.connection.facts(self.request, self.routed, self.path, self.record, None)
    }

    /// From now on the arguments are those of the detour.
    fn change(&mut self) {
        if !self.record.detour.is_changed {
            self.record.detour.is_changed = true;
            let args = self.request.path_and_query(self.connection.head_bytes()).1;
            self.record.detour.args.clear();
            self.record.detour.args.extend_from_slice(args);
        }
    }
}

impl Facts for Rewriting<'_> {
    fn append(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        self.facts().append(fact, out)
    }

    fn standing(&self) -> Option<Standing<'_>> {
        Some(self.record.detour.standing(self.routed, self.path))
    }

    fn append_real_path(&self, path: &[u8], out: &mut Vec<u8>) -> bool {
        crate::paths::append_real_path(path, out)
    }
}

impl Subject for Rewriting<'_> {
    fn path(&self) -> &[u8] {
        self.path
    }

    fn was_escaped(&self) -> bool {
        let raw = self.request.path.of(self.connection.head_bytes());
        split_target(raw).0.iter().any(|byte| matches!(byte, b'%' | b'+'))
    }

    fn append_args(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.facts().args());
    }

    fn set_path(&mut self, path: &mut Vec<u8>) {
        self.change();
        self.record.detour.is_internal = true;
        std::mem::swap(self.path, path);
    }

    fn set_args(&mut self, args: &mut Vec<u8>) {
        self.change();
        std::mem::swap(&mut self.record.detour.args, args);
    }

    fn set_limit_rate(&mut self, rate: u64) {
        self.record.limit_rate = Some(rate);
    }

    fn leave_location(&mut self) {
        self.record.detour.has_left = true;
    }

    fn leads_to(&self, path: &[u8], what: PathTest) -> bool {
        crate::paths::leads_to(path, what)
    }
}
