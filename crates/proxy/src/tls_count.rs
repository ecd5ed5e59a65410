//! TLS handshakes by how they ended, as `api` shows them.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use crate::counters::{TlsCounters, TlsFailure};

impl TlsCounters {
    /// Counts a handshake.
    pub(crate) fn count(&self, ended: Result<bool, &io::Error>) {
        match ended {
            Ok(is_resumed) => {
                self.handshakes.add(1);
                self.resumed.add(u64::from(is_resumed));
            }
            Err(error) => {
                self.failed.add(1);
                if let Some(failure) = failure(error) {
                    self.why[failure as usize].add(1);
                }
            }
        }
    }
}

/// What a handshake failed of, where that is one of the things counted.
fn failure(error: &io::Error) -> Option<TlsFailure> {
    if error.kind() == io::ErrorKind::TimedOut {
        return Some(TlsFailure::Timeout);
    }
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::NoCertificatesPresented => Some(TlsFailure::NoCertificate),
        Error::InvalidCertificate(wrong) => Some(match wrong {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFailure::Expired,
            CertificateError::Revoked => TlsFailure::Revoked,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFailure::OtherName
            }
            _ => TlsFailure::OtherCertificate,
        }),
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon) => {
            Some(TlsFailure::NoCommonCipher)
        }
        Error::PeerIncompatible(_) | Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            Some(TlsFailure::NoCommonProtocol)
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired,
        ) => Some(TlsFailure::RejectedCertificate),
        Error::AlertReceived(AlertDescription::HandshakeFailure) => Some(TlsFailure::NoCommonCipher),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_are_counted_by_their_end() {
        let tls = |error: Error| io::Error::new(io::ErrorKind::InvalidData, error);
        let table = [
            (tls(Error::NoCertificatesPresented), Some(TlsFailure::NoCertificate)),
            (tls(Error::InvalidCertificate(CertificateError::Expired)), Some(TlsFailure::Expired)),
            (tls(Error::InvalidCertificate(CertificateError::Revoked)), Some(TlsFailure::Revoked)),
            (tls(Error::InvalidCertificate(CertificateError::UnknownIssuer)), Some(TlsFailure::OtherCertificate)),
            (tls(Error::AlertReceived(AlertDescription::UnknownCA)), Some(TlsFailure::RejectedCertificate)),
            (io::ErrorKind::TimedOut.into(), Some(TlsFailure::Timeout)),
            (io::ErrorKind::ConnectionReset.into(), None),
        ];
        for (error, expected) in table {
            assert_eq!(failure(&error), expected, "{error}");
        }
        let counters = TlsCounters::default();
        counters.count(Ok(true));
        counters.count(Ok(false));
        counters.count(Err(&io::ErrorKind::TimedOut.into()));
        let counted = (counters.handshakes.get(), counters.resumed.get(), counters.failed.get());
        assert_eq!((counted, counters.why[TlsFailure::Timeout as usize].get()), ((2, 1, 1), 1));
    }
}
