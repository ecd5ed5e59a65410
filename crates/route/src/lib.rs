//! Request-time rules made from the configuration tree: which server and location serve a request, what is sent to the
//! upstream, what a text with variables renders to.
//!
//! It opens no socket and reads no clock: the values of variables come from the caller through [`Facts`]. Compiling
//! allocates; a request, once buffers are warm, does not.

mod access_log;
mod answer_rule;
mod escape;
mod fact;
mod files;
mod finish;
mod gates;
mod geo;
mod gzip;
mod health;
mod listener;
mod location;
mod lookup;
mod map;
mod matcher;
mod names;
mod normalize;
mod patterns;
mod proxy_rule;
mod recoding;
mod rewriting;
mod router;
mod rules;
mod server_names;
mod shares;
mod sticky;
#[cfg(test)]
mod testing;
mod text;

pub use access_log::{AccessLog, LogFormat};
pub use answer_rule::AnswerRule;
pub use escape::append_escaped;
pub use fact::{Fact, Facts};
pub use files::{Files, Standing, TryFiles, TryLast, TryPath};
pub use finish::{AddedHeader, Charset, ErrorPage, Expires, Finish, is_success};
pub use gates::{AuthRequest, Basic, Gates, RealIp};
pub use gzip::{Asking, Content, Gzip};
pub use health::{Answer, CheckRule};
pub use listener::Listener;
pub use location::{Api, Handler, LimitExcept, Location, Return};
pub use lookup::{argument, cookie};
pub use map::{Maps, Scratch};
pub use matcher::Captures;
pub use names::Keeps;
pub use normalize::{BadPath, internal_target, normalize, split_target};
pub use patterns::Patterns;
pub use proxy_rule::{ProxyRule, ProxyTls, SetHeader, Target, To, host_and_port};
pub use recoding::{Recoder, Recoding, Recodings};
pub use rewriting::{Rendering, Rewriting};
pub use router::{Algorithm, LimitZone, Router, Server, UpstreamRule};
pub use rules::{Ended, Followed, Rules, Subject, Variable};
pub use server_names::ServerNames;
pub use sticky::{Sticky, StickyCookie, StickyLearn, clones, listed, session_in};
pub use text::Text;
