//! What of a `proxy_pass` is known only when the whole block around it is read: TLS and who knows names.

use super::cx::Cx;
use super::draft::Inherited;
use crate::span::Place;
use crate::tree::{PassTo, ProxyPass, Resolver};

/// Completes a `proxy_pass` by the settings that apply where it stands.
pub(super) fn finish(proxy: &mut ProxyPass, level: &Inherited, place: &Place, cx: &mut Cx<'_>) {
    proxy.settings = cx.proxy_settings(&level.proxy);
    let is_variable = matches!(proxy.to, PassTo::Variable { .. });
    if proxy.tls.is_some() {
        proxy.tls = Some(cx.proxy_tls(&level.proxy.tls));
    }
    // As in nginx, files and what belongs together matter only where TLS is spoken, or may be.
    if proxy.tls.is_some() || is_variable {
        crate::table::check_proxy_tls(level, place, cx);
    }
    if let PassTo::Variable { resolver, .. } = &mut proxy.to {
        let timeout_ms = level.resolver_timeout_ms;
        *resolver = level.resolver.clone().map(|resolver| cx.resolver(&Resolver { timeout_ms, ..resolver }));
    }
}
