//! Tickets under keys that a configuration names: whoever has the same files takes them back, such as another balancer
//! or this one after it was started anew.
//!
//! The files are those of nginx and of other servers, 48 or 80 random bytes. The tickets are not theirs: what is in
//! them is each program's own.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rustls::server::ProducesTickets;

/// The longest time for which a ticket may be said to hold (RFC 8446 4.6.1).
const WEEK_S: u32 = 7 * 24 * 3600;
const NAME: usize = 16;

/// A key of tickets, from a file.
#[derive(Debug)]
pub struct TicketKey {
    name: [u8; NAME],
    key: RandomizedNonceKey,
}

impl TicketKey {
    /// From a file's 48 or 80 bytes: a name, and what the key is made from. Nothing, where it has another length.
    pub fn read(file: &[u8]) -> Option<Self> {
        let (name, secret) = file.split_first_chunk::<NAME>().filter(|_| matches!(file.len(), 48 | 80))?;
        let made = super::digest(&[b"bedloe tickets".as_slice(), secret].concat());
        Some(Self { name: *name, key: RandomizedNonceKey::new(&AES_256_GCM, &made).ok()? })
    }
}

/// The keys of a listener: the first is for new tickets, all are for those that come back.
#[derive(Debug)]
pub(super) struct FileTickets(pub(super) Vec<TicketKey>);

impl ProducesTickets for FileTickets {
    fn enabled(&self) -> bool {
        !self.0.is_empty()
    }

    fn lifetime(&self) -> u32 {
        WEEK_S
    }

    /// Name, nonce, ciphertext.
    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let TicketKey { name, key } = self.0.first()?;
        let mut sealed = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(name), &mut sealed).ok()?;
        let nonce: &[u8; NONCE_LEN] = nonce.as_ref();
        Some([name.as_slice(), nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let TicketKey { name, key } = self.0.iter().find(|key| key.name == *name)?;
        let mut opened = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        key.open_in_place(nonce, Aad::from(name), &mut opened).ok().map(|plain| plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn tickets_come_back_to_who_has_the_file() {
        let keys = |files: &[(u8, usize)]| {
            FileTickets(files.iter().map(|(fill, length)| TicketKey::read(&vec![*fill; *length]).unwrap()).collect())
        };
        let old = keys(&[(1, 80)]);
        let ticket = old.encrypt(b"session").unwrap();
        assert_ne!(old.encrypt(b"session").unwrap(), ticket);
        for (takes, expected) in [
            (keys(&[(1, 80)]), true),
            (keys(&[(2, 48), (1, 80)]), true),
            (keys(&[(2, 48)]), false),
            (keys(&[(1, 48)]), false),
        ] {
            assert_eq!(takes.decrypt(&ticket).is_some(), expected);
        }
        let mut forged = ticket.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(old.decrypt(&forged), None);
        assert_eq!(old.decrypt(&ticket[..20]), None);
        assert_eq!(old.decrypt(b""), None);
    }

    #[test]
    fn files_have_one_of_two_lengths() {
        for (length, expected) in
            [(0, false), (16, false), (47, false), (48, true), (79, false), (80, true), (81, false)]
        {
            assert_eq!(TicketKey::read(&vec![7; length]).is_some(), expected, "{length}");
        }
    }
}
