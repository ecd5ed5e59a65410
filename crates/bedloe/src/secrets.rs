//! Files with secrets and certificates that the command line names: read within bounds, whatever they are, and warned
//! of where others can read them. Left out: what is in them, which who asks knows, and a balancer's own certificates.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use net::tls::Identity;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::shell;

/// The largest file that is read at once whatever kind it is of: tokens, and certificates with their authorities.
const SMALL_FILE_MAX: u64 = 16 << 20;

/// The first line of a file, which is a secret; the rest is nobody's business.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read_small(path)?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

/// A certificate with those above it, and its key.
pub(crate) fn read_identity(chain: &Path, key: &Path) -> anyhow::Result<Identity> {
    net::tls::read_identity(&read_small(chain)?, &read_small(key)?, &[])
        .with_context(|| format!("cannot use {} with {}", chain.display(), key.display()))
}

/// Certificates of authorities.
pub(crate) fn read_authorities(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    net::tls::read_trusted(&read_small(path)?)
        .with_context(|| format!("cannot use the authorities in {}", path.display()))
}

/// Says so where every user of this host may read a secret.
pub(crate) fn warn_if_open(secret: &Path) {
    if std::fs::metadata(secret).is_ok_and(|stat| stat.is_file() && stat.permissions().mode() & 0o004 != 0) {
        let (shown, word) = (secret.display(), shell::word(&secret.to_string_lossy()));
        crate::say(format_args!("every user of this host can read {shown}: chmod o-r {word}"));
    }
}

/// A file that is to be small, a pipe of the shell's too.
fn read_small(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SMALL_FILE_MAX + 1).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        bytes.len() as u64 <= SMALL_FILE_MAX,
        "cannot read {}: it is larger than {} MiB",
        path.display(),
        SMALL_FILE_MAX >> 20
    );
    Ok(bytes)
}
