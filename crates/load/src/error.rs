//! Why a load test cannot begin or go on.

use std::io;

/// What stops a load test as a whole; a failed request never does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("{url}: {reason}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The host has no address.
    #[error("cannot find the address of {host}: {error}")]
    Resolve {
        /// The name looked up.
        host: String,
        /// What the resolver says.
        error: io::Error,
    },
    /// A header line that HTTP does not allow.
    #[error("header `{0}`: want `Name: value`, the name of letters, digits and hyphens, no control characters")]
    Header(String),
    /// Numbers of users that contradict each other.
    #[error("{0}")]
    Users(String),
    /// A threshold on something that is not measured, or by the wrong aggregation.
    #[error(transparent)]
    Threshold(#[from] crate::threshold::ThresholdError),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A thread could not be started, or its event loop failed.
    #[error("load thread: {0}")]
    Thread(#[from] io::Error),
    /// A thread panicked; the message went to the standard error.
    #[error("a load thread panicked")]
    Panicked,
}
