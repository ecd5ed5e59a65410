//! What stands before a location: who may enter it.

use std::net::IpAddr;
use std::sync::Arc;

use conf::tree::{self, AccessRule, LimitSettings, LocationSettings, Who};

use crate::names::Names;
use crate::text::Text;

/// What stands before a location.
#[derive(Debug)]
pub struct Gates {
    /// `allow` and `deny`.
    rules: Vec<AccessRule>,
    /// `satisfy any`.
    pub is_any_enough: bool,
    /// `auth_basic`.
    pub basic: Option<Basic>,
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

impl Gates {
    /// What stands before a location of these settings; nothing where everybody may enter.
    pub(crate) fn compile(settings: &LocationSettings, names: &Names) -> Option<Self> {
        let tree::AccessSettings { rules, is_any_enough, realm, user_file } = &settings.access;
        let basic = realm
            .as_ref()
            .zip(user_file.as_ref())
            .map(|(realm, file)| Basic { realm: Text::compile(realm, names), file: Text::compile(file, names) });
        let limits = &settings.limits;
        let is_limited = !limits.rates.is_empty() || !limits.connections.is_empty();
        let limits = is_limited.then(|| limits.to_arc());
        let gates = Self { rules: rules.clone(), is_any_enough: *is_any_enough, basic, limits };
        (is_limited || !settings.access.is_open()).then_some(gates)
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
