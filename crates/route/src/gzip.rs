//! Which answers go compressed, by what the configuration and the request say.

use conf::tree::{self, GzipFiles, GzipProxied, LocationSettings};

use crate::names::Names;
use crate::patterns::Patterns;

/// `gzip` and its like.
#[derive(Debug)]
pub struct Gzip {
    /// Whether answers are compressed.
    pub is_on: bool,
    /// 1 to 9.
    pub level: u32,
    /// `gzip_vary`.
    pub varies: bool,
    /// `gzip_static`.
    pub files: GzipFiles,
    /// `gunzip`.
    pub unpacks: bool,
    min_length: u64,
    http10: bool,
    types: Vec<String>,
    proxied: GzipProxied,
    disabled: Vec<usize>,
    disables_msie6: bool,
}

/// A request as compressing sees it.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// `Accept-Encoding`.
    pub accepts: &'a [u8],
    /// `User-Agent`.
    pub agent: &'a [u8],
    /// Whether it came by another proxy (`Via`).
    pub is_proxied: bool,
    /// Whether it has `Authorization`.
    pub is_authorized: bool,
    /// Whether it is of HTTP/1.0.
    pub is_http10: bool,
}

/// An answer as compressing sees it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Content<'a> {
    /// Its status.
    pub status: u16,
    /// Its type, parameters and all.
    pub media_type: &'a [u8],
    /// Its length, if it is told.
    pub length: Option<u64>,
    /// `Cache-Control`.
    pub cache_control: &'a [u8],
    /// `Expires`: whether it is there, and over.
    pub is_expired: Option<bool>,
    /// Whether it has `Last-Modified`.
    pub has_modified: bool,
    /// Whether it has an `ETag`.
    pub has_etag: bool,
}

impl Gzip {
    pub(crate) fn compile(settings: &LocationSettings, names: &Names) -> Option<Self> {
        let tree::GzipSettings {
            is_on,
            types,
            level,
            min_length,
            proxied,
            varies,
            http10,
            disabled,
            disables_msie6,
            files,
            unpacks,
        } = &*settings.gzip;
        let is_used = *is_on || *files != GzipFiles::Off || *unpacks;
        is_used.then(|| Self {
            is_on: *is_on,
            level: *level,
            varies: *varies,
            files: *files,
            unpacks: *unpacks,
            min_length: *min_length,
            http10: *http10,
            types: types.clone(),
            proxied: *proxied,
            disabled: disabled.iter().map(|pattern| names.add_pattern(pattern)).collect(),
            disables_msie6: *disables_msie6,
        })
    }

    /// Whether such an answer is compressed for clients that take it so.
    pub fn is_for(&self, content: &Content<'_>) -> bool {
        let bare = content.media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
        let is_listed = |listed: &String| listed == "*" || bare.eq_ignore_ascii_case(listed.as_bytes());
        self.is_on
            && matches!(content.status, 200 | 403 | 404)
            && content.length.is_none_or(|length| length >= self.min_length && length > 0)
            && !bare.is_empty()
            && self.types.iter().any(is_listed)
    }

    /// Whether the client takes it so, and may have it.
    pub fn is_taken(&self, asking: &Asking<'_>, content: &Content<'_>, patterns: &Patterns) -> bool {
        accepts_gzip(asking.accepts)
            && (self.http10 || !asking.is_http10)
            && !(self.disables_msie6 && is_msie6(asking.agent))
            && (!asking.is_proxied || self.is_for_proxies(asking, content))
            && !self.disabled.iter().any(|pattern| patterns.is_match(*pattern, asking.agent))
    }

    /// nginx's order: what stands first decides.
    fn is_for_proxies(&self, asking: &Asking<'_>, content: &Content<'_>) -> bool {
        let proxied = &self.proxied;
        let has = |word: &[u8]| {
            content.cache_control.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
        };
        if proxied.any || (proxied.auth && asking.is_authorized) {
            return true;
        }
        if let Some(is_expired) = content.is_expired {
            return proxied.expired && is_expired;
        }
        if !content.cache_control.is_empty() {
            return (proxied.no_cache && has(b"no-cache"))
                || (proxied.no_store && has(b"no-store"))
                || (proxied.private && has(b"private"));
        }
        // What nothing speaks against, once there is a word at all.
        *proxied != GzipProxied::default()
            && !(proxied.no_last_modified && content.has_modified)
            && !(proxied.no_etag && content.has_etag)
    }
}

/// Whether `gzip` is among the codings, with a quality that is not 0.
fn accepts_gzip(list: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|coding| {
        let mut parts = coding.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"gzip"));
        let is_refused = |part: &[u8]| {
            let value = part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q="));
            value.is_some_and(|value| {
                value.first() == Some(&b'0') && value[1..].iter().all(|b| matches!(b, b'.' | b'0'))
            })
        };
        is_gzip && !parts.any(is_refused)
    })
}

/// Internet Explorer 4 to 6, which could not unpack all of it; 6 can since its second service pack.
fn is_msie6(agent: &[u8]) -> bool {
    let found = |text: &[u8]| agent.windows(text.len()).position(|window| window == text);
    found(b"MSIE 4.").is_some()
        || found(b"MSIE 5.").is_some()
        || (found(b"MSIE 6.").is_some() && found(b"SV1").is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_take_gzip() {
        let table = [
            ("gzip", true),
            ("deflate, gzip", true),
            ("GZIP;q=1.0", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("gzip;q=0.001", true),
            ("x-gzip", false),
            ("br", false),
            ("*", false),
            ("", false),
        ];
        for (list, expected) in table {
            assert_eq!(accepts_gzip(list.as_bytes()), expected, "{list}");
        }
    }

    #[test]
    fn old_browsers_are_known() {
        for (agent, expected) in [
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", true),
            ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1)", false),
            ("Mozilla/4.0 (compatible; MSIE 7.0)", false),
            ("curl", false),
        ] {
            assert_eq!(is_msie6(agent.as_bytes()), expected, "{agent}");
        }
    }
}
