//! Options that concern the requests of a script.

use std::sync::Arc;

use super::value::{count, flag, text, whole};
use super::{Layer, Wrong, noted, routes, tls};
use crate::pace::Pace;
use crate::sites::{Debug, HttpOptions};

/// What all requests of a script have in common.
pub(super) fn options(json: &Layer) -> Result<HttpOptions, Wrong> {
    let mut problems = Vec::new();
    let mut is_on = |name| noted(flag(json, name), &mut problems).flatten().unwrap_or(false);
    let usual = HttpOptions::usual().map_err(|error| Wrong(vec![error.to_string()]))?;
    let takes_any = is_on("insecureSkipTLSVerify");
    let (throws, discards_bodies) = (is_on("throw"), is_on("discardResponseBodies"));
    let (reuse, reuse_between_iterations) = (!is_on("noConnectionReuse"), !is_on("noVUConnectionReuse"));
    let keeps_cookies = is_on("noCookiesReset");
    let mut number = |name, usual| noted(count(json, name), &mut problems).flatten().unwrap_or(usual);
    let batch = usize::try_from(number("batch", usual.batch as u64)).unwrap_or(usize::MAX);
    let batch_per_host = usize::try_from(number("batchPerHost", usual.batch_per_host as u64)).unwrap_or(usize::MAX);
    // Fewer than none is none, as in k6.
    let redirects = noted(whole(json, "maxRedirects"), &mut problems).flatten();
    let redirects = redirects.map(|count| u32::try_from(count.max(0)).unwrap_or(u32::MAX));
    let max_redirects = redirects.unwrap_or(usual.max_redirects);
    let agent = noted(text(json, "userAgent"), &mut problems).flatten().unwrap_or(usual.agent);
    let pace = noted(whole(json, "rps"), &mut problems).flatten().and_then(|rate| u64::try_from(rate).ok());
    let debug = noted(text(json, "httpDebug"), &mut problems).flatten();
    let debug = match debug.as_deref() {
        None | Some("") => Debug::Nothing,
        Some("full") => Debug::All,
        Some(_) => Debug::Heads,
    };
    let routes = noted(routes::routes(json), &mut problems).unwrap_or_default();
    let tls = noted(tls::tls(json, takes_any), &mut problems).unwrap_or_default();
    if !problems.is_empty() {
        return Err(Wrong(problems));
    }
    let tls = tls.config().map_err(|error| Wrong(vec![error.to_string()]))?;
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
        routes: Arc::new(routes),
        pace: pace.and_then(Pace::per_second).map(Arc::new),
        debug,
    })
}
