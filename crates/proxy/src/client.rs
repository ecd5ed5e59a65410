//! What is known of a client's connection for as long as it lasts.

use std::io::Write;
use std::net::SocketAddr;

/// The longest text of an address: IPv6 with an embedded IPv4 address.
const ADDRESS_TEXT: usize = 45;

/// A client's connection, as variables and logs speak of it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Its serial number, `$connection`.
    pub(crate) number: u64,
    pub(crate) remote: SocketAddr,
    /// The address the client connected to.
    pub(crate) local: SocketAddr,
    /// Index of the listener it belongs to.
    pub(crate) listener: usize,
    pub(crate) is_tls: bool,
    /// It came without TLS on a port for TLS.
    pub(crate) lacks_tls: bool,
    pub(crate) tls_protocol: Option<&'static str>,
    /// Requests made so far, `$connection_requests`.
    pub(crate) requests: u64,
    remote_text: [u8; ADDRESS_TEXT],
    remote_length: u8,
}

impl Client {
    pub(crate) fn new(number: u64, remote: SocketAddr, local: SocketAddr, listener: usize, is_tls: bool) -> Self {
        let mut remote_text = [0; ADDRESS_TEXT];
        let mut room = &mut remote_text[..];
        // An address always fits.
        let _ = write!(room, "{}", remote.ip());
        let left = room.len();
        let remote_length = u8::try_from(ADDRESS_TEXT - left).unwrap_or(0);
        Self {
            number,
            remote,
            local,
            listener,
            is_tls,
            lacks_tls: false,
            tls_protocol: None,
            requests: 0,
            remote_text,
            remote_length,
        }
    }

    /// `$remote_addr`.
    pub(crate) fn remote_text(&self) -> &[u8] {
        &self.remote_text[..usize::from(self.remote_length)]
    }

    /// `$scheme`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

#[cfg(test)]
mod tests {
    use super::Client;

    #[test]
    fn addresses_have_their_text() {
        let local = "127.0.0.1:80".parse().unwrap();
        for text in ["10.0.0.1", "::1", "2001:db8:1111:2222:3333:4444:5555:6666"] {
            let remote = std::net::SocketAddr::new(text.parse().unwrap(), 1);
            assert_eq!(Client::new(1, remote, local, 0, false).remote_text(), text.as_bytes());
        }
    }
}
