//! What stands before a location: who may enter it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use conf::tree::{self, AccessRule, LimitSettings, LocationSettings, Who};

use crate::names::Names;
use crate::rules::Variable;
use crate::text::Text;

/// What stands before a location.
#[derive(Debug)]
pub struct Gates {
    /// `allow` and `deny`.
    rules: Vec<AccessRule>,
    /// `satisfy any`.
    pub is_any_enough: bool,
    is_safe: bool,
    /// `auth_basic`.
    pub basic: Option<Basic>,
    /// `auth_request`.
    pub request: Option<AuthRequest>,
    /// Where the client's address comes from, where a proxy's word is taken.
    pub real_ip: Option<RealIp>,
    /// `limit_req` and `limit_conn`, where there are any.
    pub limits: Option<Arc<LimitSettings>>,
}

/// `auth_basic`.
#[derive(Debug)]
pub struct Basic {
    /// The realm; `off` asks nobody.
    pub realm: Text,
    /// The file of names and passwords.
    pub file: Text,
}

/// `auth_request`.
#[derive(Debug)]
pub struct AuthRequest {
    /// The path that is asked.
    pub path: String,
    /// What is set when it has answered.
    pub sets: Vec<(Variable, Text)>,
}

/// `set_real_ip_from` and its like.
#[derive(Debug, Clone)]
pub struct RealIp {
    from: Vec<Who>,
    /// The field, in small letters; none where it is what a proxy has said of the connection by the PROXY protocol.
    pub header: Option<String>,
    is_recursive: bool,
}

impl RealIp {
    pub(crate) fn compile(settings: &LocationSettings) -> Option<Self> {
        let tree::RealIpSettings { from, header, is_recursive } = &*settings.real_ip;
        let header = (header != "proxy_protocol").then(|| header.to_ascii_lowercase());
        (!from.is_empty()).then(|| Self { from: from.clone(), header, is_recursive: *is_recursive })
    }

    /// Whether whoever is at this address (none: behind a unix socket) is taken at their word.
    fn believes(&self, address: Option<IpAddr>) -> bool {
        self.from.iter().any(|who| match (who, address) {
            (Who::Net(net), Some(address)) => net.contains(address),
            (Who::Unix, None) => true,
            _ => false,
        })
    }

    /// The address that a list names for a request that came from this one; its last, or with `real_ip_recursive on`
    /// the last that nobody is believed at. A port of 0 is none.
    pub fn find(&self, from: Option<IpAddr>, list: &[u8]) -> Option<SocketAddr> {
        let mut found = None;
        let mut at = from;
        for written in list.rsplit(|byte| matches!(byte, b',' | b' ')).filter(|written| !written.is_empty()) {
            if !self.believes(at) {
                break;
            }
            let Some(address) = address(written) else { break };
            (found, at) = (Some(address), Some(address.ip()));
            if !self.is_recursive {
                break;
            }
        }
        found
    }
}

/// An address with or without a port.
fn address(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let alone = bare.parse().ok().map(|address: IpAddr| SocketAddr::new(address, 0));
    alone.or_else(|| text.parse().ok())
}

impl Gates {
    /// What stands before a location of these settings; nothing where everybody may enter.
    pub(crate) fn compile(settings: &LocationSettings, names: &Names) -> Option<Self> {
        let tree::AccessSettings { rules, is_any_enough, realm, user_file, request, request_sets } = &*settings.access;
        let basic = realm
            .as_ref()
            .zip(user_file.as_ref())
            .map(|(realm, file)| Basic { realm: Text::compile(realm, names), file: Text::compile(file, names) });
        let set = |(name, value): &(String, _)| (Variable::named(name, names), Text::compile(value, names));
        let request = request
            .as_ref()
            .map(|path| AuthRequest { path: path.clone(), sets: request_sets.iter().map(set).collect() });
        let limits = &settings.limits;
        let is_limited = !limits.rates.is_empty() || !limits.connections.is_empty();
        let limits = is_limited.then(|| limits.to_arc());
        let real_ip = RealIp::compile(settings);
        let is_moved = real_ip.is_some();
        let is_safe = settings.access.is_safe_for_changes();
        let gates =
            Self { rules: rules.clone(), is_safe, is_any_enough: *is_any_enough, basic, request, real_ip, limits };
        (is_limited || is_moved || !settings.access.is_open()).then_some(gates)
    }

    /// Whether who has passed them has shown a password, and come from an address that may.
    pub fn are_safe_for_changes(&self) -> bool {
        self.is_safe
    }

    /// What the first rule says that is for a client of this address (none: by a unix socket); nothing where none is.
    pub fn allows(&self, client: Option<IpAddr>) -> Option<bool> {
        let is_meant = |rule: &&AccessRule| match (rule.who, client) {
            (Who::All, _) | (Who::Unix, None) => true,
            (Who::Net(net), Some(address)) => net.contains(address),
            (Who::Net(_), None) | (Who::Unix, Some(_)) => false,
        };
        self.rules.iter().find(is_meant).map(|rule| rule.allows)
    }
}

#[cfg(test)]
mod tests {
    use conf::Net;

    use super::*;

    #[test]
    fn proxies_say_where_a_request_comes_from() {
        let from = ["10.0.0.0/8", "::1"].map(|net| Who::Net(Net::parse(net).unwrap())).to_vec();
        let table = [
            ("10.0.0.1:5", "1.2.3.4", false, Some("1.2.3.4:0")),
            ("11.0.0.1:5", "1.2.3.4", false, None),
            ("[::1]:5", "2001:db8::1", false, Some("[2001:db8::1]:0")),
            ("10.0.0.1:5", "1.2.3.4:77", false, Some("1.2.3.4:77")),
            ("10.0.0.1:5", "[2001:db8::1]:7", false, Some("[2001:db8::1]:7")),
            ("10.0.0.1:5", "9.9.9.9, 10.1.1.1", false, Some("10.1.1.1:0")),
            ("10.0.0.1:5", "9.9.9.9, 10.1.1.1", true, Some("9.9.9.9:0")),
            ("10.0.0.1:5", "8.8.8.8 ,9.9.9.9, 10.1.1.1 , ", true, Some("9.9.9.9:0")),
            ("10.0.0.1:5", "10.2.2.2,10.1.1.1", true, Some("10.2.2.2:0")),
            ("10.0.0.1:5", "unknown, 10.1.1.1", true, Some("10.1.1.1:0")),
            ("10.0.0.1:5", "unknown", false, None),
            ("10.0.0.1:5", "", false, None),
        ];
        for (at, list, is_recursive, expected) in table {
            let real = RealIp { from: from.clone(), header: None, is_recursive };
            let expected = expected.map(|text| text.parse().unwrap());
            let at: SocketAddr = at.parse().unwrap();
            assert_eq!(real.find(Some(at.ip()), list.as_bytes()), expected, "{list}");
            assert_eq!(real.find(None, list.as_bytes()), None, "{list}");
        }
    }
}
