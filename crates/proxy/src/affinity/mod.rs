//! What an upstream with `sticky` remembers, shared by all threads and kept over a reload: clone ids that were learnt
//! (`sticky liberty`), sessions (`sticky learn`). What a request does with it is `upstream`'s.

mod clones;
mod sessions;

use std::fmt::Write as _;
use std::sync::Arc;

use md5::{Digest, Md5};
use route::Sticky;

pub(crate) use clones::{Clones, Noted, Server};
pub(crate) use sessions::Sessions;

/// The memory of an upstream.
#[derive(Debug, Clone)]
pub(crate) enum Memory {
    /// Of `sticky liberty`, where a server has no `route`.
    Clones(Arc<Clones>),
    /// Of `sticky learn`, under the name of its zone.
    Sessions(String, Arc<Sessions>),
}

impl Memory {
    /// An empty one for an upstream, where it needs any. `all_routed`: each of its servers has a `route`.
    pub(crate) fn of(sticky: Option<&Sticky>, all_routed: bool) -> Option<Self> {
        match sticky? {
            Sticky::Liberty { state, .. } if !all_routed => Some(Self::Clones(Arc::new(Clones::new(state.clone())))),
            Sticky::Learn(learn) => Some(Self::Sessions(learn.zone.clone(), Arc::default())),
            Sticky::Liberty { .. } | Sticky::Route(_) | Sticky::Cookie(_) => None,
        }
    }

    /// This one with what the last configuration's had; that one itself where it is kept in the same place.
    pub(crate) fn after(self, before: Option<&Self>) -> Self {
        match (&self, before) {
            (_, Some(old)) if self.is_kept_with(old) => old.clone(),
            (Self::Clones(own), Some(Self::Clones(old))) => {
                own.take_over(old);
                self
            }
            _ => self,
        }
    }

    /// Whether what is remembered here is kept where the other keeps it.
    pub(crate) fn is_kept_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Clones(own), Self::Clones(other)) => own.file() == other.file(),
            (Self::Sessions(own, _), Self::Sessions(other, _)) => own == other,
            _ => false,
        }
    }
}

/// What a server without `route` goes by where it needs a name: MD5 of its address in hexadecimal digits, which is what
/// nginx's `sticky cookie` sets.
pub(crate) fn route_of(address: &str) -> String {
    let mut route = String::with_capacity(32);
    for byte in Md5::digest(address) {
        // Writing to a string does not fail.
        let _ = write!(route, "{byte:02x}");
    }
    route
}
