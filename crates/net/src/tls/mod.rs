//! TLS on both sides by rustls: configurations here, the record layer's to and fro in [`session`].

mod config;
mod session;
#[cfg(test)]
mod tests;

pub use config::{CertificateError, Identity, ServerOptions, Verify, client_config, read_identity, server_config};
pub use session::{PlainHttp, Session};
