//! Why a load test cannot begin or go on. No text holds that of its source: whoever prints it adds the chain.

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
    #[error("cannot find the address of {host}")]
    Resolve {
        /// The name looked up.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// A header line that HTTP does not allow, or that does not suit the request.
    #[error("header `{line}`: {reason}")]
    Header {
        /// As given.
        line: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Numbers of users that contradict each other.
    #[error("{0}")]
    Users(String),
    /// No threads, or more than any machine makes use of.
    #[error("threads must be between 1 and {most}, not {threads}", most = crate::plan::MOST_THREADS)]
    Threads {
        /// As given.
        threads: usize,
    },
    /// A request that would be over before it began.
    #[error("the timeout of a request must be at least 1ms")]
    Timeout,
    /// A scenario of a function that the script does not export.
    #[error("scenario {scenario}: the script exports no function `{function}`")]
    Function {
        /// The scenario.
        scenario: String,
        /// Its `exec`.
        function: String,
    },
    /// A threshold on something that is not measured, or by the wrong aggregation.
    #[error(transparent)]
    Threshold(#[from] crate::threshold::ThresholdError),
    /// TLS could not be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] net::tls::CertificateError),
    /// A thread could not be started, or its event loop failed.
    #[error("a load thread failed")]
    Thread(#[from] io::Error),
    /// A thread panicked; the message went to the standard error.
    #[error("a load thread panicked")]
    Panicked,
}
