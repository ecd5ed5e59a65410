//! Request-time rules made from the configuration tree: which server and location serve a request, what is sent to the
//! upstream, what a text with variables renders to.
//!
//! It opens no socket and reads no clock: the values of variables come from the caller through [`Facts`]. Compiling
//! allocates; a request, once buffers are warm, does not.

mod answer_rule;
mod escape;
mod fact;
mod listener;
mod location;
mod lookup;
mod map;
mod matcher;
mod normalize;
mod proxy_rule;
mod rewriting;
mod router;
#[cfg(test)]
mod testing;
mod text;

pub use answer_rule::AnswerRule;
pub use fact::{Fact, Facts};
pub use listener::Listener;
pub use location::{Handler, Location, Return};
pub use lookup::{argument, cookie};
pub use map::{Maps, Scratch};
pub use normalize::{BadPath, internal_target, normalize, split_target};
pub use proxy_rule::{ProxyRule, ProxyTls, SetHeader, To, host_and_port};
pub use rewriting::{Rendering, Rewriting};
pub use router::{Algorithm, Router, Server, UpstreamRule};
pub use text::Text;
