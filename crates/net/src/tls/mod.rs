//! TLS on both sides by rustls: configurations here, the record layer's to and fro in [`session`].

mod config;
mod session;
#[cfg(test)]
mod tests;
mod upstream;

pub use config::{CertificateError, Identity, ServerOptions, Verify, client_config, read_identity, server_config};
pub use session::{PlainHttp, Session};
pub use upstream::{ClientOptions, name_to_ask_for, read_trusted, upstream_config, with_sessions};
