//! What is known of a client's connection for as long as it lasts.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use conf::tree::ListenAddress;
use net::socket::Probe;
use net::tls::{Hello, Judged, Session};
use route::Fact;

use crate::proxy_protocol::Told;
use crate::site::Site;
use crate::snapshot::{Checked, ListenerTls};

/// The longest text of an address: eight groups of IPv6.
const ADDRESS_TEXT: usize = 39;

/// A client's connection, as variables and logs speak of it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Its serial number, `$connection`.
    pub(crate) number: u64,
    pub(crate) remote: SocketAddr,
    /// The address the client connected to.
    pub(crate) local: SocketAddr,
    /// The configuration that serves it.
    pub(crate) site: Rc<Site>,
    /// Index of the listener it belongs to, in that configuration.
    pub(crate) listener: usize,
    /// Its listener is in no newer configuration: the next answer is its last.
    pub(crate) is_leaving: bool,
    pub(crate) is_tls: bool,
    /// It came by a unix socket: `remote` and `local` are nobody's.
    is_unix: bool,
    /// It came without TLS on a port for TLS.
    pub(crate) lacks_tls: bool,
    /// What a proxy has said of the connection by the PROXY protocol.
    pub(crate) told: Option<Rc<Told>>,
    /// What was agreed on in the TLS handshake.
    pub(crate) tls: Option<Rc<ClientTls>>,
    /// For what the kernel knows of it; nothing where it is no TCP connection.
    pub(crate) probe: Option<Probe>,
    /// When it came, on the scale of [`net::clock::coarse_ms`].
    pub(crate) since_ms: u64,
    /// Requests made so far, `$connection_requests`.
    pub(crate) requests: u64,
    remote_text: AddressText,
    /// Where the connection comes from, while a proxy's word holds for the request that is under way.
    connected_from: Option<Box<SocketAddr>>,
}

/// An address as text.
#[derive(Debug, Clone)]
struct AddressText {
    bytes: [u8; ADDRESS_TEXT],
    length: u8,
}

/// What stands for the address of a client that came by a unix socket.
pub(crate) const UNIX: &[u8] = b"unix:";

/// The protocols that listeners offer.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A TLS session, as variables speak of it.
#[derive(Debug)]
pub(crate) struct ClientTls {
    protocol: Option<&'static str>,
    cipher: Option<&'static str>,
    curve: Option<&'static str>,
    alpn: Option<&'static [u8]>,
    server_name: Option<String>,
    /// What the client has offered, where that is kept.
    hello: Option<Box<Hello>>,
    /// What came of the client's certificate, where its server has asked for one.
    pub(crate) checked: Option<Box<Checked>>,
    is_resumed: bool,
}

impl ClientTls {
    pub(crate) fn of(session: &Session, tls: Option<&ListenerTls>) -> Self {
        let check = tls.and_then(|tls| tls.check(session.server_name()));
        Self {
            protocol: session.protocol(),
            cipher: session.cipher(),
            curve: session.curve(),
            alpn: session.alpn().and_then(|agreed| ALPN.into_iter().find(|known| *known == agreed)),
            server_name: session.server_name().map(str::to_owned),
            hello: session.hello().cloned().map(Box::new),
            is_resumed: session.is_resumed(),
            checked: check.map(|check| Box::new(check.judge(session))),
        }
    }

    /// The name that the client has asked for.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Appends a variable's value; false where there is none.
    pub(crate) fn append(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        let value = match fact {
            Fact::SslProtocol => self.protocol.map(str::as_bytes),
            Fact::SslCipher => self.cipher.map(str::as_bytes),
            Fact::SslCurve => self.curve.map(str::as_bytes),
            Fact::SslCiphers => self.hello.as_ref().map(|hello| hello.ciphers.as_bytes()),
            Fact::SslCurves => self.hello.as_ref().map(|hello| hello.curves.as_bytes()),
            Fact::SslAlpnProtocol => self.alpn,
            Fact::SslServerName => self.server_name.as_deref().map(str::as_bytes),
            Fact::SslSessionReused => Some(if self.is_resumed { &b"r"[..] } else { b"." }),
            _ => return self.append_client(fact, out),
        };
        out.extend_from_slice(value.unwrap_or_default());
        value.is_some()
    }
}

impl ClientTls {
    /// What is said of the client's certificate.
    fn append_client(&self, fact: &Fact, out: &mut Vec<u8>) -> bool {
        let shown = self.checked.as_ref().and_then(|checked| checked.shown.as_ref());
        let Some((judged, written)) = shown else {
            let is_verify = *fact == Fact::SslClientVerify;
            out.extend_from_slice(if is_verify { b"NONE" } else { b"" });
            return is_verify;
        };
        let value: &str = match fact {
            Fact::SslClientVerify => match judged {
                Judged::Good => "SUCCESS",
                Judged::Unknown(why) | Judged::Bad(why) => {
                    out.extend_from_slice(b"FAILED:");
                    why
                }
            },
            Fact::SslClientSDn => &written.subject,
            Fact::SslClientIDn => &written.issuer,
            Fact::SslClientSDnLegacy => &written.subject_legacy,
            Fact::SslClientIDnLegacy => &written.issuer_legacy,
            Fact::SslClientSerial => &written.serial,
            Fact::SslClientFingerprint => &written.fingerprint,
            Fact::SslClientVStart => &written.starts,
            Fact::SslClientVEnd => &written.ends,
            Fact::SslClientRawCert => &written.pem,
            Fact::SslClientCert => return append_lines(written.pem.trim_end(), b"\n\t", out),
            Fact::SslClientEscapedCert => {
                return append_component(written.pem.as_bytes(), out);
            }
            Fact::SslClientVRemain => {
                let now_s = i64::try_from(net::clock::unix_ns() / 1_000_000_000).unwrap_or(0);
                let days = written.ends_s.map(|ends_s| ((ends_s - now_s) / 86_400).max(0));
                out.extend_from_slice(days.map(|days| days.to_string()).unwrap_or_default().as_bytes());
                return days.is_some();
            }
            _ => return false,
        };
        out.extend_from_slice(value.as_bytes());
        !value.is_empty()
    }
}

/// Appends lines with this between them.
fn append_lines(text: &str, between: &[u8], out: &mut Vec<u8>) -> bool {
    for (index, line) in text.lines().enumerate() {
        out.extend_from_slice(if index > 0 { between } else { b"" });
        out.extend_from_slice(line.as_bytes());
    }
    true
}

/// Appends a text as one component of a URL may hold it.
fn append_component(text: &[u8], out: &mut Vec<u8>) -> bool {
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            // Writing to a vector does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    true
}

impl Client {
    pub(crate) fn new(
        number: u64,
        remote: SocketAddr,
        local: SocketAddr,
        (site, listener): (Rc<Site>, usize),
        is_tls: bool,
    ) -> Self {
        Self {
            number,
            remote,
            local,
            site,
            listener,
            is_leaving: false,
            is_tls,
            is_unix: false,
            lacks_tls: false,
            told: None,
            tls: None,
            probe: None,
            since_ms: net::clock::coarse_ms(),
            requests: 0,
            remote_text: AddressText::new(remote.ip()),
            connected_from: None,
        }
    }

    /// Notes that it came by a unix socket.
    pub(crate) fn come_by_unix(&mut self) {
        self.is_unix = true;
        self.remote_text = AddressText::unix();
    }

    /// Whether it came by a unix socket, and no proxy has said where from.
    pub(crate) fn is_unix(&self) -> bool {
        self.is_unix && !self.is_moved()
    }

    /// The client's address; none behind a unix socket.
    pub(crate) fn remote_ip(&self) -> Option<IpAddr> {
        (!self.is_unix()).then(|| self.remote.ip())
    }

    /// Appends `$server_addr`.
    pub(crate) fn append_local(&self, out: &mut Vec<u8>) {
        // Writing to a vector does not fail.
        let _ = match &self.site.snapshot.router.listeners()[self.listener].address {
            address @ ListenAddress::Unix(_) => write!(out, "{address}"),
            ListenAddress::Ip(_) => write!(out, "{}", self.local.ip()),
        };
    }

    /// Appends `$realip_remote_addr`.
    pub(crate) fn append_connected_from(&self, out: &mut Vec<u8>) {
        if self.is_unix {
            out.extend_from_slice(UNIX);
        } else {
            let _ = write!(out, "{}", self.connected_from().ip());
        }
    }

    /// Goes over to the configuration that the thread serves now, if that has the client's listener. Called when a
    /// request begins: one that is under way ends as it began.
    pub(crate) fn follow(&mut self, current: &Rc<Site>) {
        if Rc::ptr_eq(&self.site, current) {
            return;
        }
        match current.listener_like(&self.site, self.listener) {
            Some(listener) => {
                self.site = Rc::clone(current);
                self.listener = listener;
            }
            None => self.is_leaving = true,
        }
    }

    /// Takes a proxy's word for where the request comes from, until it ends.
    pub(crate) fn move_to(&mut self, remote: SocketAddr) {
        self.connected_from.get_or_insert(Box::new(self.remote));
        self.remote = remote;
        self.remote_text = AddressText::new(remote.ip());
    }

    /// Whether a proxy's word holds.
    pub(crate) fn is_moved(&self) -> bool {
        self.connected_from.is_some()
    }

    /// The next request comes from where the connection does.
    pub(crate) fn move_back(&mut self) {
        if let Some(remote) = self.connected_from.take() {
            self.remote = *remote;
            self.remote_text = if self.is_unix { AddressText::unix() } else { AddressText::new(remote.ip()) };
        }
    }

    /// Where the connection comes from.
    pub(crate) fn connected_from(&self) -> SocketAddr {
        self.connected_from.as_deref().copied().unwrap_or(self.remote)
    }

    /// `$remote_addr`.
    pub(crate) fn remote_text(&self) -> &[u8] {
        &self.remote_text.bytes[..usize::from(self.remote_text.length)]
    }

    /// `$scheme`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

impl AddressText {
    fn unix() -> Self {
        let mut bytes = [0; ADDRESS_TEXT];
        bytes[..UNIX.len()].copy_from_slice(UNIX);
        Self { bytes, length: UNIX.len() as u8 }
    }

    fn new(address: IpAddr) -> Self {
        let mut bytes = [0; ADDRESS_TEXT];
        let mut room = &mut bytes[..];
        // An address always fits.
        let _ = write!(room, "{address}");
        let left = room.len();
        Self { bytes, length: u8::try_from(ADDRESS_TEXT - left).unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::AddressText;

    #[test]
    fn addresses_have_their_text() {
        for text in ["10.0.0.1", "::1", "2001:db8:1111:2222:3333:4444:5555:6666"] {
            let AddressText { bytes, length } = AddressText::new(text.parse().unwrap());
            assert_eq!(&bytes[..usize::from(length)], text.as_bytes());
        }
    }
}
