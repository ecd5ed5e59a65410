//! What can be wrong with a request, under k6's error codes.

use std::collections::BTreeMap;
use std::io;

use rustls::{CertificateError, Error as TlsError};

/// Kinds of failure that are told apart; beyond them all count as the last. Codes and statuses are fewer than this.
const MOST_KINDS: usize = 1024;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// k6's error code.
    pub code: u16,
    /// In words.
    pub text: String,
}

/// How often a failure happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCount {
    /// The failure; the words are those of the first time.
    pub failure: Failure,
    /// How often.
    pub count: u64,
}

impl Failure {
    /// Whether there was a whole answer, with a status that is no success.
    #[must_use]
    pub fn is_status(&self) -> bool {
        (1100..1600).contains(&self.code) && self.text.starts_with("HTTP status")
    }

    /// An answer that was whole, but no success.
    pub(crate) fn status(status: u16) -> Self {
        Self { code: 1000 + status, text: format!("HTTP status {status}") }
    }

    /// The time-out of the request passed.
    pub(crate) fn timeout() -> Self {
        Self { code: 1050, text: "request timeout".into() }
    }

    /// No connection could be made.
    pub(crate) fn dial(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self { code: 1212, text: "dial: connection refused".into() },
            io::ErrorKind::TimedOut => Self { code: 1211, text: "dial: i/o timeout".into() },
            _ => Self { code: 1210, text: format!("dial: {error}") },
        }
    }

    /// The TLS handshake failed.
    pub(crate) fn tls(error: &io::Error) -> Self {
        let code = match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => 1310,
            Some(TlsError::InvalidCertificate(CertificateError::NotValidForName)) => 1311,
            Some(TlsError::InvalidMessage(_)) => 1301,
            _ => return Self::io(error),
        };
        Self { code, text: format!("TLS: {error}") }
    }

    /// The connection failed while in use.
    pub(crate) fn io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::timeout(),
            io::ErrorKind::ConnectionReset => Self { code: 1220, text: "connection reset by peer".into() },
            io::ErrorKind::BrokenPipe => Self { code: 1221, text: "broken pipe".into() },
            io::ErrorKind::UnexpectedEof => Self::other("connection closed before the answer was whole"),
            _ => Self { code: 1000, text: error.to_string() },
        }
    }

    /// Anything else.
    pub(crate) fn other(text: &str) -> Self {
        Self { code: 1000, text: text.to_owned() }
    }
}

/// Failures by code and, for the code of all else, by words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures(BTreeMap<(u16, String), u64>);

impl Failures {
    pub(crate) fn add(&mut self, failure: &Failure) {
        self.add_many(failure.code, &failure.text, 1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for ((code, text), count) in &other.0 {
            self.add_many(*code, text, *count);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The most frequent first.
    pub(crate) fn list(&self) -> Vec<FailureCount> {
        let count = |((code, text), count): (&(u16, String), &u64)| FailureCount {
            failure: Failure { code: *code, text: text.clone() },
            count: *count,
        };
        let mut list: Vec<FailureCount> = self.0.iter().map(count).collect();
        list.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        list
    }

    fn add_many(&mut self, code: u16, text: &str, count: u64) {
        let key = (code, text.to_owned());
        if self.0.len() < MOST_KINDS || self.0.contains_key(&key) {
            *self.0.entry(key).or_default() += count;
        } else if let Some(mut last) = self.0.last_entry() {
            *last.get_mut() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_k6s_codes() {
        let io = |kind| io::Error::from(kind);
        assert_eq!(Failure::dial(&io(io::ErrorKind::ConnectionRefused)).code, 1212);
        assert_eq!(Failure::io(&io(io::ErrorKind::ConnectionReset)).code, 1220);
        assert_eq!(Failure::io(&io(io::ErrorKind::TimedOut)).code, 1050);
        assert_eq!(Failure::status(503).code, 1503);
        let unknown = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(Failure::tls(&io::Error::other(unknown)).code, 1310);
        let not_tls = TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        assert_eq!(Failure::tls(&io::Error::new(io::ErrorKind::InvalidData, not_tls)).code, 1301);
    }

    #[test]
    fn they_are_counted_by_kind() {
        let (mut all, mut others) = (Failures::default(), Failures::default());
        all.add(&Failure::status(500));
        others.add(&Failure::timeout());
        others.add(&Failure::timeout());
        all.merge(&others);
        let counts: Vec<(u16, u64)> = all.list().iter().map(|each| (each.failure.code, each.count)).collect();
        assert_eq!(counts, [(1050, 2), (1500, 1)]);
    }
}
