//! What can be wrong with a request, under k6's error codes.

use std::collections::BTreeMap;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError, InvalidMessage};

/// Kinds of failure that are told apart; beyond them all count as the last. Codes and statuses are fewer than this.
const MOST_KINDS: usize = 1024;

/// What the system says when a process, or the machine, has no files left to open: EMFILE and ENFILE.
const NO_FILES: [i32; 2] = [24, 23];

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

    /// Whether it is this side's: the server was never asked.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.text.contains(" on this side: ")
    }

    /// An answer that was whole, but no success.
    pub(crate) fn status(status: u16) -> Self {
        Self { code: 1000 + status, text: format!("HTTP status {status}") }
    }

    /// The time-out of the request passed.
    pub(crate) fn timeout() -> Self {
        Self { code: 1050, text: "request timeout".into() }
    }

    /// A name has no address.
    pub(crate) fn name(host: &str) -> Self {
        Self { code: 1101, text: format!("lookup: no such host: {host}") }
    }

    /// A name that the options block.
    pub(crate) fn blocked(host: &str, pattern: &str) -> Self {
        Self { code: 1111, text: format!("hostname is blocked: {host} is in {pattern} of `blockHostnames`") }
    }

    /// An address that the options block.
    pub(crate) fn blacklisted(ip: std::net::IpAddr, network: &str) -> Self {
        Self { code: 1110, text: format!("ip is blacklisted: {ip} is in {network} of `blacklistIPs`") }
    }

    /// No connection could be made.
    pub(crate) fn dial(error: &io::Error) -> Self {
        let (code, what) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (1212, "connection refused".to_owned()),
            io::ErrorKind::TimedOut => (1211, "i/o timeout".to_owned()),
            io::ErrorKind::AddrNotAvailable => {
                let limit = "`sysctl net.ipv4.ip_local_port_range` limits them";
                (1210, format!("no local port is free on this side: {limit} ({error})"))
            }
            _ if error.raw_os_error().is_some_and(|number| NO_FILES.contains(&number)) => {
                (1210, format!("too many open files on this side: `ulimit -n` limits them ({error})"))
            }
            _ => (1210, error.to_string()),
        };
        Self { code, text: format!("dial: {what}") }
    }

    /// The TLS handshake failed.
    pub(crate) fn tls(error: &io::Error) -> Self {
        let (code, what) = match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(TlsError::InvalidCertificate(why)) => certificate(why),
            Some(TlsError::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                (1301, "the port does not speak TLS: is it http:// ?".to_owned())
            }
            Some(why @ TlsError::InvalidMessage(_)) => (1301, why.to_string()),
            Some(TlsError::AlertReceived(alert)) => (1300, refused(*alert)),
            Some(why) => (1300, why.to_string()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                (1000, "the connection was closed in the handshake: does the port speak TLS?".to_owned())
            }
            None => return Self::io(error),
        };
        Self { code, text: format!("TLS: {what}") }
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

/// Why a certificate is not taken, and the way round it.
fn certificate(why: &CertificateError) -> (u16, String) {
    let (code, what) = match why {
        CertificateError::UnknownIssuer => {
            (1310, "the certificate is self-signed, or signed by nobody known here".to_owned())
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            (1311, format!("the certificate is not that of this host ({why})"))
        }
        // Without the seconds since then: they would make a kind of their own each time.
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (1300, "the certificate has expired".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (1300, "the certificate is not valid yet".to_owned())
        }
        // What `openssl req -x509` makes is the certificate of an authority, its own.
        CertificateError::Other(inner) if inner.to_string().contains("CaUsedAsEndEntity") => {
            (1310, "the certificate is self-signed".to_owned())
        }
        _ => (1300, format!("the certificate is not valid ({why})")),
    };
    (code, format!("{what}; -k takes any certificate"))
}

/// An alert of the server's.
fn refused(alert: AlertDescription) -> String {
    format!("the server refused the handshake ({alert:?})")
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
    fn they_say_what_to_do() {
        let tls = |error: TlsError| Failure::tls(&io::Error::new(io::ErrorKind::InvalidData, error)).text;
        let authority = rustls::OtherError(std::sync::Arc::new(io::Error::other("CaUsedAsEndEntity")));
        let certificate = |why| tls(TlsError::InvalidCertificate(why));
        for (text, words) in [
            (certificate(CertificateError::UnknownIssuer), "is self-signed, or signed by nobody known here; -k takes"),
            (certificate(CertificateError::NotValidForName), "not that of this host"),
            (certificate(CertificateError::Other(authority)), "the certificate is self-signed; -k takes"),
            (certificate(CertificateError::Expired), "has expired"),
            (certificate(CertificateError::BadEncoding), "the certificate is not valid ("),
            (tls(TlsError::InvalidMessage(InvalidMessage::InvalidContentType)), "the port does not speak TLS"),
            (tls(TlsError::AlertReceived(AlertDescription::HandshakeFailure)), "the server refused the handshake"),
            (Failure::tls(&io::ErrorKind::UnexpectedEof.into()).text, "does the port speak TLS?"),
            (Failure::dial(&io::Error::from_raw_os_error(24)).text, "on this side: `ulimit -n`"),
            (Failure::dial(&io::ErrorKind::AddrNotAvailable.into()).text, "no local port is free"),
        ] {
            assert!(text.contains(words), "{text}");
        }
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
