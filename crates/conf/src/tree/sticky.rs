//! Affinity: how a request finds the server that has its session.

use crate::template::Template;

/// `sticky`: what tells the `route=` of the server that a request belongs to.
#[derive(Debug, Clone)]
pub enum Sticky {
    /// `sticky liberty`: the clone ids in Liberty's session cookie, or in the address.
    Liberty {
        /// The cookie's name.
        cookie: String,
    },
    /// `sticky route`: the first of these that is not empty.
    Route(Vec<Template>),
}
