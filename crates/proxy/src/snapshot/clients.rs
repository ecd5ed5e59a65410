//! What each server asks of clients' certificates, made ready.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use conf::tree::{ClientAuth, VerifyClient};
use net::tls::{ClientAuthorities, Judged, Session, Written, written};

use super::{Read, SnapshotError, read_file};

/// What a server asks of clients.
#[derive(Debug)]
pub(crate) struct ClientCheck {
    pub(crate) verify: VerifyClient,
    pub(super) authorities: Arc<ClientAuthorities>,
    /// All that it goes by, the content of files included: two with the same mark judge alike.
    pub(super) mark: Vec<u8>,
}

/// A client as a check has found it.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The mark of the check.
    mark: Vec<u8>,
    verify: VerifyClient,
    /// What was shown; nothing where no certificate was.
    pub(crate) shown: Option<(Judged, Written)>,
}

/// Checks that were made, by their settings.
pub(super) type Made = HashMap<ClientAuth, Arc<ClientCheck>>;

/// The check of a server, if it has one.
pub(super) fn check(
    auth: &ClientAuth,
    made: &mut Made,
    read: &mut Read<'_>,
) -> Result<Option<Arc<ClientCheck>>, SnapshotError> {
    if auth.verify == VerifyClient::Off {
        return Ok(None);
    }
    if let Some(check) = made.get(auth) {
        return Ok(Some(Arc::clone(check)));
    }
    let mut file = |path: &Option<PathBuf>| path.as_ref().map(|path| read_file(path, read)).transpose();
    let (named, unnamed, revoked) = (file(&auth.authorities)?, file(&auth.trusted)?, file(&auth.revoked)?);
    let authorities = ClientAuthorities::read(named.as_deref(), unnamed.as_deref(), revoked.as_deref(), auth.depth);
    let authorities = authorities.map_err(|error| {
        let files = [&auth.authorities, &auth.trusted, &auth.revoked].into_iter().flatten();
        SnapshotError::Clients {
            files: files.map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
            error,
        }
    })?;
    let mut mark = format!("{:?} {}", auth.verify, auth.depth).into_bytes();
    for content in [&named, &unnamed, &revoked] {
        mark.extend_from_slice(&content.as_ref().map_or(0, |bytes| bytes.len() as u64 + 1).to_be_bytes());
        mark.extend_from_slice(content.as_deref().unwrap_or_default());
    }
    let mark = net::tls::digest(&mark);
    let check = Arc::new(ClientCheck { verify: auth.verify, authorities: Arc::new(authorities), mark });
    made.insert(auth.clone(), Arc::clone(&check));
    Ok(Some(check))
}

impl ClientCheck {
    /// Judges what a client has shown in its handshake, or in the one that its session goes on from.
    pub(crate) fn judge(&self, session: &Session) -> Checked {
        let certificates = session.peer_certificates();
        let shown = certificates.first().map(|own| {
            let judged = self.authorities.judge(certificates, net::clock::unix_ns() / 1_000_000_000);
            (judged, written(own))
        });
        Checked { mark: self.mark.clone(), verify: self.verify, shown }
    }

    /// Whether a client was judged as this one would judge it.
    pub(crate) fn is_same(&self, checked: &Checked) -> bool {
        self.mark == checked.mark
    }
}

impl Checked {
    /// What is wrong with the certificate, in OpenSSL's words, unless that is no matter here.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match &self.shown {
            Some((Judged::Bad(why), _)) => Some(why),
            Some((Judged::Unknown(why), _)) if self.verify != VerifyClient::OptionalNoCa => Some(why),
            _ => None,
        }
    }
}
