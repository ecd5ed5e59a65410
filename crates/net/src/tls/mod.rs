//! TLS on both sides by rustls: configurations here, the record layer's to and fro in [`session`].

mod clients;
mod config;
mod hello;
mod key;
mod server;
mod session;
mod sessions;
#[cfg(test)]
mod tests;
mod tickets;
mod upstream;
mod x509;

pub use clients::{ClientAuthorities, Judged};
pub use config::{CertificateError, Identity, Verify, client_config, read_identity};
pub use hello::Hello;
pub use key::passwords;
pub use server::{ByName, ServerOptions, ServerTls, server_config};
pub use session::{PlainHttp, Session};
pub use sessions::Sessions;
pub use tickets::TicketKey;
pub use upstream::{ClientOptions, name_to_ask_for, read_revoked, read_trusted, upstream_config, with_sessions};
pub use x509::{Written, digest, written};
