//! What has become of a request since it came: rules, error pages and upstream servers send it elsewhere.

use route::Standing;

use crate::request::Routed;

/// Where a request is that goes on elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// At the rules of its server: one that came, and one that is sent to another path.
    Server,
    /// Before its location is found: rules have changed its path.
    Path,
    /// In the location of this index, found by its name.
    Named(usize),
}

/// How a request differs from what the client asked for. Its path is the exchange's.
#[derive(Debug, Default)]
pub(crate) struct Detour {
    /// It may enter locations that are `internal`.
    pub(crate) is_internal: bool,
    /// Path or arguments have changed: the client's target holds no more.
    pub(crate) is_changed: bool,
    /// The arguments, once something has changed.
    pub(crate) args: Vec<u8>,
    /// The path does not begin with that of the location: rules have changed it for good.
    pub(crate) has_left: bool,
    /// The path is one that `try_files` has found below an alias that takes the place of the whole path.
    pub(crate) is_below_alias: bool,
    /// The status of the answer whatever whoever answers says; 0 where that holds.
    pub(crate) status: u16,
    /// An error page was looked for: its own errors have none, unless `recursive_error_pages` is on.
    pub(crate) has_failed: bool,
    /// It goes on as a GET (or HEAD), without a body.
    pub(crate) is_get: bool,
    /// It is none of the client's: whether that one may enter is asked (`auth_request`), by a GET without a body.
    pub(crate) is_subrequest: bool,
    /// Of such a one: bytes of the body that comes with the client's request, and not with this.
    pub(crate) announced: u64,
}

impl Detour {
    /// The status of an answer that says this one itself.
    pub(crate) fn status_of(&self, status: u16) -> u16 {
        if self.status == 0 { status } else { self.status }
    }

    /// Where the request is among files.
    pub(crate) fn standing<'a>(&self, routed: &Routed<'a>, path: &'a [u8]) -> Standing<'a> {
        Standing { files: routed.files, path, has_left: self.has_left, is_below_alias: self.is_below_alias }
    }

    /// Forgets it all, but for memory.
    pub(crate) fn reset(&mut self) {
        let mut args = std::mem::take(&mut self.args);
        args.clear();
        *self = Self { args, ..Self::default() };
    }
}
