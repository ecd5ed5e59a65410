//! Options that concern the requests of a script.

use super::value::{count, flag, text};
use super::{Layer, Wrong, noted, wrong};
use crate::sites::HttpOptions;
use crate::tls::{HTTP1, TlsOptions};

/// Options of requests that k6 has and that are not served, and so are errors rather than without effect.
const UNSERVED: [&str; 9] =
    ["rps", "hosts", "dns", "tlsAuth", "tlsVersion", "tlsCipherSuites", "blacklistIPs", "blockHostnames", "httpDebug"];

/// What all requests of a script have in common.
pub(super) fn options(json: &Layer) -> Result<HttpOptions, Wrong> {
    if let Some(name) = UNSERVED.iter().find(|name| json.contains_key(**name)) {
        return wrong(format!("the option `{name}` is not served yet"));
    }
    let mut problems = Vec::new();
    let mut is_on = |name| noted(flag(json, name), &mut problems).flatten().unwrap_or(false);
    let tls = TlsOptions { takes_any: is_on("insecureSkipTLSVerify"), ..TlsOptions::default() };
    let usual = HttpOptions::usual().map_err(|error| Wrong(vec![error.to_string()]))?;
    let tls = tls.config(HTTP1).map_err(|error| Wrong(vec![error.to_string()]))?;
    let (throws, discards_bodies) = (is_on("throw"), is_on("discardResponseBodies"));
    let (reuse, reuse_between_iterations) = (!is_on("noConnectionReuse"), !is_on("noVUConnectionReuse"));
    let keeps_cookies = is_on("noCookiesReset");
    let mut number = |name, usual| noted(count(json, name), &mut problems).flatten().unwrap_or(usual);
    let max_redirects = u32::try_from(number("maxRedirects", u64::from(usual.max_redirects))).unwrap_or(u32::MAX);
    let batch = usize::try_from(number("batch", usual.batch as u64)).unwrap_or(usize::MAX);
    let batch_per_host = usize::try_from(number("batchPerHost", usual.batch_per_host as u64)).unwrap_or(usize::MAX);
    let agent = noted(text(json, "userAgent"), &mut problems).flatten().unwrap_or(usual.agent);
    if !problems.is_empty() {
        return Err(Wrong(problems));
    }
    Ok(HttpOptions {
        max_redirects,
        agent,
        batch,
        batch_per_host,
        throws,
        discards_bodies,
        reuse,
        reuse_between_iterations,
        keeps_cookies,
        tls,
    })
}
