//! What becomes of the fields of an upstream's answer: hidden, passed on, obeyed; and how fast the answer is sent.

use std::sync::Arc;

use conf::Shared;
use conf::tree::{LocationSettings, ProxySettings};

use crate::names::Names;
use crate::rewriting::Rewriting;
use crate::text::Text;

/// Fields that the client does not get unless `proxy_pass_header` names them: ours are written in their place, or they
/// are meant for the balancer.
const HIDDEN: [&str; 8] = [
    "date",
    "server",
    "x-pad",
    "x-accel-expires",
    "x-accel-redirect",
    "x-accel-limit-rate",
    "x-accel-buffering",
    "x-accel-charset",
];

/// Names of fields that are not passed on, in lower case.
pub(crate) type Hidden = Arc<[Vec<u8>]>;

/// What becomes of an upstream's answer.
#[derive(Debug)]
pub struct AnswerRule {
    /// `limit_rate`.
    pub limit_rate: Option<Text>,
    /// `limit_rate_after`.
    pub limit_rate_after: Option<Text>,
    /// Whether `X-Accel-Redirect` is obeyed.
    pub redirects: bool,
    /// Whether `X-Accel-Limit-Rate` is obeyed.
    pub limits_rate: bool,
    /// Whether `proxy_hide_header` hides more than is hidden by default.
    pub hides_more: bool,
    /// Whether `proxy_pass_header` passes some of what is hidden by default.
    pub passes_more: bool,
    /// What is rewritten; `None` for nothing.
    pub rewriting: Option<Arc<Rewriting>>,
    hidden: Hidden,
}

impl AnswerRule {
    /// `redirect_default` is the address of `proxy_pass` and what it becomes, if that can be known.
    pub(crate) fn compile(
        settings: &LocationSettings,
        proxy: &Shared<ProxySettings>,
        redirect_default: Option<(String, String)>,
        maps: &Names,
    ) -> Self {
        let is_passed = |name: &str| is_passed(proxy, name);
        let obeys = |name: &str| !proxy.ignore_headers.iter().any(|ignored| ignored == name);
        Self {
            limit_rate: settings.limit_rate.as_ref().map(|rate| Text::compile(rate, maps)),
            limit_rate_after: settings.limit_rate_after.as_ref().map(|after| Text::compile(after, maps)),
            redirects: obeys("x-accel-redirect"),
            limits_rate: obeys("x-accel-limit-rate"),
            hides_more: proxy.hide_headers.iter().any(|name| !HIDDEN.contains(&name.as_str())),
            passes_more: HIDDEN.into_iter().any(is_passed),
            rewriting: maps.rewriting(proxy, redirect_default),
            hidden: maps.fields(proxy).hidden,
        }
    }

    /// Whether the client does not get the answer's fields of this name. As in nginx, what is both hidden and passed is
    /// passed.
    pub fn hides(&self, name: &[u8]) -> bool {
        self.hidden.iter().any(|hidden| name.eq_ignore_ascii_case(hidden))
    }
}

/// The fields that the client does not get.
pub(crate) fn hidden(proxy: &ProxySettings) -> Hidden {
    let all = HIDDEN.into_iter().chain(proxy.hide_headers.iter().map(String::as_str));
    all.filter(|name| !is_passed(proxy, name)).map(|name| name.as_bytes().to_vec()).collect()
}

fn is_passed(proxy: &ProxySettings, name: &str) -> bool {
    proxy.pass_headers.iter().any(|passed| passed == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{proxy_settings, settings};

    fn rule(hide: &[&str], pass: &[&str], ignore: &[&str]) -> AnswerRule {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut proxy = proxy_settings(&[]);
        proxy.hide_headers = owned(hide);
        proxy.pass_headers = owned(pass);
        proxy.ignore_headers = owned(ignore);
        AnswerRule::compile(&settings(), &proxy.into(), None, &Names::default())
    }

    #[test]
    fn fields_are_hidden_and_passed_as_in_nginx() {
        let plain = rule(&[], &[], &[]);
        assert!(plain.hides(b"Server") && plain.hides(b"X-Accel-Redirect") && !plain.hides(b"X-Powered-By"));
        assert!(plain.redirects && plain.limits_rate && !plain.hides_more && !plain.passes_more);
        let hiding = rule(&["x-powered-by"], &[], &["x-accel-redirect"]);
        assert!(hiding.hides(b"X-POWERED-BY") && hiding.hides_more && !hiding.redirects);
        let passing = rule(&["server"], &["server"], &[]);
        assert!(!passing.hides(b"server") && passing.hides(b"date") && passing.passes_more && !passing.hides_more);
    }
}
