//! What a configuration says of who may enter: by address, by name and password.

use crate::Shared;
use crate::net::Net;
use crate::template::Template;
use crate::tree::{Handler, LocationSettings};

/// Who may enter.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    /// `allow` and `deny`, of which the first that is meant holds.
    pub rules: Vec<AccessRule>,
    /// `satisfy any`: one of the ways in is enough.
    pub is_any_enough: bool,
    /// `auth_basic`; `None` is `off`.
    pub realm: Option<Template>,
    /// `auth_basic_user_file`.
    pub user_file: Option<Template>,
    /// `auth_request`: the path whose answer decides.
    pub request: Option<String>,
    /// `auth_request_set`: variables, by their names in lower case, and what they are set to when it has answered.
    pub request_sets: Vec<(String, Template)>,
}

/// `allow` or `deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessRule {
    /// Who is meant.
    pub who: Who,
    /// Whether they may enter.
    pub allows: bool,
}

/// Whom a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    All,
    /// Clients of these addresses.
    Net(Net),
    /// Clients that come by a unix socket.
    Unix,
}

/// Where a client's address comes from that a proxy has passed on.
#[derive(Debug, Clone)]
pub struct RealIpSettings {
    /// `set_real_ip_from`: whose word is taken.
    pub from: Vec<Who>,
    /// `real_ip_header`; `proxy_protocol` is no field, but what a proxy has said of the connection.
    pub header: String,
    /// `real_ip_recursive`: of several addresses the last that is none of those.
    pub is_recursive: bool,
}

/// `limit_except`.
#[derive(Debug, Clone)]
pub struct LimitExcept {
    /// The methods that it is not for; GET brings HEAD with it.
    pub methods: Vec<String>,
    /// What other requests get in place of the location's content.
    pub content: (Handler, Shared<LocationSettings>),
}

impl AccessSettings {
    /// Whether a client that enters has shown a password and comes from an address that may: what changes ask for. A
    /// realm with variables may turn out to be `off`.
    pub fn is_safe_for_changes(&self) -> bool {
        let is_named = self.realm.as_ref().and_then(Template::literal).is_some_and(|realm| realm != "off");
        let is_limited = self.rules.iter().any(|rule| !rule.allows);
        !self.is_any_enough && is_named && self.user_file.is_some() && is_limited
    }

    /// Whether everybody may enter, without a look.
    pub fn is_open(&self) -> bool {
        self.rules.is_empty() && (self.realm.is_none() || self.user_file.is_none()) && self.request.is_none()
    }
}
